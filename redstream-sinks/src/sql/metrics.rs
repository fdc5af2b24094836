//! The names of the sink's metrics, for the recorder of the application's choice.
//!
//! | name | kind | labels | counts |
//! |---|---|---|---|
//! | `redstream_sql_rows_total` | counter | `table`, `outcome`: `written`, `deleted`, `superseded`, `failed` | rows by what became of them; superseded: the database has a higher version |
//! | `redstream_sql_transactions_total` | counter | `table`, `outcome`: `committed`, `refused`, `failed` | transactions; refused: because of a row; failed: for another reason |
//! | `redstream_sql_transaction_seconds` | histogram | `table` | time from the beginning of a transaction to its end |
//!
//! `table` is the name of the target table.

/// Rows by what became of them.
pub const ROWS: &str = "redstream_sql_rows_total";
/// Transactions by their outcome.
pub const TRANSACTIONS: &str = "redstream_sql_transactions_total";
/// Time of a transaction, in seconds.
pub const TRANSACTION_SECONDS: &str = "redstream_sql_transaction_seconds";
