//! Reads the table back.

use redstream_seaorm::{HandlerError, Key, KeyOf, KeyRange, Scan, Streamed};
use sea_orm::sea_query::{Condition, Expr, Value};
use sea_orm::{
    ActiveModelTrait as _, ColumnTrait, DbErr, EntityTrait, Iterable as _, ModelTrait as _, PrimaryKeyToColumn,
    PrimaryKeyTrait, QueryFilter as _, QueryOrder, QuerySelect as _, Select,
};

use crate::sql::error::Error;
use crate::sql::sink::{SqlSink, finished};

/// How many rows one statement asks for by their keys.
const KEYS_A_STATEMENT: usize = 400;

/// `a > 1 OR (a = 1 AND b > 2)`, with `at_last` for the last column.
fn beyond<T: EntityTrait, E>(
    key: &Key<E>,
    differs: impl Fn(&T::Column, Value) -> Expr,
    at_last: impl Fn(&T::Column, Value) -> Expr,
) -> Condition
where
    E: EntityTrait,
{
    let columns: Vec<_> = T::PrimaryKey::iter().map(PrimaryKeyToColumn::into_column).collect();
    let values: Vec<Value> = key.values().clone().into_iter().collect();
    (0..columns.len()).fold(Condition::any(), |any, nth| {
        let equal = (0..nth).fold(Condition::all(), |all, i| all.add(columns[i].eq(values[i].clone())));
        let (column, value) = (&columns[nth], values[nth].clone());
        any.add(equal.add(if nth + 1 == columns.len() { at_last(column, value) } else { differs(column, value) }))
    })
}

impl<E, T, R> SqlSink<E, T, R>
where
    E: EntityTrait,
    T: EntityTrait<PrimaryKey: PrimaryKeyTrait<ValueType = KeyOf<E>>>,
{
    async fn rows(&self, select: Select<T>) -> Result<Vec<(Key<E>, T::Model)>, Error> {
        let refused = |source: DbErr| Error::Database { attempt: "read rows", table: self.table, source };
        let db = self.db.clone();
        let rows = finished(async move { select.all(&db).await }).await?.map_err(refused)?;
        Ok(rows.into_iter().map(|row| (Key::from_values(row.get_primary_key_value()), row)).collect())
    }
}

/// In the order of the target table's primary key.
impl<E, T, R> Scan<E, R> for SqlSink<E, T, R>
where
    E: Streamed,
    T: EntityTrait<Model: Sync, PrimaryKey: PrimaryKeyTrait<ValueType = KeyOf<E>>>,
    R: Send + Sync + 'static,
{
    type Document = T::Model;

    async fn scan(&self, range: KeyRange<'_, E>, limit: usize) -> Result<Vec<(Key<E>, T::Model)>, HandlerError> {
        let mut select = T::find().limit(limit as u64);
        if let Some(after) = range.after {
            select = select.filter(beyond::<T, E>(after, ColumnTrait::gt, ColumnTrait::gt));
        }
        if let Some(until) = range.until {
            select = select.filter(beyond::<T, E>(until, ColumnTrait::lt, ColumnTrait::lte));
        }
        let columns = T::PrimaryKey::iter().map(PrimaryKeyToColumn::into_column);
        Ok(self.rows(columns.fold(select, QueryOrder::order_by_asc)).await?)
    }

    async fn find(&self, keys: &[Key<E>]) -> Result<Option<Vec<(Key<E>, T::Model)>>, HandlerError> {
        let mut found = Vec::with_capacity(keys.len());
        for keys in keys.chunks(KEYS_A_STATEMENT) {
            let keys: Vec<_> = keys.iter().map(|key| Key::<T>::from_values(key.values().clone())).collect();
            found.extend(self.rows(T::find().filter(Key::any_of(&keys))).await?);
        }
        Ok(Some(found))
    }

    /// Compares the columns that the sink sets.
    fn is_current(&self, key: &Key<E>, record: &R, document: &T::Model) -> Result<bool, HandlerError> {
        let (_, row) = self.row(key, record)?;
        let is_same = |column: T::Column| match row.get(column).into_value() {
            Some(value) => value == document.get(column),
            None => true,
        };
        Ok(T::Column::iter().all(is_same))
    }
}
