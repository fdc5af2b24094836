//! The key that the database stores for a key that it was given.
//!
//! A database may store a key differently from how it was given (a scale, a precision, a trigger), and may compare keys
//! more loosely than Rust does (a collation, padding, a time zone). Messages of such keys are made from the stored key:
//! it is read before the row is written, and again after it.

use std::collections::HashSet;
use std::sync::Arc;

use redstream_core::NewMessage;
use sea_orm::sea_query::{
    Alias, ColumnType, DeleteStatement, Expr, IntoValueTuple, SelectStatement, UnionType, Value, ValueTuple,
};
use sea_orm::{
    ColumnTrait, ConnectionTrait, DbBackend, DbErr, EntityTrait, Iterable, PrimaryKeyToColumn, QueryFilter,
    QueryResult, QueryTrait, TryGetableMany,
};

use crate::entity::generated_key::ReadKeys;
use crate::entity::key::{Key, KeyOf, is_beside_utc};
use crate::entity::key_query::{is_one_of, key_columns, keys_a_statement, keys_of, next_keys};
use crate::entity::streamed::{Streamed, table};
use crate::error::Error;

/// How many keys one statement looks up: below SQLite's limit of terms of a compound select.
const KEYS_A_LOOK_UP: usize = 400;

/// The name of the column that says by which key a row was found.
const NTH: &str = "redstream_nth";

/// Whether this database stores and compares such a key exactly as Rust does, so that it need not be read.
pub(crate) fn is_exact<E: Streamed>(key: &ValueTuple, backend: DbBackend) -> bool {
    let exact = |value: &Value| is_exact_value::<E>(value, backend);
    E::has_exact_key()
        || match key {
            ValueTuple::One(value) => exact(value),
            ValueTuple::Two(first, second) => exact(first) && exact(second),
            ValueTuple::Three(first, second, third) => exact(first) && exact(second) && exact(third),
            ValueTuple::Many(values) => values.iter().all(exact),
        }
}

fn is_exact_value<E: EntityTrait>(value: &Value, backend: DbBackend) -> bool {
    match value {
        Value::Bool(_)
        | Value::TinyInt(_)
        | Value::SmallInt(_)
        | Value::Int(_)
        | Value::BigInt(_)
        | Value::TinyUnsigned(_)
        | Value::SmallUnsigned(_)
        | Value::Unsigned(_)
        | Value::BigUnsigned(_) => backend != DbBackend::MySql || !has_years::<E>(),
        #[cfg(feature = "with-uuid")]
        Value::Uuid(_) => true,
        #[cfg(feature = "with-chrono")]
        Value::ChronoDate(_) => true,
        #[cfg(feature = "with-time")]
        Value::TimeDate(_) => true,
        // BINARY(n) of MySQL and MariaDB is padded with zeros.
        Value::Bytes(_) => backend != DbBackend::MySql || !has_padded_bytes::<E>(),
        _ => false,
    }
}

/// Errors if the row would not be found by its key in messages: SQLite compares a time with its zone as text, and
/// messages have it in UTC.
pub(crate) fn check_zone<E: Streamed>(key: &ValueTuple, backend: DbBackend) -> Result<(), Error> {
    if backend == DbBackend::Sqlite && is_beside_utc(key) {
        return Err(Error::KeyNotInUtc { table: table::<E>() });
    }
    Ok(())
}

/// `MySQL` and `MariaDB` read 26 as 2026.
fn has_years<E: EntityTrait>() -> bool {
    E::PrimaryKey::iter().any(|key| matches!(key.into_column().def().get_column_type(), ColumnType::Year))
}

fn has_padded_bytes<E: EntityTrait>() -> bool {
    E::PrimaryKey::iter().any(|key| matches!(key.into_column().def().get_column_type(), ColumnType::Binary(_)))
}

/// Reads the key that the database has for the key that a hook was given.
#[derive(Clone, Debug)]
pub(crate) struct StoredKey {
    select: Arc<SelectStatement>,
    /// Writes nothing, but takes SQLite's lock: a transaction that reads first and then writes fails at once if another
    /// transaction wrote in between.
    lock: Arc<DeleteStatement>,
    keys: ReadKeys,
    table: &'static str,
}

impl StoredKey {
    pub(crate) fn of<E: Streamed>(key: ValueTuple) -> Self {
        let rows = E::find().filter(is_one_of(&[Key::<E>::from_values(key)]));
        let select = Arc::new(next_keys(rows, None, None).into_query());
        let lock = Arc::new(E::delete_many().filter(Expr::cust("0 = 1")).into_query());
        Self { select, lock, keys: ReadKeys::of::<E>(), table: E::default().table_name() }
    }

    pub(crate) fn table(&self) -> &'static str {
        self.table
    }

    /// [`look_up`](Self::look_up), in a transaction that will write.
    pub(crate) async fn look_up_first(&self, db: &impl ConnectionTrait) -> Result<Vec<NewMessage>, DbErr> {
        if db.get_database_backend() == DbBackend::Sqlite {
            db.execute(&*self.lock).await?;
        }
        self.look_up_and_lock(db).await
    }

    /// [`look_up`](Self::look_up) that locks the rows if the database can: no other transaction renames them before the
    /// next statement, and they are read as they are now, whatever this transaction saw before.
    pub(crate) async fn look_up_and_lock(&self, db: &impl ConnectionTrait) -> Result<Vec<NewMessage>, DbErr> {
        let mut select = SelectStatement::clone(&self.select);
        select.lock_exclusive();
        let mut rows = db.query_all(&select).await?;
        if rows.is_empty() && db.get_database_backend() == DbBackend::Postgres {
            // The row for which it waited may be deleted and replaced by another row, which only a later statement
            // sees.
            rows = db.query_all(&select).await?;
        }
        self.messages(&rows)
    }

    /// The messages of the rows that match; none if there is no such row.
    pub(crate) async fn look_up(&self, db: &impl ConnectionTrait) -> Result<Vec<NewMessage>, DbErr> {
        self.messages(&db.query_all(&*self.select).await?)
    }

    fn messages(&self, rows: &[QueryResult]) -> Result<Vec<NewMessage>, DbErr> {
        rows.iter().map(|row| self.keys.of_row(row)).collect()
    }
}

/// The rows that the database finds by each of these keys: a map from the key's position in the list to the key that
/// the row has. A key without a row has no entry.
///
/// One query if each key has a row of its own spelling, or no row at all.
pub(crate) async fn stored_keys<E, C>(db: &C, keys: &[Key<E>]) -> Result<Vec<(usize, Key<E>)>, DbErr>
where
    E: EntityTrait,
    C: ConnectionTrait,
{
    let mut stored = Vec::new();
    for (first, keys) in chunks(keys, keys_a_statement::<E>()) {
        let rows: HashSet<_> =
            keys_of(next_keys(E::find().filter(is_one_of(keys)), None, None), db).await?.into_iter().collect();
        let mut others = Vec::new();
        for (nth, key) in keys.iter().enumerate() {
            if rows.contains(key) {
                stored.push((first + nth, key.clone()));
            } else if !rows.is_empty() {
                others.push((first + nth, key.clone()));
            }
        }
        for others in others.chunks(KEYS_A_LOOK_UP) {
            stored.extend(look_up_each(db, others).await?);
        }
    }
    Ok(stored)
}

/// Chunks of this size, each with the position of its first key.
fn chunks<T>(all: &[T], size: usize) -> impl Iterator<Item = (usize, &[T])> {
    all.chunks(size).enumerate().map(move |(nth, chunk)| (nth * size, chunk))
}

/// One select per key, in one statement: the database decides what matches, by the column's own type and collation.
async fn look_up_each<E, C>(db: &C, keys: &[(usize, Key<E>)]) -> Result<Vec<(usize, Key<E>)>, DbErr>
where
    E: EntityTrait,
    C: ConnectionTrait,
{
    let mut selects = keys.iter().zip(0_i32..).map(|((_, key), nth)| {
        let rows = E::find().filter(is_one_of(std::slice::from_ref(key)));
        let mut select = next_keys(rows, None, None).into_query();
        select.clear_order_by().expr_as(Expr::cust(nth.to_string()), Alias::new(NTH));
        select
    });
    let Some(mut select) = selects.next() else { return Ok(Vec::new()) };
    for other in selects {
        select.union(UnionType::All, other);
    }
    let columns: Vec<String> = key_columns::<E>().map(str::to_owned).collect();
    let read = |row: &QueryResult| {
        let nth: i32 = row.try_get("", NTH)?;
        let place = usize::try_from(nth).ok().and_then(|nth| keys.get(nth)).map_or(usize::MAX, |(place, _)| *place);
        let key = KeyOf::<E>::try_get_many(row, "", &columns)?;
        Ok((place, Key::from_values(key.into_value_tuple())))
    };
    db.query_all(&select).await?.iter().map(read).collect()
}
