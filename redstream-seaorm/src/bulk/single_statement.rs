//! Updates and deletes by one statement, which returns what it wrote.

use sea_orm::sea_query::{DeleteStatement, UpdateStatement};
use sea_orm::{ConnectionTrait, DbBackend, DbErr, QueryFilter, QueryTrait, TransactionTrait, UpdateMany};

use super::batch::{begin, finish, follow, follow_parents, messages};
use super::error::BulkError;
use super::page::{check_table_of_times, kept, key_chunks, page};
use super::query::Bulk;
use super::returning::{Returned, Row, gives_back, returning};
use super::update::Update;
use crate::entity::key::Key;
use crate::entity::key_order::KeyOrder;
use crate::entity::key_query::is_one_of;
use crate::entity::parents;
use crate::entity::streamed::{Streamed, table};
use crate::unit_of_work::UnitOfWork;

impl<E: Streamed> Bulk<E> {
    /// Updates the rows in one transaction, and returns them as they are now. All are held in memory at once. It is one
    /// statement; on PostgreSQL the keys are read and locked first, unless the key is `exact_key`, since a trigger may
    /// give the rows new ones.
    ///
    /// # Errors
    ///
    /// As [`update_many`](Self::update_many), and with [`BulkError::NoReturning`] if the database has no `UPDATE …
    /// RETURNING`.
    ///
    /// # Example
    /// `UPDATE … RETURNING`.
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
    /// let cities: Vec<city::Model> = Bulk::<city::Entity>::new()
    ///     .filter(city::Column::Country.eq("DD"))
    ///     .update_returning(&db, |update| update.col_expr(city::Column::Country, Expr::value("DE")))
    ///     .await?;
    /// # Ok(()) }
    /// ```
    pub async fn update_returning<D, S>(self, db: &D, set: S) -> Result<Vec<E::Model>, DbErr>
    where
        D: ConnectionTrait + TransactionTrait,
        S: FnOnce(UpdateMany<E>) -> UpdateMany<E>,
    {
        let update = Update::new(set)?;
        if !gives_back::<UpdateStatement>(db) {
            let (verb, instead) = ("an UPDATE", "update_many");
            return Err(BulkError::NoReturning { table: table::<E>(), verb, instead }.into());
        }
        let rows = self.update_at_once::<Row<E>, D>(db, &update).await?;
        Ok(rows.into_iter().map(|Row(model)| model).collect())
    }

    /// Deletes the rows by one statement in one transaction, and returns them as they were. All are held in memory at
    /// once.
    ///
    /// # Errors
    ///
    /// As [`delete_many`](Self::delete_many), and with [`BulkError::NoReturning`] if the database has no `DELETE …
    /// RETURNING`.
    pub async fn delete_returning<D>(self, db: &D) -> Result<Vec<E::Model>, DbErr>
    where
        D: ConnectionTrait + TransactionTrait,
    {
        if !gives_back::<DeleteStatement>(db) {
            let (verb, instead) = ("a DELETE", "delete_many");
            return Err(BulkError::NoReturning { table: table::<E>(), verb, instead }.into());
        }
        let (transaction, unit) = begin::<E, D>(db).await?;
        let outcome = self.delete(&transaction, &unit).await;
        let rows: Vec<Row<E>> = finish(transaction, outcome).await?;
        self.report(rows.len() as u64, rows.is_empty());
        Ok(rows.into_iter().map(|Row(model)| model).collect())
    }

    async fn delete<T: ConnectionTrait>(&self, transaction: &T, unit: &UnitOfWork) -> Result<Vec<Row<E>>, DbErr> {
        if !parents::are_known::<E>() {
            // The times in the keys of deleted rows cannot be looked up afterwards.
            check_table_of_times::<E, _>(transaction).await?;
            let delete = E::delete_many().filter(self.condition.clone()).into_query();
            let rows: Vec<Row<E>> = returning(transaction, delete).await?;
            follow_rows(unit, &rows)?;
            return Ok(rows);
        }
        // Found and locked first: the parents of deleted rows cannot be looked up afterwards.
        let keys: Vec<Key<E>> = page(transaction, self.condition.clone(), &KeyOrder::default(), None, None).await?;
        follow_parents(transaction, unit, &keys).await?;
        let mut rows = Vec::with_capacity(keys.len());
        for keys in key_chunks(&keys) {
            rows.extend(returning(transaction, E::delete_many().filter(is_one_of(keys)).into_query()).await?);
        }
        follow_rows(unit, &rows)?;
        Ok(rows)
    }

    /// Updates all rows in one transaction, whatever the batch size.
    pub(super) async fn update_at_once<R, D>(&self, db: &D, update: &Update<E>) -> Result<Vec<R>, DbErr>
    where
        R: Returned<Entity = E>,
        D: ConnectionTrait + TransactionTrait,
    {
        self.check()?;
        if !gives_back::<UpdateStatement>(db) {
            return Err(BulkError::RenamedKeys { table: table::<E>() }.into());
        }
        let (transaction, unit) = begin::<E, D>(db).await?;
        // A trigger of PostgreSQL may give the rows new keys, and RETURNING only returns the new ones.
        let may_rename = db.get_database_backend() == DbBackend::Postgres && !E::has_exact_key();
        let reads_first = update.renames || (update.is_announced && (may_rename || parents::are_known::<E>()));
        let outcome = if reads_first {
            self.rename(&transaction, &unit, update).await
        } else {
            self.update(&transaction, &unit, update).await
        };
        let rows = finish(transaction, outcome).await?;
        self.report(rows.len() as u64, rows.is_empty());
        Ok(rows)
    }

    async fn update<R, T>(&self, transaction: &T, unit: &UnitOfWork, update: &Update<E>) -> Result<Vec<R>, DbErr>
    where
        R: Returned<Entity = E>,
        T: ConnectionTrait,
    {
        let rows = returning(transaction, update.of(self.condition.clone())).await?;
        if update.is_announced {
            follow_written(transaction, unit, &rows).await?;
        }
        Ok(rows)
    }

    /// The old keys and the old parents are read first; the new ones are returned.
    async fn rename<R, T>(&self, transaction: &T, unit: &UnitOfWork, update: &Update<E>) -> Result<Vec<R>, DbErr>
    where
        R: Returned<Entity = E>,
        T: ConnectionTrait,
    {
        let old: Vec<Key<E>> = page(transaction, self.condition.clone(), &KeyOrder::default(), None, None).await?;
        follow_parents(transaction, unit, &old).await?;
        follow(unit, messages(&old)?)?;
        let mut rows = Vec::with_capacity(old.len());
        for old in key_chunks(&old) {
            rows.extend(returning(transaction, update.of(is_one_of(old))).await?);
        }
        follow_written(transaction, unit, &rows).await?;
        Ok(rows)
    }
}

async fn follow_written<R, T>(transaction: &T, unit: &UnitOfWork, rows: &[R]) -> Result<(), DbErr>
where
    R: Returned<Entity: Streamed>,
    T: ConnectionTrait,
{
    let keys = rows.iter().map(R::key).collect();
    let keys = kept(transaction, keys).await?;
    follow_parents(transaction, unit, &keys).await?;
    Ok(follow(unit, messages(&keys)?)?)
}

fn follow_rows<R: Returned<Entity: Streamed>>(unit: &UnitOfWork, rows: &[R]) -> Result<(), DbErr> {
    let keys: Vec<_> = rows.iter().map(R::key).collect();
    Ok(follow(unit, messages(&keys)?)?)
}
