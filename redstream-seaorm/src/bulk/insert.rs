//! Inserts and upserts of many rows.

use sea_orm::sea_query::{InsertStatement, OnConflict};
use sea_orm::{ConnectionTrait, DbErr, IntoActiveModel, TransactionTrait};

use super::batch::{begin, finish};
use super::conflict::Conflict;
use super::error::BulkError;
use super::query::Bulk;
use super::returning::{Row, gives_back};
use super::rows::{insert_all, insert_batch};
use crate::entity::parents;
use crate::entity::streamed::{Streamed, table};
use crate::hooks::lookup::target;

impl<E: Streamed> Bulk<E> {
    /// Inserts these rows. Returns how many.
    ///
    /// The models are taken from the iterator a batch at a time, and each batch is a transaction of its own. Keys that
    /// are set are insured while the statement runs. Keys that the database generates are read with RETURNING; without
    /// it each of these rows takes a statement of its own. Either way they are insured before the commit. As in
    /// SeaORM's own `insert_many`, a field that is set in one model and not in another is NULL there, and no hook of
    /// the models runs.
    ///
    /// # Errors
    ///
    /// If the database returns one, if a batch cannot be insured, if the connection is not streamed, and as
    /// [`BulkError`] says. The failed batch is rolled back; those before it stay, and are announced.
    ///
    /// # Example
    ///
    /// ```no_run
    /// # mod city {
    /// #     use redstream_seaorm::Streamed;
    /// #     use sea_orm::entity::prelude::*;
    /// #     #[derive(Clone, Debug, PartialEq, DeriveEntityModel, Streamed)]
    /// #     #[sea_orm(table_name = "cities")]
    /// #     pub struct Model { #[sea_orm(primary_key)] pub id: i64, pub name: String }
    /// #     #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    /// #     pub enum Relation {}
    /// # }
    /// use redstream_seaorm::{Bulk, StreamedConnection};
    /// use sea_orm::Set;
    ///
    /// # async fn example(db: StreamedConnection, lines: impl Iterator<Item = String>) -> Result<(), sea_orm::DbErr> {
    /// let cities = lines.map(|name| city::ActiveModel { name: Set(name), ..Default::default() });
    /// let inserted = Bulk::<city::Entity>::new().insert_many(&db, cities).await?;
    /// # Ok(()) }
    /// ```
    pub async fn insert_many<D, M, I>(self, db: &D, models: I) -> Result<u64, DbErr>
    where
        D: ConnectionTrait + TransactionTrait,
        M: IntoActiveModel<E::ActiveModel>,
        I: IntoIterator<Item = M>,
    {
        self.insert(db, models, None).await
    }

    /// Inserts these rows, or updates those that are there, as `on_conflict` says. Returns how many rows were written,
    /// as far as the database reports: without RETURNING every model counts.
    ///
    /// Otherwise like [`insert_many`](Self::insert_many). A conflict in a unique index other than the primary key
    /// updates a row with another key than the model's: RETURNING returns its key, and that row is announced. Without
    /// RETURNING (`MySQL`, and `MariaDB` without SeaORM's feature for it), an upsert that updates is refused unless its
    /// target is the primary key and every key is set; there, a conflict in another index fails the batch. On a
    /// conflict no column of the primary key may be set.
    ///
    /// # Errors
    ///
    /// As [`insert_many`](Self::insert_many), and if the upsert is refused for one of the reasons above.
    ///
    /// # Example
    ///
    /// ```no_run
    /// # mod city {
    /// #     use redstream_seaorm::Streamed;
    /// #     use sea_orm::entity::prelude::*;
    /// #     #[derive(Clone, Debug, PartialEq, DeriveEntityModel, Streamed)]
    /// #     #[sea_orm(table_name = "cities")]
    /// #     pub struct Model { #[sea_orm(primary_key)] pub id: i64, pub name: String }
    /// #     #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    /// #     pub enum Relation {}
    /// # }
    /// use redstream_seaorm::{Bulk, StreamedConnection};
    /// use sea_orm::sea_query::OnConflict;
    ///
    /// # async fn example(db: StreamedConnection, cities: Vec<city::Model>) -> Result<(), sea_orm::DbErr> {
    /// let on_conflict = OnConflict::column(city::Column::Id).update_column(city::Column::Name).to_owned();
    /// let written = Bulk::<city::Entity>::new().upsert_many(&db, cities, on_conflict).await?;
    /// # Ok(()) }
    /// ```
    pub async fn upsert_many<D, M, I>(self, db: &D, models: I, on_conflict: OnConflict) -> Result<u64, DbErr>
    where
        D: ConnectionTrait + TransactionTrait,
        M: IntoActiveModel<E::ActiveModel>,
        I: IntoIterator<Item = M>,
    {
        let conflict = Conflict::new::<E>(on_conflict, db)?;
        if !conflict.does_nothing && !conflict.is_in_key && parents::are_known::<E>() {
            return Err(BulkError::UnknownParents { table: table::<E>() }.into());
        }
        self.insert(db, models, Some(&conflict)).await
    }

    /// Inserts these rows in one transaction, and returns them as the database has them; rows of models without a key
    /// come last. All are held in memory at once.
    ///
    /// # Errors
    ///
    /// As [`insert_many`](Self::insert_many), and with [`BulkError::NoReturning`] if the database has no `INSERT …
    /// RETURNING`.
    pub async fn insert_returning<D, M, I>(self, db: &D, models: I) -> Result<Vec<E::Model>, DbErr>
    where
        D: ConnectionTrait + TransactionTrait,
        M: IntoActiveModel<E::ActiveModel>,
        I: IntoIterator<Item = M>,
    {
        self.may_insert::<D>(db)?;
        if !gives_back::<InsertStatement>(db) {
            let (verb, instead) = ("an INSERT", "insert_many");
            return Err(BulkError::NoReturning { table: table::<E>(), verb, instead }.into());
        }
        let models = models.into_iter().map(IntoActiveModel::into_active_model).collect();
        let (transaction, unit) = begin::<E, D>(db).await?;
        let outcome = insert_all::<E, _>(&transaction, &unit, models).await;
        let rows = finish(transaction, outcome).await?;
        self.report(rows.len() as u64, rows.is_empty());
        Ok(rows.into_iter().map(|Row(model)| model).collect())
    }

    async fn insert<D, M, I>(&self, db: &D, models: I, conflict: Option<&Conflict>) -> Result<u64, DbErr>
    where
        D: ConnectionTrait + TransactionTrait,
        M: IntoActiveModel<E::ActiveModel>,
        I: IntoIterator<Item = M>,
    {
        self.may_insert::<D>(db)?;
        let mut models = models.into_iter().map(IntoActiveModel::into_active_model);
        let mut rows = 0;
        loop {
            let batch: Vec<_> = models.by_ref().take(usize::try_from(self.batch_size).unwrap_or(usize::MAX)).collect();
            if batch.is_empty() {
                return Ok(rows);
            }
            let (transaction, unit) = begin::<E, D>(db).await?;
            let outcome = insert_batch::<E, _>(&transaction, &unit, batch, conflict).await;
            rows += finish(transaction, outcome).await?;
            self.report(rows, false);
        }
    }

    fn may_insert<D: ConnectionTrait>(&self, db: &D) -> Result<(), DbErr> {
        // Without models no transaction is begun that would return these errors.
        target::<E, D>(db)?;
        if !self.condition.is_empty() {
            return Err(BulkError::FilteredInsert { table: table::<E>() }.into());
        }
        Ok(self.check()?)
    }
}
