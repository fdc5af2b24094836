//! Conditions on primary keys, simple and composite, that every backend understands.

use sea_orm::sea_query::Condition;
use sea_orm::{ColumnTrait, EntityTrait, IdenStatic, Iterable, PrimaryKeyToColumn};

use crate::Key;

/// The names of the key's columns.
pub(crate) fn key_columns<E: EntityTrait>() -> impl Iterator<Item = &'static str> {
    E::PrimaryKey::iter().map(|key| key.into_column().as_str())
}

/// `id IN (…)`, or for a composite key `(a = 1 AND b = 2) OR …`: SQLite does not compare rows with lists.
pub(crate) fn is_one_of<E: EntityTrait>(keys: &[Key<E>]) -> Condition {
    let columns: Vec<E::Column> = E::PrimaryKey::iter().map(PrimaryKeyToColumn::into_column).collect();
    if let [column] = columns[..] {
        return Condition::all().add(column.is_in(keys.iter().flat_map(|key| key.values().clone())));
    }
    keys.iter().fold(Condition::any(), |any, key| {
        let each = columns.iter().zip(key.values().clone());
        any.add(each.fold(Condition::all(), |all, (column, value)| all.add(column.eq(value))))
    })
}
