//! Inserts and upserts of many rows.

use std::collections::HashSet;

use sea_orm::sea_query::{InsertStatement, IntoValueTuple, OnConflict};
use sea_orm::{
    ActiveModelTrait, ConnectionTrait, DbBackend, DbErr, EntityTrait, Insert, IntoActiveModel, Iterable,
    PrimaryKeyTrait, QueryTrait, TransactionTrait, TryFromU64,
};

use super::conflict::Conflict;
use super::page::present;
use super::returning::{Returned, Row, gives_back, returning};
use super::{Bulk, BulkError, begin, finish, follow, messages};
use crate::hooks::tracked;
use crate::scope::Scope;
use crate::streamed::table;
use crate::{Key, KeyOf, Streamed};

/// How many values one statement holds: below every database's limit of parameters, of which SQLite's is the lowest.
const VALUES_A_STATEMENT: usize = 30_000;

impl<E: Streamed> Bulk<E> {
    /// Inserts these rows. Returns how many.
    ///
    /// The models are taken from the iterator a batch at a time, and each batch is a transaction of its own. Keys that are
    /// set are insured while the statement runs. Keys that the database makes come back by RETURNING, where there is none
    /// each of these rows takes a statement; either way they are insured before the commit. As in SeaORM's own
    /// `insert_many`, a field that is set in one model and not in another is NULL there, and no hook of the models runs.
    ///
    /// Errors where the database does, where a batch cannot be insured, with a connection that is not streamed, and as
    /// [`BulkError`] says. The failed batch is rolled back; those before it stay, and are announced.
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

    /// Inserts these rows, or updates those that are there, as `on_conflict` says. Returns how many rows were written, as far
    /// as the database tells: without RETURNING every model counts.
    ///
    /// As [`insert_many`](Self::insert_many) otherwise. A conflict in a unique index other than the primary key updates a row of
    /// another key than the model's: RETURNING tells which, and that row is announced. Without RETURNING (`MySQL`, and
    /// `MariaDB` without SeaORM's feature for it), an upsert that updates is refused unless its target is the primary key and
    /// every key is set; there, a conflict elsewhere fails the batch. On a conflict no column of the primary
    /// key may be set.
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
        self.insert(db, models, Some(&conflict)).await
    }

    /// Inserts these rows in one transaction, and gives them back as the database has them, those of models without a key
    /// last. All are held at once.
    ///
    /// Errors as [`insert_many`](Self::insert_many), and with [`BulkError::NoReturning`] where the database has no
    /// `INSERT … RETURNING`.
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
        let (keyed, unkeyed) = by_key::<E>(models, db.get_database_backend());
        let (transaction, scope) = begin::<E, D>(db).await?;
        let writing = async {
            let mut rows: Vec<Row<E>> = Vec::new();
            for models in statements::<E>(keyed).chain(statements::<E>(unkeyed)) {
                rows.extend(insert_and_follow(&transaction, &scope, insertion::<E>(models, None)).await?);
            }
            Ok(rows)
        };
        let outcome: Result<_, DbErr> = writing.await;
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
            let (transaction, scope) = begin::<E, D>(db).await?;
            let outcome = insert_batch::<E, _>(&transaction, &scope, batch, conflict).await;
            rows += finish(transaction, outcome).await?;
            self.report(rows, false);
        }
    }

    fn may_insert<D: ConnectionTrait>(&self, db: &D) -> Result<(), DbErr> {
        // Where there are no models, nothing is begun that would tell.
        tracked::<E, D>(db)?;
        if !self.condition.is_empty() {
            return Err(BulkError::FilteredInsert { table: table::<E>() }.into());
        }
        Ok(self.check()?)
    }
}

/// How many rows it wrote.
async fn insert_batch<E, T>(
    transaction: &T,
    scope: &Scope,
    models: Vec<E::ActiveModel>,
    conflict: Option<&Conflict>,
) -> Result<u64, DbErr>
where
    E: Streamed,
    T: ConnectionTrait,
{
    let (keyed, unkeyed) = by_key::<E>(models, transaction.get_database_backend());
    let gives_back = gives_back::<InsertStatement>(transaction);
    let updates = conflict.is_some_and(|conflict| !conflict.does_nothing);
    if !gives_back && !unkeyed.is_empty() {
        if updates {
            return Err(BulkError::UnknownConflict { table: table::<E>() }.into());
        }
        if !E::PrimaryKey::auto_increment() {
            return Err(BulkError::UnknownKey { table: table::<E>() }.into());
        }
    }
    let mut rows = 0;
    for models in statements::<E>(keyed) {
        let keys = keys::<E>(&models);
        let written = models.len() as u64;
        let insertion = insertion::<E>(models, conflict);
        rows += match conflict {
            None => {
                follow(scope, messages(&keys)?)?;
                transaction.execute(&insertion).await?.rows_affected()
            }
            Some(conflict) if gives_back => {
                if conflict.is_in_key {
                    scope.insure(messages(&keys)?)?;
                }
                insert_and_follow::<Key<E>, _>(transaction, scope, insertion).await?.len() as u64
            }
            Some(_) => {
                follow(scope, messages(&keys)?)?;
                transaction.execute(&insertion).await?;
                if updates {
                    none_elsewhere(transaction, &keys).await?;
                }
                written
            }
        };
    }
    for models in statements::<E>(unkeyed) {
        if gives_back {
            let insertion = insertion::<E>(models, conflict);
            rows += insert_and_follow::<Key<E>, _>(transaction, scope, insertion).await?.len() as u64;
            continue;
        }
        for model in models {
            let key = insert_one::<E, _>(transaction, model, conflict).await?;
            rows += u64::from(key.is_some());
            follow(scope, messages(key.as_slice())?)?;
        }
    }
    Ok(rows)
}

/// Runs it, and follows what it gives back.
async fn insert_and_follow<R, T>(transaction: &T, scope: &Scope, insertion: InsertStatement) -> Result<Vec<R>, DbErr>
where
    R: Returned<Entity: Streamed>,
    T: ConnectionTrait,
{
    let rows: Vec<R> = returning(transaction, insertion).await?;
    let keys: Vec<_> = rows.iter().map(R::key).collect();
    follow(scope, messages(&keys)?)?;
    Ok(rows)
}

/// The key that the database made, where it inserted a row.
async fn insert_one<E, T>(
    transaction: &T,
    model: E::ActiveModel,
    conflict: Option<&Conflict>,
) -> Result<Option<Key<E>>, DbErr>
where
    E: Streamed,
    T: ConnectionTrait,
{
    let mut insertion = Insert::one(model).into_query();
    if let Some(conflict) = conflict {
        insertion.on_conflict(conflict.clause.clone());
    }
    let done = transaction.execute(&insertion).await?;
    if done.rows_affected() == 0 || (conflict.is_some() && done.last_insert_id() == 0) {
        return Ok(None);
    }
    let key = KeyOf::<E>::try_from_u64(done.last_insert_id());
    let key = key.map_err(|_| BulkError::UnknownKey { table: table::<E>() })?;
    Ok(Some(Key::from_values(key.into_value_tuple())))
}

/// `MySQL` takes any unique index for the target. A model whose key is not there afterwards updated a row of another.
async fn none_elsewhere<E, T>(transaction: &T, keys: &[Key<E>]) -> Result<(), DbErr>
where
    E: Streamed,
    T: ConnectionTrait,
{
    if transaction.get_database_backend() != DbBackend::MySql {
        return Ok(());
    }
    let wanted: HashSet<_> = keys.iter().map(Key::values).collect();
    if present(transaction, keys).await? < wanted.len() {
        return Err(BulkError::ConflictElsewhere { table: table::<E>() }.into());
    }
    Ok(())
}

fn insertion<E: EntityTrait>(models: Vec<E::ActiveModel>, conflict: Option<&Conflict>) -> InsertStatement {
    let mut insertion = Insert::<E::ActiveModel>::many(models).into_query();
    if let Some(conflict) = conflict {
        insertion.on_conflict(conflict.clause.clone());
    }
    insertion
}

/// Those whose key is set, and those whose key the database makes: in one statement these would set it to NULL.
fn by_key<E: Streamed>(models: Vec<E::ActiveModel>, backend: DbBackend) -> (Vec<E::ActiveModel>, Vec<E::ActiveModel>) {
    models.into_iter().partition(|model| {
        model.get_primary_key_value().is_some_and(|key| !is_wish::<E>(&Key::from_values(key), backend))
    })
}

/// Whether the database takes this key as a wish for one of its own, as `MySQL` and `MariaDB` take an `AUTO_INCREMENT` of 0.
fn is_wish<E: Streamed>(key: &Key<E>, backend: DbBackend) -> bool {
    let is_zero = || serde_json::to_value(key.value()).is_ok_and(|key| key == 0);
    backend == DbBackend::MySql && E::PrimaryKey::auto_increment() && is_zero()
}

fn keys<E: EntityTrait>(models: &[E::ActiveModel]) -> Vec<Key<E>> {
    models.iter().filter_map(ActiveModelTrait::get_primary_key_value).map(Key::from_values).collect()
}

/// As many models at a time as a statement can hold.
fn statements<E: EntityTrait>(models: Vec<E::ActiveModel>) -> impl Iterator<Item = Vec<E::ActiveModel>> {
    let rows = (VALUES_A_STATEMENT / E::Column::iter().count().max(1)).max(1);
    let mut models = models.into_iter();
    std::iter::from_fn(move || Some(models.by_ref().take(rows).collect::<Vec<_>>()).filter(|models| !models.is_empty()))
}
