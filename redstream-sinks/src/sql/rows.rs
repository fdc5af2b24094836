//! The statements for the target table.

use std::collections::BTreeMap;

use redstream_seaorm::Key;
use sea_orm::sea_query::{Condition, LockType, OnConflict, Value};
use sea_orm::{
    ActiveModelTrait, ConnectionTrait, DbBackend, DbErr, EntityTrait, Iterable as _, PrimaryKeyToColumn,
    QueryFilter as _, QuerySelect as _, QueryTrait as _,
};

/// Rows and keys per statement: keeps a statement below the servers' limits of its size and of nested expressions.
const ROWS_A_STATEMENT: usize = 400;

/// The parameters of one statement.
fn most_parameters(backend: DbBackend) -> usize {
    if backend == DbBackend::Sqlite { 32_766 } else { 65_535 }
}

/// Deletes the rows of these keys, except those that are also the rows of `kept` by the table's own comparison: a table
/// that does not distinguish `Ulm` and `ULM` has one row for both.
pub(crate) async fn delete<T: EntityTrait, C: ConnectionTrait>(
    db: &C,
    keys: &[Key<T>],
    kept: &[Key<T>],
) -> Result<(), DbErr> {
    let compares_texts = |key: &Key<T>| {
        let is_text = |value| matches!(value, Value::String(_) | Value::Char(_) | Value::Enum(_));
        key.values().clone().into_iter().any(is_text)
    };
    for keys in keys.chunks(ROWS_A_STATEMENT) {
        let mut condition = Condition::all().add(Key::any_of(keys));
        if keys.iter().any(compares_texts) {
            condition = kept.chunks(ROWS_A_STATEMENT).fold(condition, |all, kept| all.add(Key::any_of(kept).not()));
        }
        db.execute(&T::delete_many().filter(condition).into_query()).await?;
    }
    Ok(())
}

/// Inserts these rows, or updates the columns that they set. `false` if a row is not there afterwards.
pub(crate) async fn upsert<T: EntityTrait, C: ConnectionTrait>(db: &C, rows: &[T::ActiveModel]) -> Result<bool, DbErr> {
    let mut by_columns: BTreeMap<Vec<bool>, Vec<&T::ActiveModel>> = BTreeMap::new();
    for row in rows {
        by_columns.entry(set_columns::<T>(row)).or_default().push(row);
    }
    let backend = db.get_database_backend();
    let keys: Vec<_> = T::PrimaryKey::iter().map(PrimaryKeyToColumn::into_column).collect();
    for (set, rows) in by_columns {
        let columns = T::Column::iter().zip(&set).filter(|(_, is_set)| **is_set).map(|(column, _)| column);
        let columns: Vec<_> = columns.collect();
        let others: Vec<_> =
            columns.iter().filter(|column| !keys.iter().any(|key| same(key, *column))).copied().collect();
        let mut conflict = OnConflict::columns(keys.iter().copied());
        match (others.is_empty(), backend) {
            (false, _) => conflict.update_columns(others),
            (true, DbBackend::MySql) => conflict.do_nothing_on(keys.iter().copied()),
            (true, _) => conflict.do_nothing(),
        };
        let at_once = (most_parameters(backend) / columns.len().max(1)).clamp(1, ROWS_A_STATEMENT);
        for rows in rows.chunks(at_once) {
            let insert = T::insert_many(rows.iter().map(|row| (*row).clone())).on_conflict(conflict.clone());
            db.execute(&insert.into_query()).await?;
            if backend == DbBackend::MySql && !are_there::<T, C>(db, rows).await? {
                return Ok(false);
            }
        }
    }
    Ok(true)
}

/// `ON DUPLICATE KEY UPDATE` also updates the row that has another unique value in common: then the key has no row.
async fn are_there<T: EntityTrait, C: ConnectionTrait>(db: &C, rows: &[&T::ActiveModel]) -> Result<bool, DbErr> {
    let keys: Vec<_> = rows.iter().filter_map(|row| row.get_primary_key_value()).map(Key::<T>::from_values).collect();
    let first = T::PrimaryKey::iter().next().map(PrimaryKeyToColumn::into_column);
    let select = T::find().select_only().columns(first).filter(Key::any_of(&keys)).lock(LockType::Update);
    let found = db.query_all(select.as_query()).await?;
    Ok(found.len() == rows.len())
}

fn set_columns<T: EntityTrait>(row: &T::ActiveModel) -> Vec<bool> {
    T::Column::iter().map(|column| !row.is_not_set(column)).collect()
}

fn same<C: sea_orm::IdenStatic>(one: &C, other: &C) -> bool {
    one.as_str() == other.as_str()
}
