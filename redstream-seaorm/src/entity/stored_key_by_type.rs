//! Rows of PostgreSQL by keys that are compared as values of the columns' own types.
//!
//! A text that is bound as a parameter has the type `text`, and a column is compared with it as text: `citext` then
//! distinguishes case, `char(n)` its padding. So the keys are passed as one JSON text, from which PostgreSQL makes rows
//! of the table.

use sea_orm::sea_query::IntoValueTuple;
use sea_orm::sea_query::{Value, ValueTuple};
use sea_orm::{ConnectionTrait, DbBackend, DbErr, QueryResult, Statement, TryGetableMany};

use crate::entity::key::{Key, KeyOf};
use crate::entity::key_query::{key_columns, keys_a_statement};
use crate::entity::stored_key::stored_keys;
use crate::entity::streamed::Streamed;

/// The rows that the database finds by each of these keys, in the form of [`stored_keys`]; outside of a transaction.
pub(crate) async fn stored_keys_by_own_type<E, C>(db: &C, keys: &[Key<E>]) -> Result<Vec<(usize, Key<E>)>, DbErr>
where
    E: Streamed,
    C: ConnectionTrait,
{
    if db.get_database_backend() == DbBackend::Postgres && keys.iter().all(|key| is_compared_by_type(key.values())) {
        // If no such row can be made of a table, because of a domain that refuses NULL, it is queried like other
        // databases.
        if let Ok(stored) = look_up(db, keys).await {
            return Ok(stored);
        }
    }
    stored_keys(db, keys).await
}

/// Whether a value is text, and PostgreSQL reads all values of the key exactly as they are written here.
fn is_compared_by_type(key: &ValueTuple) -> bool {
    let mut texts = key.iter().filter(|value| matches!(value, Value::String(_) | Value::Char(_) | Value::Enum(_)));
    texts.next().is_some() && !key.iter().any(|value| matches!(value, Value::Bytes(_)))
}

async fn look_up<E, C>(db: &C, keys: &[Key<E>]) -> Result<Vec<(usize, Key<E>)>, DbErr>
where
    E: Streamed,
    C: ConnectionTrait,
{
    let quoted = |name: &str| format!("\"{}\"", name.replace('"', "\"\""));
    let entity = E::default();
    let table = match entity.schema_name() {
        Some(schema) => format!("{}.{}", quoted(schema), quoted(entity.table_name())),
        None => quoted(entity.table_name()),
    };
    let names: Vec<String> = key_columns::<E>().map(str::to_owned).collect();
    let columns: Vec<_> = names.iter().map(|name| format!("t.{}", quoted(name))).collect();
    let equal: Vec<_> = names.iter().map(|name| format!("t.{0} = k.{0}", quoted(name))).collect();
    let sql = format!(
        "SELECT k.ordinality, {} FROM jsonb_populate_recordset(NULL::{table}, CAST($1 AS jsonb)) WITH ORDINALITY AS k \
         JOIN {table} AS t ON {}",
        columns.join(", "),
        equal.join(" AND ")
    );
    let mut stored = Vec::new();
    for (chunk, keys) in keys.chunks(keys_a_statement::<E>()).enumerate() {
        let texts: Vec<_> = keys.iter().map(ToString::to_string).collect();
        let keys_as_text = format!("[{}]", texts.join(","));
        let statement = Statement::from_sql_and_values(DbBackend::Postgres, sql.as_str(), [keys_as_text.into()]);
        let read = |row: &QueryResult| -> Result<(usize, Key<E>), DbErr> {
            let nth: i64 = row.try_get("", "ordinality")?;
            let key = KeyOf::<E>::try_get_many(row, "", &names)?;
            let place = usize::try_from(nth - 1).map_or(usize::MAX, |nth| chunk * keys_a_statement::<E>() + nth);
            Ok((place, Key::from_values(key.into_value_tuple())))
        };
        for row in db.query_all_raw(statement).await? {
            stored.push(read(&row)?);
        }
    }
    Ok(stored)
}
