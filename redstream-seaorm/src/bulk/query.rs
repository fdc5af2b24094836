//! The query form: finds its keys itself, batch by batch.

use std::collections::HashSet;
use std::fmt;
use std::marker::PhantomData;
use std::sync::Arc;

use sea_orm::sea_query::{Condition, IntoCondition};
use sea_orm::{ConnectionTrait, DbErr, EntityTrait, QueryFilter, QueryTrait, TransactionTrait, UpdateMany};

use super::batch::{begin, finish, follow, follow_parents, messages};
use super::error::BulkError;
use super::page::{are_exact, check_zones, kept, key_chunks, last_key, page, stored_as};
use super::returning::{Returning, gives_back, returning};
use super::update::Update;
use crate::entity::key::Key;
use crate::entity::key_order::KeyOrder;
use crate::entity::key_query::{from_to, is_one_of};
use crate::entity::parents;
use crate::entity::streamed::{Streamed, table};
use crate::error::{Error, check_batch_size};
use crate::unit_of_work::UnitOfWork;

const BATCH_SIZE: u64 = 1000;

/// An update or delete of many rows, by a filter: the query form of a bulk operation. It also inserts many rows:
/// [`insert_many`](Self::insert_many), [`upsert_many`](Self::upsert_many).
///
/// It goes through the rows in the order of their keys, batch by batch. A batch is a transaction of its own (a
/// savepoint if it runs within a transaction): it reads and locks the next keys that meet the filter, insures them,
/// writes their rows, commits, and announces them while the next batch is already running. So locks are short, any
/// number of rows takes the memory of two batches, and what one batch did stays if a later one fails; run it again to
/// continue.
///
/// Within an open transaction all batches commit, and are announced, with that transaction or not at all; their keys
/// are held until then.
///
/// If there is more than one batch, it ends at the last key that meets the filter at the beginning.
///
/// Each row that meets the filter is written once, even if the update makes the filter false. A row that another
/// transaction adds, or brings into the filter, meanwhile may be written or not; if it is written, it is announced.
///
/// Rows of an entity with [parents](Streamed::parents) announce these as saves do: the old parents and the new ones.
/// For that the rows of a batch are read before it and (updates) after it.
///
/// An update that sets no [watched](Streamed::is_watched) column runs, and is neither insured nor announced.
///
/// # New keys
///
/// An update that sets a column of the primary key announces the old and the new keys of its rows. It is one
/// transaction of all rows, whatever the batch size, and holds their keys: separate batches would meet rows again under
/// their new keys. The database must return the new keys by `UPDATE … RETURNING`, as PostgreSQL and SQLite do;
/// otherwise the update is refused with [`BulkError::RenamedKeys`]. The classic form works on every database: name both
/// keys of each row, `producer.bulk_keys(&db, [old, new], …)`.
///
/// ```no_run
/// # mod city {
/// #     use redstream_seaorm::Streamed;
/// #     use sea_orm::entity::prelude::*;
/// #     #[derive(Clone, Debug, PartialEq, DeriveEntityModel, Streamed)]
/// #     #[sea_orm(table_name = "cities")]
/// #     pub struct Model { #[sea_orm(primary_key)] pub id: i64, pub name: String, pub country: String }
/// #     #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
/// #     pub enum Relation {}
/// # }
/// use redstream_seaorm::{Bulk, StreamedConnection};
/// use sea_orm::ColumnTrait;
/// use sea_orm::sea_query::Expr;
///
/// # async fn example(db: StreamedConnection) -> Result<(), sea_orm::DbErr> {
/// let updated = Bulk::<city::Entity>::new()
///     .filter(city::Column::Country.eq("DD"))
///     .on_progress(|rows| println!("{rows} cities so far"))
///     .update_many(&db, |update| update.col_expr(city::Column::Country, Expr::value("DE")))
///     .await?;
/// let deleted = Bulk::<city::Entity>::new().filter(city::Column::Country.eq("SU")).delete_many(&db).await?;
/// # Ok(()) }
/// ```
#[must_use = "it does nothing until a verb such as `update_many` is called"]
pub struct Bulk<E> {
    pub(super) condition: Condition,
    pub(super) batch_size: u64,
    on_progress: Option<Box<dyn Fn(u64) + Send + Sync>>,
    entity: PhantomData<fn() -> E>,
}

impl<E: Streamed> Bulk<E> {
    /// All rows of the table, 1000 a batch.
    pub fn new() -> Self {
        Self { condition: Condition::all(), batch_size: BATCH_SIZE, on_progress: None, entity: PhantomData }
    }

    /// Only rows that meet this. Several filters must all be met. Default: none.
    pub fn filter(mut self, filter: impl IntoCondition) -> Self {
        self.condition = self.condition.add(filter.into_condition());
        self
    }

    /// How many rows a transaction writes. Default: 1000. Zero is [`Error::InvalidOption`]. If one statement cannot
    /// name so many keys, a batch takes several.
    pub fn batch_size(mut self, rows: u64) -> Self {
        self.batch_size = rows;
        self
    }

    /// Called after each batch with the number of rows written so far. Within an open transaction they are not
    /// committed yet.
    pub fn on_progress(mut self, report: impl Fn(u64) + Send + Sync + 'static) -> Self {
        self.on_progress = Some(Box::new(report));
        self
    }

    /// Updates the rows: `set` is given an `UPDATE` and adds what to set. Returns how many rows were updated; those
    /// that already had the new values count.
    /// # Errors
    ///
    /// If the database returns one, if a batch cannot be insured, if the connection is not streamed, and as
    /// [`BulkError`] says. The failed batch is rolled back; those before it stay, and are announced.
    pub async fn update_many<D, S>(self, db: &D, set: S) -> Result<u64, DbErr>
    where
        D: ConnectionTrait + TransactionTrait,
        S: FnOnce(UpdateMany<E>) -> UpdateMany<E>,
    {
        let update = Update::new(set)?;
        if !update.renames {
            return self.each_batch(db, update.is_announced, |these| update.of(these)).await;
        }
        Ok(self.update_at_once::<Key<E>, D>(db, &update).await?.len() as u64)
    }

    /// Deletes the rows. Returns how many.
    ///
    /// # Errors
    ///
    /// As [`update_many`](Self::update_many).
    pub async fn delete_many<D>(self, db: &D) -> Result<u64, DbErr>
    where
        D: ConnectionTrait + TransactionTrait,
    {
        self.each_batch(db, true, |these| E::delete_many().filter(these).into_query()).await
    }

    /// `statement` writes the rows of these keys.
    async fn each_batch<D, S>(
        &self,
        db: &D,
        is_announced: bool,
        statement: impl Fn(Condition) -> S,
    ) -> Result<u64, DbErr>
    where
        D: ConnectionTrait + TransactionTrait,
        S: Returning,
    {
        self.check()?;
        let mut walk = Walk { order: KeyOrder::of::<E>(db).await?, after: None, up_to: None };
        let (mut rows, mut earlier) = (0, None::<Arc<UnitOfWork>>);
        loop {
            let batch = self.next_batch(db, &mut walk, is_announced, &statement, &mut earlier).await;
            // If the batch could not begin.
            wait_for(&mut earlier).await;
            let (unit, keys, written) = batch?;
            rows += written;
            // Rows that no longer met the filter once they were locked have been replaced by the next rows, so a short
            // page is the last.
            let is_last = (keys.len() as u64) < self.batch_size || keys.last() == walk.up_to.as_ref();
            if is_last {
                unit.deferred.written().await;
            }
            self.report(rows, keys.is_empty());
            if is_last {
                return Ok(rows);
            }
            (walk.after, earlier) = (keys.into_iter().next_back(), Some(unit));
        }
    }

    /// The batch's unit of work, whose announcements are still to be waited for, its keys, and how many of their rows
    /// were written. The announcements of the earlier batch are written meanwhile, and before this one is committed, so
    /// that messages are in the order of the batches.
    async fn next_batch<D, S>(
        &self,
        db: &D,
        walk: &mut Walk<E>,
        is_announced: bool,
        statement: impl Fn(Condition) -> S,
        earlier: &mut Option<Arc<UnitOfWork>>,
    ) -> Result<(Arc<UnitOfWork>, Vec<Key<E>>, u64), DbErr>
    where
        D: ConnectionTrait + TransactionTrait,
        S: Returning,
    {
        let (transaction, unit) = begin::<E, D>(db).await?;
        unit.deferred.want();
        let outcome = self.batch(&transaction, &unit, walk, is_announced, statement).await;
        wait_for(earlier).await;
        let (keys, written) = finish(transaction, outcome).await?;
        Ok((unit, keys, written))
    }

    /// The next keys, and how many of their rows were written.
    async fn batch<T, S>(
        &self,
        transaction: &T,
        unit: &UnitOfWork,
        walk: &mut Walk<E>,
        is_announced: bool,
        statement: impl Fn(Condition) -> S,
    ) -> Result<(Vec<Key<E>>, u64), DbErr>
    where
        T: ConnectionTrait,
        S: Returning,
    {
        let rows = walk.rows(self.condition.clone());
        let keys = page(transaction, rows, &walk.order, walk.after.as_ref(), Some(self.batch_size)).await?;
        let Some(last) = keys.last() else { return Ok((keys, 0)) };
        let is_full = keys.len() as u64 == self.batch_size;
        if is_full && walk.up_to.is_none() {
            walk.up_to = last_key(transaction, self.condition.clone(), &walk.order).await?;
        }
        if S::KEEPS_ROWS && is_announced {
            check_zones(&keys, transaction.get_database_backend())?;
        }
        // Named by their range: a database finds a range far faster than a list of keys.
        let range = || statement(from_to(walk.after.as_ref(), last).add(self.condition.clone()));
        if !is_announced {
            let rows = transaction.execute(&range()).await?.rows_affected();
            return Ok((keys, rows));
        }
        if gives_back::<S>(transaction) && !parents::are_known::<E>() {
            // The statement is sent first: the messages are sent while the database works on it.
            let following = async { follow(unit, messages(&keys)?) };
            let (written, followed) = tokio::join!(returning::<Key<E>, _>(transaction, range()), following);
            let mut written = written?;
            followed?;
            let rows = written.len() as u64;
            if S::KEEPS_ROWS {
                written = kept(transaction, written).await?;
            }
            let others = others(&written, &keys);
            if S::KEEPS_ROWS && is_full {
                walk.passes_once(transaction, last, &others).await?;
            }
            follow(unit, messages(&others)?)?;
            return Ok((keys, rows));
        }
        follow_parents(transaction, unit, &keys).await?;
        follow(unit, messages(&keys)?)?;
        let mut rows = 0;
        for keys in key_chunks(&keys) {
            let statement = statement(is_one_of(keys));
            let written = if gives_back::<S>(transaction) && S::KEEPS_ROWS {
                let written = returning::<Key<E>, _>(transaction, statement).await?;
                rows += written.len() as u64;
                kept(transaction, written).await?
            } else {
                rows += transaction.execute(&statement).await?.rows_affected();
                if !S::KEEPS_ROWS || are_exact(keys, transaction.get_database_backend()) {
                    continue;
                }
                let written = stored_as(transaction, keys).await?;
                written.ok_or_else(|| BulkError::RewrittenKeys { table: table::<E>() })?
            };
            let others = others(&written, keys);
            if is_full {
                walk.passes_once(transaction, last, &others).await?;
            }
            follow_parents(transaction, unit, &others).await?;
            follow(unit, messages(&others)?)?;
        }
        if S::KEEPS_ROWS {
            follow_parents(transaction, unit, &keys).await?;
        }
        Ok((keys, rows))
    }

    pub(super) fn check(&self) -> Result<(), Error> {
        check_batch_size(self.batch_size).map_err(Error::InvalidOption)
    }

    pub(super) fn report(&self, rows: u64, is_empty: bool) {
        if let Some(report) = self.on_progress.as_ref().filter(|_| !is_empty) {
            report(rows);
        }
    }
}

/// Waits until the announcements of a batch are written.
async fn wait_for(batch: &mut Option<Arc<UnitOfWork>>) {
    if let Some(batch) = batch.take() {
        batch.deferred.written().await;
    }
}

/// A paged scan of the rows.
struct Walk<E> {
    order: KeyOrder,
    after: Option<Key<E>>,
    /// The last key at the beginning, if there is more than a page: rows that get keys after it, or are added after it,
    /// do not keep the scan from ending.
    up_to: Option<Key<E>>,
}

impl<E: Streamed> Walk<E> {
    /// The rows that meet this, up to the last key.
    fn rows(&self, condition: Condition) -> Condition {
        match &self.up_to {
            Some(last) => Condition::all().add(from_to(None, last)).add(condition),
            None => condition,
        }
    }

    /// Errors if one of these keys, which rows of the page up to `last` have now, belongs to a later page.
    async fn passes_once(&self, db: &impl ConnectionTrait, last: &Key<E>, keys: &[Key<E>]) -> Result<(), DbErr> {
        for keys in key_chunks(keys) {
            let later = self.rows(Condition::all().add(is_one_of(keys)));
            if !page(db, later, &self.order, Some(last), Some(1)).await?.is_empty() {
                return Err(BulkError::MovedKeys { table: table::<E>() }.into());
            }
        }
        Ok(())
    }
}

/// Rows that were written and do not belong to the page: they came to meet the filter after it was read, or have new
/// keys.
fn others<E: EntityTrait>(written: &[Key<E>], page: &[Key<E>]) -> Vec<Key<E>> {
    if written == page {
        return Vec::new();
    }
    let page: HashSet<_> = page.iter().map(Key::values).collect();
    written.iter().filter(|key| !page.contains(key.values())).cloned().collect()
}

impl<E: Streamed> Default for Bulk<E> {
    fn default() -> Self {
        Self::new()
    }
}

impl<E> fmt::Debug for Bulk<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Bulk")
            .field("condition", &self.condition)
            .field("batch_size", &self.batch_size)
            .finish_non_exhaustive()
    }
}
