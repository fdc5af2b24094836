//! What can go wrong.

use std::time::Duration;

use redstream_seaorm::{BoxError, KeyError};
use sea_orm::DbErr;

/// An error of the sink.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The database cannot be reached or refuses a statement for a reason that is no row's: a missing table, a missing
    /// privilege. Nothing is given up; the batch is retried.
    #[error(
        "could not {attempt} of `{table}`: check that this table and `redstream_versions` exist with the columns of \
         their entities, and that the user may read and write them"
    )]
    Database {
        /// What was attempted, as an infinitive.
        attempt: &'static str,
        /// The target table.
        table: &'static str,
        /// What the database says.
        #[source]
        source: DbErr,
    },

    /// A deadlock or a lock that was not granted in time, also after retries. The batch is retried.
    #[error("could not {attempt} of `{table}` because of others' locks, in {attempts} attempts")]
    Contended {
        /// What was attempted, as an infinitive.
        attempt: &'static str,
        /// The target table.
        table: &'static str,
        /// How often it was attempted.
        attempts: usize,
        /// What the database says.
        #[source]
        source: DbErr,
    },

    /// The database did not end the write in time. It goes on, and the batch is retried.
    #[error("the database of `{table}` did not end a write within {after:?}")]
    Timeout {
        /// The target table.
        table: &'static str,
        /// The sink's timeout.
        after: Duration,
    },

    /// The task of the write panicked, or the runtime ends. The batch is retried.
    #[error("the task of a write ended before it was done; its panic, if any, is on the standard error")]
    Ended,

    /// The database refuses this row: a constraint, a type, a trigger.
    #[error("the row `{id}` of `{table}` was refused")]
    Row {
        /// The key, as the id of a document.
        id: String,
        /// The target table.
        table: &'static str,
        /// What the database says.
        #[source]
        source: DbErr,
    },

    /// `MySQL` and `MariaDB` update another row if a new one has the value of one of its unique columns. The sink has
    /// undone that.
    #[error("the row `{id}` of `{table}` was refused: another row has one of its unique values")]
    Duplicate {
        /// The key, as the id of a document.
        id: String,
        /// The target table.
        table: &'static str,
    },

    /// The application's function made no row of the record.
    #[error("no row could be made of the record `{id}`")]
    Convert {
        /// The key, as the id of a document.
        id: String,
        /// What the function returned.
        #[source]
        source: BoxError,
    },

    /// The application's function made a row of another key, which a delete of the record would not find.
    #[error("the row that was made of the record `{id}` must have the record's key, and has {found}")]
    OtherKey {
        /// The key, as the id of a document.
        id: String,
        /// The row's key.
        found: String,
    },

    /// The key has no form as an id.
    #[error("the key has no form as an id")]
    Key(#[source] KeyError),

    /// The key's id is longer than the column of `redstream_versions`.
    #[error("the id of a key may have {longest} bytes, and this one has {bytes}: {start}…")]
    KeyTooLong {
        /// Its length.
        bytes: usize,
        /// The longest that is possible.
        longest: usize,
        /// Its beginning.
        start: String,
    },

    /// The version is beyond the column's 63 bits.
    #[error("the version {version} does not fit in 63 bits")]
    Version {
        /// The version.
        version: u64,
    },
}
