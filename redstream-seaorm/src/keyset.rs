//! Conditions on keys, simple and composite, that every backend understands; and keys page by page.

use sea_orm::sea_query::{Condition, IntoValueTuple, ValueTuple};
use sea_orm::{
    ColumnTrait, ConnectionTrait, DbErr, EntityTrait, IdenStatic, Iterable, PrimaryKeyToColumn, QueryFilter,
    QueryOrder, QuerySelect, QueryTrait, Select, TryGetableMany,
};

use crate::{Key, KeyOf};

/// How many keys one statement names: below every database's limit of parameters, and, where a key has several columns,
/// below SQLite's limit of nested expressions.
const KEYS_A_STATEMENT: usize = 5000;
const COMPOSITE_KEYS_A_STATEMENT: usize = 400;

/// How many keys of `E` one statement may name.
pub(crate) fn keys_a_statement<E: EntityTrait>() -> usize {
    if E::PrimaryKey::iter().count() == 1 { KEYS_A_STATEMENT } else { COMPOSITE_KEYS_A_STATEMENT }
}

/// The names of the key's columns.
pub(crate) fn key_columns<E: EntityTrait>() -> impl Iterator<Item = &'static str> {
    columns::<E>().into_iter().map(|column| column.as_str())
}

/// The key's columns.
pub(crate) fn columns<E: EntityTrait>() -> Vec<E::Column> {
    E::PrimaryKey::iter().map(PrimaryKeyToColumn::into_column).collect()
}

/// The rows of these keys.
pub(crate) fn is_one_of<E: EntityTrait>(keys: &[Key<E>]) -> Condition {
    are_one_of(&columns::<E>(), keys.iter().map(Key::values))
}

/// `a IN (…)`, or for several columns `(a = 1 AND b = 2) OR …`: SQLite does not compare rows with lists.
pub(crate) fn are_one_of<'a, C: ColumnTrait>(
    columns: &[C],
    values: impl IntoIterator<Item = &'a ValueTuple>,
) -> Condition {
    if let [column] = columns {
        return Condition::all().add(column.is_in(values.into_iter().flat_map(Clone::clone)));
    }
    values.into_iter().fold(Condition::any(), |any, values| {
        let each = columns.iter().zip(values.clone());
        any.add(each.fold(Condition::all(), |all, (column, value)| all.add(column.eq(value))))
    })
}

/// The keys of the next `limit` rows behind `after`, or of all, in the order of the key.
///
/// By keyset, not by offset: what was written and no longer belongs to the selection then shifts nothing.
pub(crate) fn next_keys<E: EntityTrait>(
    select: Select<E>,
    after: Option<&Key<E>>,
    limit: impl Into<Option<u64>>,
) -> Select<E> {
    let columns = columns::<E>();
    let mut select =
        columns.iter().fold(select.select_only(), |select, column| select.column(*column)).limit(limit.into());
    if let Some(after) = after {
        select = select.filter(behind(after));
    }
    columns.iter().fold(select, |select, column| select.order_by_asc(*column))
}

/// Runs a selection of keys.
pub(crate) async fn keys_of<E: EntityTrait>(
    select: Select<E>,
    db: &impl ConnectionTrait,
) -> Result<Vec<Key<E>>, DbErr> {
    let rows = db.query_all(select.as_query()).await?;
    rows.iter().map(|row| Ok(Key::from_values(KeyOf::<E>::try_get_many_by_index(row)?.into_value_tuple()))).collect()
}

/// `a >= 1 AND (a > 1 OR (a = 1 AND b > 2))`: a comparison of tuples, in a form that every backend understands. The first
/// part says nothing new, but is what lets the index be entered in the right place.
fn behind<E: EntityTrait>(after: &Key<E>) -> Condition {
    let columns = columns::<E>();
    let values: Vec<_> = after.values().clone().into_iter().collect();
    let behind = (0..columns.len()).fold(Condition::any(), |any, last| {
        let equal = (0..last).fold(Condition::all(), |all, i| all.add(columns[i].eq(values[i].clone())));
        any.add(equal.add(columns[last].gt(values[last].clone())))
    });
    Condition::all().add(columns[0].gte(values[0].clone())).add(behind)
}
