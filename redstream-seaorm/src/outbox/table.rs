//! The table, and the rows that a transaction writes.

use redstream_core::NewMessage;
use sea_orm::sea_query::{ColumnDef, Expr, InsertStatement, Table, TableCreateStatement};
use sea_orm::{ConnectionTrait, DbBackend, DbErr, StatementBuilder};

use crate::error::Error;

/// Rows per statement: below every database's limit of parameters.
const ROWS_A_STATEMENT: usize = 1000;

pub(super) const TABLE: &str = "redstream_outbox";
pub(super) const ID: &str = "id";
pub(super) const STREAM: &str = "stream";
pub(super) const PAYLOAD: &str = "payload";
const CREATED_AT: &str = "created_at";

/// Whether this is the name of the outbox's table.
pub(crate) fn is_table(name: &str) -> bool {
    name == TABLE
}

/// Creates the outbox's table if it does not exist.
///
/// # Errors
///
/// If the database refuses the statement.
pub async fn create_table<C: ConnectionTrait>(db: &C) -> Result<(), DbErr> {
    db.execute(&table()).await.map(drop)
}

/// The SQL that creates the outbox's table if it does not exist.
pub fn create_table_sql(backend: DbBackend) -> String {
    StatementBuilder::build(&table(), &backend).sql
}

pub(super) fn table() -> TableCreateStatement {
    Table::create()
        .table(TABLE)
        .if_not_exists()
        .col(ColumnDef::new(ID).big_integer().not_null().auto_increment().primary_key())
        .col(ColumnDef::new(STREAM).string_len(255).not_null())
        .col(ColumnDef::new(PAYLOAD).text().not_null())
        // For operators who want to know how far behind a relay is.
        .col(ColumnDef::new(CREATED_AT).timestamp().not_null().default(Expr::current_timestamp()))
        .to_owned()
}

/// Writes messages to the outbox, within the transaction of the change.
pub(crate) async fn write<T: ConnectionTrait>(transaction: &T, messages: &[NewMessage]) -> Result<(), Error> {
    for messages in messages.chunks(ROWS_A_STATEMENT) {
        let mut insert = InsertStatement::new();
        insert.into_table(TABLE).columns([STREAM, PAYLOAD]);
        for NewMessage { stream, payload } in messages {
            insert.values_panic([stream.as_str().into(), payload.as_str().into()]);
        }
        transaction.execute(&insert).await.map_err(Error::OutboxNotWritten)?;
    }
    Ok(())
}
