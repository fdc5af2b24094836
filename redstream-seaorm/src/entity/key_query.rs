//! Conditions on keys, simple and composite, that every backend understands; and keys page by page.

use std::collections::BTreeMap;

use sea_orm::sea_query::{Condition, Expr, ExprTrait, Func, IntoValueTuple, Value, ValueTuple};
use sea_orm::{
    ColumnTrait, ConnectionTrait, DbErr, EntityTrait, IdenStatic, Iterable, PrimaryKeyToColumn, QueryFilter,
    QueryOrder, QuerySelect, QueryTrait, Select, TryGetableMany,
};

use crate::entity::key::{Key, KeyOf};

/// How many keys one statement names: below every database's limit of parameters, and, if a key has several columns,
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
        let values: Vec<Value> = values.into_iter().flat_map(Clone::clone).collect();
        let padded = padded(&values);
        let any = Condition::any().add(column.is_in(values));
        return padded.into_iter().fold(any, |any, (bytes, values)| any.add(is_padded_to(column, bytes, values)));
    }
    values.into_iter().fold(Condition::any(), |any, values| {
        let each = columns.iter().zip(values.clone());
        any.add(each.fold(Condition::all(), |all, (column, value)| all.add(is_value(column, value))))
    })
}

fn is_value<C: ColumnTrait>(column: &C, value: Value) -> Condition {
    let padded = padded(std::slice::from_ref(&value));
    let any = Condition::any().add(column.eq(value));
    padded.into_iter().fold(any, |any, (bytes, values)| any.add(is_padded_to(column, bytes, values)))
}

/// The texts that end with blanks: the trimmed text, by the length in bytes of the full text.
fn padded(values: &[Value]) -> BTreeMap<usize, Vec<Value>> {
    let mut padded = BTreeMap::<_, Vec<_>>::new();
    for value in values {
        let Value::String(Some(text)) = value else { continue };
        if text.ends_with(' ') {
            padded.entry(text.len()).or_default().push(text.trim_end_matches(' ').into());
        }
    }
    padded
}

/// A key of PostgreSQL's type `char(n)` is returned padded with blanks, and when bound as text it finds its own row
/// only without them. If the column is of type `text`, a value without blanks at its end is shorter, so this finds no
/// other row.
fn is_padded_to<C: ColumnTrait>(column: &C, bytes: usize, trimmed: Vec<Value>) -> Condition {
    let length = Func::cust("octet_length").arg(Expr::col(column.as_column_ref()));
    let bytes = i32::try_from(bytes).unwrap_or(i32::MAX);
    Condition::all().add(column.is_in(trimmed)).add(Expr::expr(length).eq(bytes))
}

/// The keys of the next `limit` rows after `after`, or of all, in the order of the key.
///
/// By keyset, not by offset: rows that were written and no longer belong to the selection then shift nothing.
pub(crate) fn next_keys<E: EntityTrait>(
    select: Select<E>,
    after: Option<&Key<E>>,
    limit: impl Into<Option<u64>>,
) -> Select<E> {
    let keys = columns::<E>().into_iter().fold(select.select_only(), QuerySelect::column);
    next_rows(keys, after, limit)
}

/// The same, of whatever it selects.
pub(crate) fn next_rows<E: EntityTrait>(
    select: Select<E>,
    after: Option<&Key<E>>,
    limit: impl Into<Option<u64>>,
) -> Select<E> {
    let mut select = select.limit(limit.into());
    if let Some(after) = after {
        select = select.filter(behind(after));
    }
    columns::<E>().into_iter().fold(select, QueryOrder::order_by_asc)
}

/// Runs a selection of keys.
pub(crate) async fn keys_of<E: EntityTrait>(
    select: Select<E>,
    db: &impl ConnectionTrait,
) -> Result<Vec<Key<E>>, DbErr> {
    let rows = db.query_all(select.as_query()).await?;
    rows.iter().map(|row| Ok(Key::from_values(KeyOf::<E>::try_get_many_by_index(row)?.into_value_tuple()))).collect()
}

/// The rows after `after`, if it is given, up to `last`.
pub(crate) fn from_to<E: EntityTrait>(after: Option<&Key<E>>, last: &Key<E>) -> Condition {
    let up_to = beyond(last, ColumnTrait::lt, ColumnTrait::lte, ColumnTrait::lte);
    after.map_or_else(Condition::all, |after| Condition::all().add(behind(after))).add(up_to)
}

/// `a >= 1 AND (a > 1 OR (a = 1 AND b > 2))`.
fn behind<E: EntityTrait>(after: &Key<E>) -> Condition {
    beyond(after, ColumnTrait::gt, ColumnTrait::gt, ColumnTrait::gte)
}

/// A comparison of tuples, in a form that every backend understands: column by column, and the last one as `at_last`.
/// The first column is also compared by `at_first`. That is redundant, but lets the database enter the index at the
/// right place.
fn beyond<E: EntityTrait>(
    key: &Key<E>,
    differs: impl Fn(&E::Column, Value) -> Expr,
    at_last: impl Fn(&E::Column, Value) -> Expr,
    at_first: impl Fn(&E::Column, Value) -> Expr,
) -> Condition {
    let columns = columns::<E>();
    let values: Vec<_> = key.values().clone().into_iter().collect();
    let differ = (0..columns.len()).fold(Condition::any(), |any, nth| {
        let equal = (0..nth).fold(Condition::all(), |all, i| all.add(columns[i].eq(values[i].clone())));
        let (column, value) = (&columns[nth], values[nth].clone());
        any.add(equal.add(if nth + 1 == columns.len() { at_last(column, value) } else { differs(column, value) }))
    });
    Condition::all().add(at_first(&columns[0], values[0].clone())).add(differ)
}
