//! One page of keys after another, in the order of the primary key.

use sea_orm::sea_query::{Condition, SelectStatement};
use sea_orm::{ConnectionTrait, DbErr, EntityTrait, QueryFilter, QueryTrait, Select};

use crate::Key;
use crate::keyset::{is_one_of, keys_a_statement, keys_of, next_keys};

/// The next `limit` keys behind `after` that meet `condition`, or all of them, their rows locked where the database can.
///
/// By keyset, not by offset: what was written and no longer meets the condition then shifts nothing. The keyset comes first:
/// where the condition has a lower bound of the key, too, SQLite enters the table by the first that it reads, and would
/// pass by all earlier pages again.
pub(super) async fn page<E, C>(
    db: &C,
    condition: Condition,
    after: Option<&Key<E>>,
    limit: Option<u64>,
) -> Result<Vec<Key<E>>, DbErr>
where
    E: EntityTrait,
    C: ConnectionTrait,
{
    keys_of(locked(next_keys(E::find(), after, limit).filter(condition)), db).await
}

/// How many rows of these keys there are. They are locked, so it is as they are now, whatever the transaction saw before.
pub(super) async fn present<E, C>(db: &C, wanted: &[Key<E>]) -> Result<usize, DbErr>
where
    E: EntityTrait,
    C: ConnectionTrait,
{
    let mut found = 0;
    for wanted in key_chunks(wanted) {
        found += keys_of(locked(next_keys(E::find().filter(is_one_of(wanted)), None, None)), db).await?.len();
    }
    Ok(found)
}

/// As many keys at a time as a statement can name.
pub(super) fn key_chunks<E: EntityTrait>(keys: &[Key<E>]) -> impl Iterator<Item = &[Key<E>]> {
    keys.chunks(keys_a_statement::<E>())
}

fn locked<E: EntityTrait>(mut select: Select<E>) -> Select<E> {
    let statement: &mut SelectStatement = QueryTrait::query(&mut select);
    // SQLite has no such thing, and SeaQuery leaves it out: its transaction locks the whole database.
    statement.lock_exclusive();
    select
}
