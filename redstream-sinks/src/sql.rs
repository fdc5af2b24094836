//! Another SQL database: PostgreSQL, MariaDB or MySQL, SQLite, by SeaORM.
//!
//! # Layout
//! - `sink`: [`SqlSink`], its options, and its `write`.
//! - `scan`: reads the table back.
//! - `delivery`: finds the row that the database refuses, and repeats what failed for now.
//! - `transaction`: one attempt at one part of a batch.
//! - `rows`: the statements for the target table; `versions`: those for the versions of its keys; `migration`: the
//!   latter's table.
//! - `fault`: what an error of the database says of the rows.

mod delivery;
mod error;
mod fault;
pub mod metrics;
mod migration;
mod rows;
mod scan;
mod sink;
mod transaction;
mod versions;

pub use error::Error;
pub use migration::Migration;
pub use sink::SqlSink;
pub use versions::{create_table, create_table_sql};
