//! Why a tracked write was refused.
//!
//! Hooks answer in SeaORM's own error type, which has no room for a cause, so the text holds the chain.

use sea_orm::DbErr;

/// A write that was refused, or a commit that was turned into a rollback.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The hook was given a connection that nobody listens on.
    #[error(
        "`{table}` is streamed, but this write goes through a connection that is not streamed, so its change would be \
         missed: pass the StreamedConnection, or a transaction begun on it"
    )]
    Untracked {
        /// The table.
        table: String,
    },

    /// The key is known only when the row is committed already, too late to insure it.
    #[error(
        "insert into `{table}` outside a transaction, with a key that the database generates: it could be committed \
         without being insured. Use `insert_tx`, or insert within a transaction, or set the key beforehand"
    )]
    GeneratedKey {
        /// The table.
        table: String,
    },

    /// The future of an insert was dropped while its statement ran. The row may be there, under a key that nobody knows
    /// and nobody could insure.
    #[error(
        "an insert in this transaction was cut off before its generated key was known, so its row could be committed \
         without being insured: the transaction is rolled back"
    )]
    InsertCutOff,

    /// To the database, a commit with a savepoint open inside is a release of that savepoint: it would commit nothing.
    #[error(
        "a savepoint of this transaction is still open, so a commit would release that and commit nothing: the \
         transaction is rolled back. Commit, roll back or drop the savepoint first"
    )]
    OpenSavepoint,

    /// To the database, the commit of a savepoint whose transaction is over is a commit of that transaction.
    #[error("the transaction around this savepoint is over already: the savepoint is rolled back with it")]
    Outlived,

    /// The delay messages were not written, so the change is not insured and does not happen.
    #[error("the delay messages of this change were not written, so it is not made")]
    NotInsured(#[source] std::sync::Arc<redstream_core::Error>),

    /// The key cannot become a message.
    #[error("no message can be made of a key of `{table}`")]
    Message {
        /// The table.
        table: String,
        /// Why not.
        #[source]
        source: redstream_core::BoxError,
    },

    /// The task that commits is gone; whether the COMMIT went through is unknown. If it did, the delay messages
    /// announce it.
    #[error("the commit was cut off: whether it went through is unknown")]
    CutOff(#[source] tokio::task::JoinError),

    /// The producer writes to another Redis than the connection.
    #[error(
        "this producer and the connection's do not belong to one Redstream handle: the change would be insured elsewhere"
    )]
    OtherRedis,
}

impl From<Error> for DbErr {
    fn from(error: Error) -> Self {
        let mut text = format!("redstream: {error}");
        let mut cause = std::error::Error::source(&error);
        while let Some(error) = cause {
            text.push_str(": ");
            text.push_str(&error.to_string());
            cause = error.source();
        }
        DbErr::Custom(text)
    }
}
