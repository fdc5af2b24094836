//! One page of keys after another, in the order of the primary key.

use sea_orm::sea_query::{Condition, SelectStatement};
use sea_orm::{ConnectionTrait, DbErr, EntityTrait, QueryFilter, QueryTrait};

use crate::Key;
use crate::keyset::{keys_of, next_keys};

/// The next `limit` keys behind `after` that meet `condition`, their rows locked where the database can.
///
/// By keyset, not by offset: what was written and no longer meets the condition then shifts nothing.
pub(super) async fn page<E, C>(
    db: &C,
    condition: Condition,
    after: Option<&Key<E>>,
    limit: u64,
) -> Result<Vec<Key<E>>, DbErr>
where
    E: EntityTrait,
    C: ConnectionTrait,
{
    let mut select = next_keys(E::find().filter(condition), after, limit);
    let statement: &mut SelectStatement = QueryTrait::query(&mut select);
    // SQLite has no such thing, and SeaQuery leaves it out: its transaction locks the whole database.
    statement.lock_exclusive();
    keys_of(select, db).await
}
