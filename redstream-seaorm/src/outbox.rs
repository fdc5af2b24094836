//! The outbox: changes that are insured by rows of the primary database, and the relay that moves them to Redis.
//!
//! With [`Insurance::Outbox`](crate::Insurance::Outbox), or during an outage with
//! [`Insurance::RedisElseOutbox`](crate::Insurance::RedisElseOutbox), a transaction writes what it changed to the table
//! `redstream_outbox` just before its COMMIT: one row a key, with the stream and the payload of its message. So change
//! and row are committed together or not at all. A [`Relay`] adds the main messages and deletes the rows.
//!
//! The table must exist. With sea-orm-migration, and the feature `migration`, list
#![cfg_attr(feature = "migration", doc = "[`Migration`]")]
#![cfg_attr(not(feature = "migration"), doc = "`outbox::Migration`")]
//! among yours; otherwise run [`create_table`], or what [`create_table_sql`] says in your own tool.
//!
//! ```no_run
//! # use std::time::Duration;
//! # use redstream_seaorm::{Insurance, Redstream, StreamedConnection, Supervisor, outbox};
//! # use sea_orm::Database;
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! let redstream = Redstream::connect("redis://127.0.0.1/").await?;
//! let plain = Database::connect("postgres://localhost/shop").await?;
//! outbox::create_table(&plain).await?;
//! let db = StreamedConnection::builder(plain, redstream.producer()).insurance(Insurance::RedisElseOutbox).build();
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
mod table;

#[cfg(feature = "migration")]
pub use self::migration::Migration;
pub use self::relay::{Relay, RelayError};
pub use self::table::{create_table, create_table_sql};
pub(crate) use self::table::{is_table, write};
