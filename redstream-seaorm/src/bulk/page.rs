//! One page of keys after another, in the order of the primary key.

use std::collections::HashSet;

use sea_orm::sea_query::{Condition, Expr, ExprTrait, Order, SelectStatement};
use sea_orm::{
    ColumnTrait, ColumnType, ConnectionTrait, DbBackend, DbErr, EntityTrait, QueryFilter, QueryTrait, Select,
};

use super::error::BulkError;
use super::key_list::KeyList;
use super::strategy::LOCK_TIMEOUT;
use crate::entity::key::{Key, has_midnight};
use crate::entity::key_order::KeyOrder;
use crate::entity::key_query::{columns, is_one_of, keys_a_statement, keys_of, next_keys};
use crate::entity::stored_key::{check_zone, is_exact, stored_keys};
use crate::entity::streamed::{Streamed, table};
use crate::error::Error;

/// The next `limit` keys after `after` that meet `condition`, or all of them; their rows are locked if the database can
/// do so.
///
/// By keyset, not by offset: rows that were written and no longer meet the condition then shift nothing. The keyset
/// comes first: if the condition also has a lower bound of the key, SQLite enters the table by the bound that comes
/// first, and would scan all earlier pages again.
pub(super) async fn page<E, C>(
    db: &C,
    condition: Condition,
    order: &KeyOrder,
    after: Option<&Key<E>>,
    limit: Option<u64>,
) -> Result<Vec<Key<E>>, DbErr>
where
    E: Streamed,
    C: ConnectionTrait,
{
    let keys = keys_of(locked(page_query(condition, order, after, limit)), db).await?;
    check_times(db, &keys).await?;
    Ok(keys)
}

/// The same without a lock. Later statements of the transaction wait for a lock for [`LOCK_TIMEOUT`] at most. On
/// PostgreSQL alone.
pub(super) async fn unlocked_page<E, C>(
    db: &C,
    condition: Condition,
    order: &KeyOrder,
    after: Option<&Key<E>>,
    limit: u64,
) -> Result<Vec<Key<E>>, DbErr>
where
    E: Streamed,
    C: ConnectionTrait,
{
    // A part of this query, which evaluates it once, so that it takes no round trip of its own.
    let set = format!("(SELECT pg_catalog.set_config('lock_timeout', '{LOCK_TIMEOUT}', true)) IS NOT NULL");
    let query = page_query(condition, order, after, Some(limit)).filter(Expr::cust(set));
    let keys = keys_of(query, db).await?;
    check_times(db, &keys).await?;
    Ok(keys)
}

/// The same in SQLite, which locks no rows. It is read as a list if possible, and otherwise later ones are not, either.
pub(super) async fn snapshot_page<E, C>(
    db: &C,
    condition: Condition,
    after: Option<&Key<E>>,
    limit: u64,
    list: &mut Option<KeyList<E>>,
) -> Result<Vec<Key<E>>, DbErr>
where
    E: Streamed,
    C: ConnectionTrait,
{
    let query = page_query(condition, &KeyOrder::default(), after, Some(limit));
    if let Some(reader) = list {
        if let Some(keys) = reader.read(db, query.as_query()).await {
            return Ok(keys);
        }
        *list = None;
    }
    keys_of(query, db).await
}

fn page_query<E: EntityTrait>(
    condition: Condition,
    order: &KeyOrder,
    after: Option<&Key<E>>,
    limit: Option<u64>,
) -> Select<E> {
    order.sorted(next_keys(E::find(), after, limit).filter(condition), &Order::Asc)
}

/// The last key that meets `condition`.
pub(super) async fn last_key<E, C>(db: &C, condition: Condition, order: &KeyOrder) -> Result<Option<Key<E>>, DbErr>
where
    E: EntityTrait,
    C: ConnectionTrait,
{
    let select = order.sorted(next_keys(E::find(), None, 1).filter(condition), &Order::Desc);
    Ok(keys_of(select, db).await?.pop())
}

/// Errors if a midnight among these keys may be `24:00:00`, which PostgreSQL also has.
pub(crate) async fn check_times<E, C>(db: &C, keys: &[Key<E>]) -> Result<(), DbErr>
where
    E: Streamed,
    C: ConnectionTrait,
{
    if keys.iter().any(|key| has_midnight(key.values())) { check_table_of_times::<E, C>(db).await } else { Ok(()) }
}

/// Errors if a row has a key with the time `24:00:00`.
pub(super) async fn check_table_of_times<E, C>(db: &C) -> Result<(), DbErr>
where
    E: Streamed,
    C: ConnectionTrait,
{
    let mut times = columns::<E>();
    times.retain(|column| *column.def().get_column_type() == ColumnType::Time);
    if times.is_empty() || db.get_database_backend() != DbBackend::Postgres {
        return Ok(());
    }
    let beyond = times.into_iter().fold(Condition::any(), |any, column| {
        any.add(Expr::col(column.as_column_ref()).eq(Expr::cust("TIME '24:00:00'")))
    });
    let found = keys_of::<E>(next_keys(E::find().filter(beyond), None, 1), db).await?;
    if found.is_empty() { Ok(()) } else { Err(BulkError::TimeBeyondMidnight { table: table::<E>() }.into()) }
}

/// Errors if one of these keys is not in UTC and the database compares it as text.
pub(super) fn check_zones<E: Streamed>(keys: &[Key<E>], backend: DbBackend) -> Result<(), Error> {
    keys.iter().try_for_each(|key| check_zone::<E>(key.values(), backend))
}

/// The keys of the rows that have one of these keys. The rows are locked, so they are read as they are now, whatever
/// the transaction saw before.
pub(super) async fn present<E, C>(db: &C, wanted: &[Key<E>]) -> Result<Vec<Key<E>>, DbErr>
where
    E: EntityTrait,
    C: ConnectionTrait,
{
    let mut found = Vec::with_capacity(wanted.len());
    for wanted in key_chunks(wanted) {
        found.extend(keys_of(locked(next_keys(E::find().filter(is_one_of(wanted)), None, None)), db).await?);
    }
    Ok(found)
}

/// The keys that the database has for these; `None` if one of them has no row.
pub(super) async fn stored_as<E, C>(db: &C, keys: &[Key<E>]) -> Result<Option<Vec<Key<E>>>, DbErr>
where
    E: EntityTrait,
    C: ConnectionTrait,
{
    let found = present(db, keys).await?;
    let wanted: HashSet<_> = keys.iter().map(Key::values).collect();
    if found.len() >= wanted.len() {
        return Ok(Some(found));
    }
    // Several of them may be the same key to the database.
    let matched: HashSet<usize> = stored_keys(db, keys).await?.into_iter().map(|(nth, _)| nth).collect();
    Ok((matched.len() == keys.len()).then_some(found))
}

/// The keys of rows that a statement returned, as the rows have them now: SQLite returns rows as they are before its
/// AFTER triggers. Errors if one of the rows is not found by its key.
pub(super) async fn kept<E, C>(db: &C, keys: Vec<Key<E>>) -> Result<Vec<Key<E>>, DbErr>
where
    E: Streamed,
    C: ConnectionTrait,
{
    check_zones(&keys, db.get_database_backend())?;
    check_times(db, &keys).await?;
    if db.get_database_backend() != DbBackend::Sqlite || are_exact(&keys, DbBackend::Sqlite) {
        return Ok(keys);
    }
    stored_as(db, &keys).await?.ok_or_else(|| BulkError::RewrittenKeys { table: table::<E>() }.into())
}

/// Whether the database has each of these keys exactly as it was given.
pub(super) fn are_exact<E: Streamed>(keys: &[Key<E>], backend: DbBackend) -> bool {
    keys.first().is_none_or(|key| is_exact::<E>(key.values(), backend))
}

/// As many keys as one statement can name.
pub(super) fn key_chunks<E: EntityTrait>(keys: &[Key<E>]) -> impl Iterator<Item = &[Key<E>]> {
    keys.chunks(keys_a_statement::<E>())
}

fn locked<E: EntityTrait>(mut select: Select<E>) -> Select<E> {
    let statement: &mut SelectStatement = QueryTrait::query(&mut select);
    // SQLite has no row locks, and SeaQuery leaves the clause out: its transaction locks the whole database.
    statement.lock_exclusive();
    select
}
