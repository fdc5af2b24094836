//! The query form: finds its keys itself, batch by batch.

use std::fmt;
use std::marker::PhantomData;

use sea_orm::sea_query::{Condition, IntoCondition};
use sea_orm::{ConnectionTrait, DbErr, QueryFilter, QueryTrait, TransactionTrait, UpdateMany};

use super::update::Update;
use super::write_page::Write;
use crate::entity::key::Key;
use crate::entity::streamed::Streamed;
use crate::error::{Error, check_batch_size};

const BATCH_SIZE: u64 = 1000;

/// An update or delete of many rows, by a filter: the query form of a bulk operation. It also inserts many rows:
/// [`insert_many`](Self::insert_many), [`upsert_many`](Self::upsert_many).
///
/// It goes through the rows in the order of their keys, batch by batch. A batch is a transaction of its own (a
/// savepoint if it runs within a transaction): it reads the next keys that meet the filter, insures them, writes their
/// rows, commits, and announces them while the next batch is already running. So locks are short, any number of rows
/// takes the memory of two batches, and what one batch did stays if a later one fails; run it again to continue.
///
/// Within an open transaction all batches commit, and are announced, with that transaction or not at all; their keys
/// are held until then.
///
/// If there is more than one batch, it ends at the last key that meets the filter at the beginning.
///
/// Each row that meets the filter is written once, even if the update makes the filter false. A row that another
/// transaction adds, or brings into the filter, meanwhile may be written or not; if it is written, it is announced.
///
/// # Costs
///
/// A batch takes two statements: one that reads its keys, and one that writes its rows. How it is known which rows the
/// second one writes depends on the database:
///
/// - MariaDB and MySQL: the rows of a batch are locked before they are written.
/// - PostgreSQL: the same in the first batch. From the second on, rows are not locked first: the statement returns
///   what it wrote. It waits for a lock for 50 ms at most; if it would have to wait longer, or if another transaction
///   has meanwhile taken a row of the batch out of the filter, the batch is rolled back and repeated, and this batch
///   and all later ones lock their rows in the order of their keys. So two walks do not end in a deadlock, and a
///   closure's expressions may be evaluated twice for the rows of one batch. Locked in every batch are: rows of a
///   table with triggers, rules, generated columns, partitions or heirs, unless the key is
///   [exact](Streamed::has_exact_key) or the rows are deleted; rows of an entity with parents; rows in an open
///   transaction. One query of the catalogue finds that out after the first batch.
/// - SQLite: no other transaction writes within one that writes, so nothing is returned. Integer and text keys of one
///   column are read as one text. The statement returns its rows, which takes several times as long, if the database
///   has a trigger, if the entity is a view or in an attached database, if the key is a generated column or set by a
///   foreign key, if the update sets a column that the entity does not have, or if the filter has a subquery or a
///   function other than the usual ones (`lower`, `coalesce`, …; not `random` or `datetime`). One query of the schema
///   finds that out in the first batch.
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
/// otherwise the update is refused with [`BulkError::RenamedKeys`](crate::BulkError::RenamedKeys). The classic form
/// works on every database: name both keys of each row, `producer.bulk_keys(&db, [old, new], …)`.
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
    /// [`BulkError`](crate::BulkError) says. The failed batch is rolled back; those before it stay, and are announced.
    pub async fn update_many<D, S>(self, db: &D, set: S) -> Result<u64, DbErr>
    where
        D: ConnectionTrait + TransactionTrait,
        S: FnOnce(UpdateMany<E>) -> UpdateMany<E>,
    {
        let update = Update::new(set)?;
        if !update.renames {
            let (is_announced, is_of_entity) = (update.is_announced, update.is_of_entity);
            return self.each_batch(db, &Write { of: |these| update.of(these), is_announced, is_of_entity }).await;
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
        let of = |these| E::delete_many().filter(these).into_query();
        self.each_batch(db, &Write { of, is_announced: true, is_of_entity: true }).await
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
