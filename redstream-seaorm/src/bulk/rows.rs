//! The rows of one batch of inserts: which keys are known beforehand, which are returned, and how.

use std::collections::HashSet;

use sea_orm::sea_query::{Condition, InsertStatement, IntoValueTuple};
use sea_orm::{
    ActiveModelTrait, ColumnTrait, ConnectionTrait, DbBackend, DbErr, EntityTrait, Insert, Iterable, PrimaryKeyTrait,
    QueryTrait, TryFromU64,
};

use super::batch::{follow, follow_parents, messages};
use super::conflict::Conflict;
use super::error::BulkError;
use super::page::{are_exact, check_zones, kept, page, present, stored_as};
use super::returning::{Returned, Row, gives_back, returning};
use crate::entity::key::{Key, KeyOf, has_zero};
use crate::entity::key_order::KeyOrder;
use crate::entity::key_query::keys_a_statement;
use crate::entity::parents;
use crate::entity::streamed::{Streamed, table};
use crate::unit_of_work::UnitOfWork;

/// How many values one statement holds: below every database's limit of parameters, of which SQLite's is the lowest.
const VALUES_A_STATEMENT: usize = 30_000;

/// How many models' conflicts one statement looks up.
const MODELS_A_LOOK_UP: usize = 400;

/// How many rows it wrote.
pub(super) async fn insert_batch<E, T>(
    transaction: &T,
    unit: &UnitOfWork,
    models: Vec<E::ActiveModel>,
    conflict: Option<&Conflict>,
) -> Result<u64, DbErr>
where
    E: Streamed,
    T: ConnectionTrait,
{
    let backend = transaction.get_database_backend();
    let (keyed, unkeyed) = by_key::<E>(models, backend);
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
        check_zones(&keys, backend)?;
        follow(unit, parents::of_models::<E>(&models)?.into_iter().collect())?;
        if updates {
            follow_parents(transaction, unit, &keys).await?;
        }
        let written = models.len() as u64;
        // The rows that are updated have the keys of the models, if the database compares them as Rust does.
        let is_known = updates && conflict.is_some_and(|conflict| conflict.is_in_key) && are_exact(&keys, backend);
        let met = if is_known { Vec::new() } else { met_keys::<E, _>(transaction, &models, conflict).await? };
        let insertion = insertion::<E>(models, conflict);
        rows += match conflict {
            None if gives_back && is_changeable::<E>(&keys, backend) => {
                unit.insure(messages(&keys)?)?;
                insert_and_follow::<Key<E>, _>(transaction, unit, insertion).await?.len() as u64
            }
            None => {
                unit.insure(messages(&keys)?)?;
                let written = transaction.execute(&insertion).await?.rows_affected();
                follow(unit, messages(&written_keys(transaction, keys).await?)?)?;
                written
            }
            Some(conflict) if gives_back => {
                if conflict.is_in_key {
                    unit.insure(messages(&keys)?)?;
                }
                let rows = insert_and_follow::<Key<E>, _>(transaction, unit, insertion).await?;
                let had = if is_known { keys } else { met };
                follow(unit, messages(&renamed(&had, &rows))?)?;
                rows.len() as u64
            }
            Some(_) => {
                unit.insure(messages(&keys)?)?;
                transaction.execute(&insertion).await?;
                let keys = if updates {
                    upserted_keys(transaction, keys).await?
                } else {
                    written_keys(transaction, keys).await?
                };
                follow(unit, messages(&keys)?)?;
                written
            }
        };
    }
    for models in statements::<E>(unkeyed) {
        follow(unit, parents::of_models::<E>(&models)?.into_iter().collect())?;
        if gives_back {
            let met = met_keys::<E, _>(transaction, &models, conflict).await?;
            let insertion = insertion::<E>(models, conflict);
            let written = insert_and_follow::<Key<E>, _>(transaction, unit, insertion).await?;
            follow(unit, messages(&renamed(&met, &written))?)?;
            rows += written.len() as u64;
            continue;
        }
        for model in models {
            let key = insert_one::<E, _>(transaction, model, conflict).await?;
            rows += u64::from(key.is_some());
            follow(unit, messages(key.as_slice())?)?;
        }
    }
    Ok(rows)
}

/// Inserts these rows, and returns them.
pub(super) async fn insert_all<E, T>(
    transaction: &T,
    unit: &UnitOfWork,
    models: Vec<E::ActiveModel>,
) -> Result<Vec<Row<E>>, DbErr>
where
    E: Streamed,
    T: ConnectionTrait,
{
    let (keyed, unkeyed) = by_key::<E>(models, transaction.get_database_backend());
    let mut rows = Vec::new();
    for models in statements::<E>(keyed).chain(statements::<E>(unkeyed)) {
        follow(unit, parents::of_models::<E>(&models)?.into_iter().collect())?;
        rows.extend(insert_and_follow::<Row<E>, _>(transaction, unit, insertion::<E>(models, None)).await?);
    }
    Ok(rows)
}

/// Runs it, and tracks the rows that it returns.
async fn insert_and_follow<R, T>(
    transaction: &T,
    unit: &UnitOfWork,
    insertion: InsertStatement,
) -> Result<Vec<R>, DbErr>
where
    R: Returned<Entity: Streamed>,
    T: ConnectionTrait,
{
    let rows: Vec<R> = returning(transaction, insertion).await?;
    let keys = rows.iter().map(R::key).collect();
    let keys = kept(transaction, keys).await?;
    follow(unit, messages(&keys)?)?;
    Ok(rows)
}

/// The key that the database made, if it inserted a row.
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

/// The keys of the rows that these models meet in the conflict's target: a trigger of PostgreSQL may give them new
/// ones, and RETURNING only returns the new ones.
async fn met_keys<E, T>(
    transaction: &T,
    models: &[E::ActiveModel],
    conflict: Option<&Conflict>,
) -> Result<Vec<Key<E>>, DbErr>
where
    E: Streamed,
    T: ConnectionTrait,
{
    let Some(conflict) = conflict.filter(|conflict| !conflict.does_nothing) else {
        return Ok(Vec::new());
    };
    let target = conflict.target::<E>();
    if target.is_empty() || transaction.get_database_backend() != DbBackend::Postgres || E::has_exact_key() {
        return Ok(Vec::new());
    }
    let mut met = Vec::new();
    for models in models.chunks(keys_a_statement::<E>().min(MODELS_A_LOOK_UP)) {
        let rows = models.iter().filter_map(|model| {
            let values = target.iter().map(|column| Some((column, model.get(*column).into_value()?)));
            let values: Option<Vec<_>> = values.collect();
            let equal = |all: Condition, (column, value): (&E::Column, _)| all.add(column.eq(value));
            Some(values?.into_iter().fold(Condition::all(), equal))
        });
        let rows = rows.fold(Condition::any(), Condition::add);
        if !rows.is_empty() {
            met.extend(page(transaction, rows, &KeyOrder::default(), None, None).await?);
        }
    }
    Ok(met)
}

/// Those of the former keys that none of the rows has now, if a new key has replaced them.
fn renamed<E: EntityTrait>(had: &[Key<E>], has: &[Key<E>]) -> Vec<Key<E>> {
    let known: HashSet<_> = had.iter().map(Key::values).collect();
    if has.iter().all(|key| known.contains(key.values())) {
        return Vec::new();
    }
    let has: HashSet<_> = has.iter().map(Key::values).collect();
    had.iter().filter(|key| !has.contains(key.values())).cloned().collect()
}

/// Whether rows that are inserted under such keys may come to have others, which the statement can return.
fn is_changeable<E: Streamed>(keys: &[Key<E>], backend: DbBackend) -> bool {
    // SQLite returns rows as they are before its triggers change them.
    if backend == DbBackend::Sqlite {
        return false;
    }
    // A trigger of PostgreSQL may change any row that is inserted.
    (backend == DbBackend::Postgres && !E::has_exact_key()) || !are_kept(keys, backend)
}

/// Whether rows that are inserted under such keys have them: `MySQL` and `MariaDB` replace a zero in a column that is
/// `AUTO_INCREMENT`.
fn are_kept<E: Streamed>(keys: &[Key<E>], backend: DbBackend) -> bool {
    are_exact(keys, backend) && !(backend == DbBackend::MySql && keys.iter().any(|key| has_zero(key.values())))
}

/// The keys that rows have now that were inserted under these keys. Errors if one of the rows is not found again.
async fn written_keys<E, T>(transaction: &T, keys: Vec<Key<E>>) -> Result<Vec<Key<E>>, DbErr>
where
    E: Streamed,
    T: ConnectionTrait,
{
    if are_kept(&keys, transaction.get_database_backend()) {
        return Ok(keys);
    }
    stored_as(transaction, &keys).await?.ok_or_else(|| BulkError::RewrittenKeys { table: table::<E>() }.into())
}

/// The same for an upsert: `MySQL` takes any unique index for the target, and a model whose key does not exist
/// afterwards updated a row with another key.
async fn upserted_keys<E, T>(transaction: &T, keys: Vec<Key<E>>) -> Result<Vec<Key<E>>, DbErr>
where
    E: Streamed,
    T: ConnectionTrait,
{
    let elsewhere = || BulkError::ConflictElsewhere { table: table::<E>() };
    let is_exact = are_exact(&keys, transaction.get_database_backend());
    let found = if is_exact {
        let wanted: HashSet<_> = keys.iter().map(Key::values).collect();
        let found = present(transaction, &keys).await?;
        (found.len() >= wanted.len()).then_some(found)
    } else {
        stored_as(transaction, &keys).await?
    };
    let found = found.ok_or_else(elsewhere)?;
    // Each of the models may have written the row of the key, or one of them another row.
    if found.len() < keys.len() {
        return Err(BulkError::RepeatedKeys { table: table::<E>() }.into());
    }
    Ok(if is_exact { keys } else { found })
}

fn insertion<E: EntityTrait>(models: Vec<E::ActiveModel>, conflict: Option<&Conflict>) -> InsertStatement {
    let mut insertion = Insert::<E::ActiveModel>::many(models).into_query();
    if let Some(conflict) = conflict {
        insertion.on_conflict(conflict.clause.clone());
    }
    insertion
}

/// Models whose key is set, and models whose key the database generates: in one statement the latter would set it to
/// NULL.
fn by_key<E: Streamed>(models: Vec<E::ActiveModel>, backend: DbBackend) -> (Vec<E::ActiveModel>, Vec<E::ActiveModel>) {
    models.into_iter().partition(|model| {
        model.get_primary_key_value().is_some_and(|key| !is_wish::<E>(&Key::from_values(key), backend))
    })
}

/// Whether the database generates a key in place of this one, as `MySQL` and `MariaDB` do for an `AUTO_INCREMENT` of 0.
fn is_wish<E: Streamed>(key: &Key<E>, backend: DbBackend) -> bool {
    backend == DbBackend::MySql && E::PrimaryKey::auto_increment() && key.is_zero()
}

fn keys<E: EntityTrait>(models: &[E::ActiveModel]) -> Vec<Key<E>> {
    models.iter().filter_map(ActiveModelTrait::get_primary_key_value).map(Key::from_values).collect()
}

/// As many models as one statement can hold.
fn statements<E: EntityTrait>(models: Vec<E::ActiveModel>) -> impl Iterator<Item = Vec<E::ActiveModel>> {
    let rows = (VALUES_A_STATEMENT / E::Column::iter().count().max(1)).max(1);
    let mut models = models.into_iter();
    std::iter::from_fn(move || Some(models.by_ref().take(rows).collect::<Vec<_>>()).filter(|models| !models.is_empty()))
}
