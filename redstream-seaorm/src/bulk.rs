//! Bulk operations: `update_many`, `delete_many`, `insert_many` and raw SQL run no hooks, so the caller names the keys.
//!
//! There are two forms. [`BulkExt::bulk`] is the classic one: the records are loaded already, and a closure writes
//! them. [`Bulk`] is the query form: it finds the keys itself, batch by batch, and never holds them all. It also
//! inserts many rows.
//!
//! In both forms a batch is one transaction: begin, pass the keys to the insurance, write while the delay messages are
//! in flight, commit once they are acknowledged, announce.
//!
//! May use `hooks`, `unit_of_work`, `entity`, `fault` and `error`.

mod batch;
mod conflict;
mod error;
mod filter;
mod insert;
mod key_list;
mod named;
mod on_connection;
mod page;
mod query;
mod returning;
mod rows;
mod single_statement;
mod strategy;
mod update;
mod walk;
mod write_page;

use redstream_core::Producer;
use sea_orm::{ConnectionTrait, DbErr, ModelTrait, TransactionTrait};

use self::batch::{begin, finish, follow_parents};
pub use self::error::BulkError;
use self::named::BatchKeys;
pub(crate) use self::page::check_times;
pub use self::query::Bulk;
use crate::entity::key::Key;
use crate::entity::streamed::Streamed;
use crate::error::Error;
use crate::hooks::lookup::target;
use crate::unit_of_work::UnitOfWork;

/// `producer.bulk(…)`: the classic form of a bulk operation.
///
/// Implemented for [`Producer`] alone.
pub trait BulkExt: sealed::Sealed {
    /// Runs `write` in a transaction (a savepoint if `db` is a transaction), insures `records` before its commit and
    /// announces them after it.
    ///
    /// The records are those that `write` changes or deletes. It may do so by any statement, with or without hooks.
    /// Their delay messages are in flight while it runs, and the commit waits for them. A record that is announced
    /// without having changed does no harm; a record that was changed and is not in `records` is missed. `write` runs
    /// even if there are no records.
    ///
    /// What `write` sets is not inspected: the records are announced even if it sets no [watched](Streamed::is_watched)
    /// column.
    ///
    /// If the database may have other keys than the records say (see [`Streamed::has_exact_key`]), the keys of their
    /// rows are read before and after `write`, and these are announced.
    ///
    /// The [parents](Streamed::parents) that the records have before `write` and those that they have after it are
    /// announced, too.
    ///
    /// A row that `write` gives another primary key has two keys to announce: the old one, which has no row any more,
    /// and the new one. [`bulk_keys`](Self::bulk_keys) takes both.
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
    /// use city::Entity as Cities;
    /// use redstream_seaorm::{BulkExt, Redstream, StreamedConnection};
    /// use sea_orm::sea_query::Expr;
    /// use sea_orm::{ColumnTrait, EntityTrait, QueryFilter};
    ///
    /// # async fn example(redstream: Redstream, db: StreamedConnection) -> Result<(), sea_orm::DbErr> {
    /// let found = Cities::find().filter(city::Column::Country.eq("DD")).all(&db).await?;
    /// let updated = redstream
    ///     .producer()
    ///     .bulk(&db, &found, async |txn| {
    ///         Cities::update_many()
    ///             .col_expr(city::Column::Country, Expr::value("DE"))
    ///             .filter(city::Column::Id.is_in(found.iter().map(|city| city.id)))
    ///             .exec(txn)
    ///             .await
    ///     })
    ///     .await?;
    /// println!("{} cities", updated.rows_affected);
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    ///
    /// Each error comes after a rollback, and nothing is announced:
    /// - what `write` returns;
    /// - [`Error::NotInsured`] if a delay message was not written;
    /// - [`BulkError::UnknownRow`] if `write` inserted or updated rows, and a named record whose key is not exact has
    ///   none;
    /// - [`Error::OtherRedis`] if this producer and the one of `db` come from different handles;
    /// - [`Error::Untracked`] if `db` is not streamed.
    ///
    /// The adapter's own errors come as a [`DbErr`], from which the closure's error type must be convertible.
    fn bulk<M, D, F, R, X>(&self, db: &D, records: &[M], write: F) -> impl Future<Output = Result<R, X>>
    where
        M: ModelTrait,
        M::Entity: Streamed,
        D: ConnectionTrait + TransactionTrait,
        F: AsyncFnOnce(&D::Transaction) -> Result<R, X>,
        X: From<DbErr>;

    /// [`bulk`](Self::bulk) for callers who have the keys and not the models.
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
    /// use redstream_seaorm::{BulkExt, Key, Redstream, StreamedConnection};
    /// use sea_orm::ConnectionTrait;
    ///
    /// # async fn example(redstream: Redstream, db: StreamedConnection) -> Result<(), sea_orm::DbErr> {
    /// let keys = [1, 2, 3].map(Key::<city::Entity>::new);
    /// redstream
    ///     .producer()
    ///     .bulk_keys(&db, keys, async |txn| {
    ///         txn.execute_unprepared("UPDATE cities SET country = 'DE' WHERE id IN (1, 2, 3)").await
    ///     })
    ///     .await?;
    /// # Ok(()) }
    /// ```
    fn bulk_keys<E, D, F, R, X>(
        &self,
        db: &D,
        keys: impl IntoIterator<Item = Key<E>>,
        write: F,
    ) -> impl Future<Output = Result<R, X>>
    where
        E: Streamed,
        D: ConnectionTrait + TransactionTrait,
        F: AsyncFnOnce(&D::Transaction) -> Result<R, X>,
        X: From<DbErr>;
}

impl BulkExt for Producer {
    fn bulk<M, D, F, R, X>(&self, db: &D, records: &[M], write: F) -> impl Future<Output = Result<R, X>>
    where
        M: ModelTrait,
        M::Entity: Streamed,
        D: ConnectionTrait + TransactionTrait,
        F: AsyncFnOnce(&D::Transaction) -> Result<R, X>,
        X: From<DbErr>,
    {
        // Built outside the future, so that the future is `Send` whatever the records are.
        let keys = records.iter().map(Key::of).collect();
        run::<M::Entity, _, _, _, _>(self, db, keys, write)
    }

    fn bulk_keys<E, D, F, R, X>(
        &self,
        db: &D,
        keys: impl IntoIterator<Item = Key<E>>,
        write: F,
    ) -> impl Future<Output = Result<R, X>>
    where
        E: Streamed,
        D: ConnectionTrait + TransactionTrait,
        F: AsyncFnOnce(&D::Transaction) -> Result<R, X>,
        X: From<DbErr>,
    {
        let keys = keys.into_iter().collect();
        run::<E, _, _, _, _>(self, db, keys, write)
    }
}

/// The producer and the connection must belong to one handle.
async fn run<E, D, F, R, X>(producer: &Producer, db: &D, keys: Vec<Key<E>>, write: F) -> Result<R, X>
where
    E: Streamed,
    D: ConnectionTrait + TransactionTrait,
    F: AsyncFnOnce(&D::Transaction) -> Result<R, X>,
    X: From<DbErr>,
{
    if !target::<E, D>(db).map_err(DbErr::from)?.shared().producer.same_redis(producer) {
        return Err(DbErr::from(Error::OtherRedis).into());
    }
    write_in_transaction(db, keys, write).await
}

async fn write_in_transaction<E, D, F, R, X>(db: &D, keys: Vec<Key<E>>, write: F) -> Result<R, X>
where
    E: Streamed,
    D: ConnectionTrait + TransactionTrait,
    F: AsyncFnOnce(&D::Transaction) -> Result<R, X>,
    X: From<DbErr>,
{
    let (transaction, unit) = begin::<E, D>(db).await?;
    let outcome = write_named(&transaction, &unit, keys, write).await;
    finish(transaction, outcome).await
}

async fn write_named<E, T, F, R, X>(transaction: &T, unit: &UnitOfWork, keys: Vec<Key<E>>, write: F) -> Result<R, X>
where
    E: Streamed,
    T: ConnectionTrait,
    F: AsyncFnOnce(&T) -> Result<R, X>,
    X: From<DbErr>,
{
    follow_parents(transaction, unit, &keys).await?;
    let named = BatchKeys::insure(transaction, unit, keys.clone()).await?;
    let value = write(transaction).await?;
    follow_parents(transaction, unit, &keys).await?;
    named.announce(transaction, unit).await?;
    Ok(value)
}

mod sealed {
    pub trait Sealed {}
    impl Sealed for redstream_core::Producer {}
}
