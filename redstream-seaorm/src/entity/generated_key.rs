//! The keys that a database generated, read from its answer to an INSERT.

use redstream_core::NewMessage;
use sea_orm::sea_query::{IntoValueTuple, ValueTuple};
use sea_orm::{DbErr, ExecResult, PrimaryKeyTrait, QueryResult, TryFromU64, TryGetableMany};

use crate::entity::key::KeyOf;
use crate::entity::key_query::key_columns;
use crate::entity::streamed::{Streamed, message, table};
use crate::error::Error;

/// Makes messages from the answer to an INSERT, for one entity.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ReadKeys {
    key: fn(&QueryResult) -> Result<ValueTuple, DbErr>,
    of_row: fn(&QueryResult) -> Result<NewMessage, DbErr>,
    of_last_id: fn(u64) -> Result<NewMessage, DbErr>,
    untold: fn() -> DbErr,
}

impl ReadKeys {
    pub(crate) fn of<E: Streamed>() -> Self {
        Self { key: key_of_row::<E>, of_row: of_row::<E>, of_last_id: of_last_id::<E>, untold: untold::<E> }
    }

    /// The message of a row that has the key's columns.
    pub(crate) fn of_row(self, row: &QueryResult) -> Result<NewMessage, DbErr> {
        (self.of_row)(row)
    }

    /// The error of a generated key that the answer does not contain.
    pub(crate) fn untold(self) -> DbErr {
        (self.untold)()
    }
}

/// The answer to a statement.
pub(crate) trait Answer {
    /// The messages of the rows whose keys it contains, generated ones included.
    fn messages(&self, keys: ReadKeys) -> Result<Vec<NewMessage>, DbErr>;

    /// The messages of the rows that it contains.
    fn returned(&self, keys: ReadKeys) -> Result<Vec<NewMessage>, DbErr> {
        self.rows().iter().map(keys.of_row).collect()
    }

    /// The same, without the rows of this key.
    fn returned_but(&self, keys: ReadKeys, given: &ValueTuple) -> Result<Vec<NewMessage>, DbErr> {
        let mut others = Vec::new();
        for row in self.rows() {
            if (keys.key)(row)? != *given {
                others.push((keys.of_row)(row)?);
            }
        }
        Ok(others)
    }

    /// The rows that it contains.
    fn rows(&self) -> &[QueryResult];

    /// Whether it is the answer to a query and contains no row.
    fn is_empty_query(&self) -> bool {
        self.rows().is_empty()
    }

    /// Whether the statement wrote a row.
    fn wrote(&self) -> bool;
}

/// The row that `RETURNING` gave.
impl Answer for Option<QueryResult> {
    fn messages(&self, keys: ReadKeys) -> Result<Vec<NewMessage>, DbErr> {
        self.returned(keys)
    }

    fn rows(&self) -> &[QueryResult] {
        self.as_slice()
    }

    fn wrote(&self) -> bool {
        self.is_some()
    }
}

impl Answer for Vec<QueryResult> {
    fn messages(&self, keys: ReadKeys) -> Result<Vec<NewMessage>, DbErr> {
        self.returned(keys)
    }

    fn rows(&self) -> &[QueryResult] {
        self
    }

    fn wrote(&self) -> bool {
        !self.is_empty()
    }
}

/// Without `RETURNING`: the last key that the database generated.
impl Answer for ExecResult {
    fn messages(&self, keys: ReadKeys) -> Result<Vec<NewMessage>, DbErr> {
        if self.rows_affected() == 0 {
            return Ok(Vec::new());
        }
        (keys.of_last_id)(self.last_insert_id()).map(|message| vec![message])
    }

    fn rows(&self) -> &[QueryResult] {
        &[]
    }

    fn is_empty_query(&self) -> bool {
        false
    }

    fn wrote(&self) -> bool {
        self.rows_affected() > 0
    }
}

fn key_of_row<E: Streamed>(row: &QueryResult) -> Result<ValueTuple, DbErr> {
    let columns: Vec<String> = key_columns::<E>().map(str::to_owned).collect();
    Ok(KeyOf::<E>::try_get_many(row, "", &columns)?.into_value_tuple())
}

fn of_row<E: Streamed>(row: &QueryResult) -> Result<NewMessage, DbErr> {
    Ok(message::<E>(key_of_row::<E>(row)?)?)
}

fn of_last_id<E: Streamed>(id: u64) -> Result<NewMessage, DbErr> {
    // For another kind of key the id means nothing, but types such as text would accept it.
    if id == 0 || !<E::PrimaryKey as PrimaryKeyTrait>::auto_increment() {
        return Err(untold::<E>());
    }
    let key = KeyOf::<E>::try_from_u64(id).map_err(|_| untold::<E>())?;
    Ok(message::<E>(key.into_value_tuple())?)
}

fn untold<E: Streamed>() -> DbErr {
    Error::GeneratedKey { table: table::<E>() }.into()
}
