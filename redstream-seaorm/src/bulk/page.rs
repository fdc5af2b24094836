//! One page of keys after another, in the order of the primary key.

use sea_orm::sea_query::{Condition, IntoValueTuple, Order, SelectStatement};
use sea_orm::{
    ColumnTrait, ConnectionTrait, DbErr, EntityTrait, Iterable, PrimaryKeyToColumn, QueryFilter, QuerySelect,
    QueryTrait, TryGetableMany,
};

use crate::{Key, KeyOf};

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
    let columns = columns::<E>();
    let mut select = columns.iter().fold(E::find().select_only(), |select, column| select.column(*column));
    select = select.filter(condition).limit(limit);
    if let Some(after) = after {
        select = select.filter(behind(&columns, after));
    }
    let statement: &mut SelectStatement = QueryTrait::query(&mut select);
    for column in &columns {
        statement.order_by((E::default(), *column), Order::Asc);
    }
    // SQLite has no such thing, and SeaQuery leaves it out: its transaction locks the whole database.
    statement.lock_exclusive();
    let rows = db.query_all(select.as_query()).await?;
    rows.iter().map(|row| Ok(Key::from_values(KeyOf::<E>::try_get_many_by_index(row)?.into_value_tuple()))).collect()
}

/// `a >= 1 AND (a > 1 OR (a = 1 AND b > 2))`: a comparison of tuples, in a form that every backend understands. The first
/// part says nothing new, but is what lets the index be entered in the right place.
fn behind<E: EntityTrait>(columns: &[E::Column], after: &Key<E>) -> Condition {
    let values: Vec<_> = after.values().clone().into_iter().collect();
    let behind = (0..columns.len()).fold(Condition::any(), |any, last| {
        let equal = (0..last).fold(Condition::all(), |all, i| all.add(columns[i].eq(values[i].clone())));
        any.add(equal.add(columns[last].gt(values[last].clone())))
    });
    Condition::all().add(columns[0].gte(values[0].clone())).add(behind)
}

fn columns<E: EntityTrait>() -> Vec<E::Column> {
    E::PrimaryKey::iter().map(PrimaryKeyToColumn::into_column).collect()
}
