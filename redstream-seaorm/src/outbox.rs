//! The outbox: changes that are insured by rows of the primary database, and the relay that moves them to Redis.
//!
//! With [`Insurance::Outbox`](crate::Insurance::Outbox), or during an outage with
//! [`Insurance::RedisElseOutbox`](crate::Insurance::RedisElseOutbox), a transaction writes what it changed to the table
//! `redstream_outbox` just before its COMMIT: one row a key, with the stream and the payload of its message. So change and row
//! are committed together or not at all. A [`Relay`] adds the main messages and deletes the rows.
//!
//! The table must be there. With sea-orm-migration, and the feature `migration`, list
#![cfg_attr(feature = "migration", doc = "[`Migration`]")]
#![cfg_attr(not(feature = "migration"), doc = "`outbox::Migration`")]
//! among yours; else run [`create_table`], or what [`create_table_sql`] says in your own tool.
//!
//! ```no_run
//! # use std::time::Duration;
//! # use redstream_seaorm::{Insurance, Redstream, StreamedConnection, Supervisor, outbox};
//! # use sea_orm::Database;
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! let redstream = Redstream::connect("redis://127.0.0.1/").await?;
//! let plain = Database::connect("postgres://localhost/shop").await?;
//! outbox::create_table(&plain).await?;
//! let db = StreamedConnection::new(plain, redstream.producer()).insurance(Insurance::RedisElseOutbox);
//!
//! // Besides the workers of each stream:
//! Supervisor::new().with(db.relay()).run_until_signal().await?;
//! # Ok(()) }
//! ```

// May use `fault` and `error`.

pub(crate) mod commits;
#[cfg(feature = "migration")]
mod migration;
pub(crate) mod relay;

use redstream_core::NewMessage;
use sea_orm::sea_query::{ColumnDef, Expr, InsertStatement, Table, TableCreateStatement};
use sea_orm::{ConnectionTrait, DbBackend, DbErr, StatementBuilder};

#[cfg(feature = "migration")]
pub use self::migration::Migration;
pub use self::relay::Relay;

use crate::error::Error;

/// Rows a statement: below every database's limit of parameters.
const ROWS_A_STATEMENT: usize = 1000;

const TABLE: &str = "redstream_outbox";
const ID: &str = "id";
const STREAM: &str = "stream";
const PAYLOAD: &str = "payload";
const CREATED_AT: &str = "created_at";

/// Whether this is the name of the outbox's table.
pub(crate) fn is_table(name: &str) -> bool {
    name == TABLE
}

/// Creates the outbox's table where it is not there.
pub async fn create_table<C: ConnectionTrait>(db: &C) -> Result<(), DbErr> {
    db.execute(&table()).await.map(drop)
}

/// The SQL that creates the outbox's table where it is not there.
pub fn create_table_sql(backend: DbBackend) -> String {
    StatementBuilder::build(&table(), &backend).sql
}

fn table() -> TableCreateStatement {
    Table::create()
        .table(TABLE)
        .if_not_exists()
        .col(ColumnDef::new(ID).big_integer().not_null().auto_increment().primary_key())
        .col(ColumnDef::new(STREAM).string_len(255).not_null())
        .col(ColumnDef::new(PAYLOAD).text().not_null())
        // For people, who want to know how far behind a relay is.
        .col(ColumnDef::new(CREATED_AT).timestamp().not_null().default(Expr::current_timestamp()))
        .to_owned()
}

/// Writes messages to the outbox, within the transaction that they are about.
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
