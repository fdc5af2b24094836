//! The query form: finds its keys itself, batch by batch.

use std::fmt;
use std::marker::PhantomData;

use sea_orm::sea_query::{Condition, IntoCondition};
use sea_orm::{ConnectionTrait, DbErr, QueryFilter, QueryTrait, StatementBuilder, TransactionTrait, UpdateMany};

use super::page::page;
use super::{begin, finish, follow, messages};
use crate::keyset::{is_one_of, keys_a_statement};
use crate::scope::Scope;
use crate::{Key, Streamed};

const BATCH_SIZE: u64 = 1000;

/// An update or delete of many rows, by a filter: the query form of a bulk operation.
///
/// It goes through the rows in the order of their keys, batch by batch. A batch is a transaction of its own (a savepoint
/// where it runs within a transaction): it reads and locks the next keys that meet the filter, insures them, writes
/// their rows, commits, and announces them. So locks are short, any number of rows takes the memory of one batch, and what
/// one batch did stays when a later one fails; run it again to go on.
///
/// Within an open transaction all of it commits, and is announced, with that transaction or not at all; its keys are held
/// until then.
///
/// Each row that meets the filter is written once, also where the update makes the filter false. A row that
/// another transaction adds meanwhile may be visited or not. Primary keys must not change.
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
#[must_use = "it does nothing until `update_many` or `delete_many`"]
pub struct Bulk<E> {
    condition: Condition,
    batch_size: u64,
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

    /// How many rows a transaction writes. Default: 1000. Zero is an error. Where a statement cannot name so many
    /// keys, a batch takes several.
    pub fn batch_size(mut self, rows: u64) -> Self {
        self.batch_size = rows;
        self
    }

    /// Called after each batch with the number of rows written so far. Within an open transaction they are not committed yet.
    pub fn on_progress(mut self, report: impl Fn(u64) + Send + Sync + 'static) -> Self {
        self.on_progress = Some(Box::new(report));
        self
    }

    /// Updates the rows: `set` is given an `UPDATE` of a batch's rows and adds what to set. It is called once a statement.
    /// Returns how many rows were updated; those that already had the new values count.
    ///
    /// Errors where the database does, where a batch cannot be insured, with a connection that is not streamed,
    /// with a batch size of zero, and where `set` sets nothing. The failed batch is rolled back.
    pub async fn update_many<D, S>(self, db: &D, set: S) -> Result<u64, DbErr>
    where
        D: ConnectionTrait + TransactionTrait,
        S: Fn(UpdateMany<E>) -> UpdateMany<E>,
    {
        self.each_batch(db, |these| {
            let update = set(E::update_many()).filter(these).into_query();
            if update.get_values().is_empty() {
                return Err(DbErr::Custom("redstream: a bulk update that sets nothing".to_owned()));
            }
            Ok(update)
        })
        .await
    }

    /// Deletes the rows. Returns how many. Errors as [`update_many`](Self::update_many).
    pub async fn delete_many<D>(self, db: &D) -> Result<u64, DbErr>
    where
        D: ConnectionTrait + TransactionTrait,
    {
        self.each_batch(db, |these| Ok(E::delete_many().filter(these).into_query())).await
    }

    /// `statement` writes the rows of these keys.
    async fn each_batch<D, S>(&self, db: &D, statement: impl Fn(Condition) -> Result<S, DbErr>) -> Result<u64, DbErr>
    where
        D: ConnectionTrait + TransactionTrait,
        S: StatementBuilder,
    {
        if self.batch_size == 0 {
            return Err(DbErr::Custom("redstream: the batch size of a bulk operation must be at least 1".to_owned()));
        }
        let (mut rows, mut after) = (0, None);
        loop {
            let (transaction, scope) = begin::<E, D>(db).await?;
            let outcome = self.batch(&transaction, &scope, after.as_ref(), &statement).await;
            let (keys, written) = finish(transaction, outcome).await?;
            rows += written;
            if let Some(report) = self.on_progress.as_ref().filter(|_| !keys.is_empty()) {
                report(rows);
            }
            // A row that no longer met the filter once it was locked has been made up for by the next, so a short
            // page is the last.
            if (keys.len() as u64) < self.batch_size {
                return Ok(rows);
            }
            after = keys.into_iter().next_back();
        }
    }

    /// The next keys, and how many of their rows were written.
    async fn batch<T, S>(
        &self,
        transaction: &T,
        scope: &Scope,
        after: Option<&Key<E>>,
        statement: impl Fn(Condition) -> Result<S, DbErr>,
    ) -> Result<(Vec<Key<E>>, u64), DbErr>
    where
        T: ConnectionTrait,
        S: StatementBuilder,
    {
        let keys = page(transaction, self.condition.clone(), after, self.batch_size).await?;
        follow(scope, messages(&keys)?)?;
        let mut rows = 0;
        for keys in keys.chunks(keys_a_statement::<E>()) {
            rows += transaction.execute(&statement(is_one_of(keys))?).await?.rows_affected();
        }
        Ok((keys, rows))
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
