//! Errors of tracked writes that were refused.
//!
//! A leaf: may use no other module of this crate.

mod carried;
mod kind;
mod parent_fault;

use sea_orm::DbErr;

pub(crate) use self::carried::{carry, find};
pub use self::kind::ErrorKind;
pub use self::parent_fault::ParentFault;

/// A write that was refused, or a commit that was turned into a rollback.
///
/// SeaORM's traits return [`DbErr`]: [`Error::of`] finds this error in it, and [`ErrorKind::of`] says how to handle it.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The hook was given a connection that is not streamed.
    #[error(
        "`{table}` is streamed, but this write goes through a connection that is not streamed, so its change would be \
         missed: pass the StreamedConnection, or a transaction begun on it"
    )]
    Untracked {
        /// The table.
        table: String,
    },

    /// A statement that writes a streamed table bypasses the hooks; see [`BypassGuard`](crate::BypassGuard).
    #[error("{}", bypass(table, verb, view.as_deref()))]
    Bypass {
        /// The table.
        table: String,
        /// What the statement is: `INSERT`, `UPDATE`, …
        verb: &'static str,
        /// The view or partition that the statement names instead of the table.
        view: Option<String>,
    },

    /// The text of a statement does not tell which tables it writes, so it counts as a write of every streamed one; see
    /// [`BypassGuard`](crate::BypassGuard).
    #[error(
        "the text of this statement does not tell which tables it writes, so it counts as a write of every streamed table: if it writes \
         none, call `hooks::allow_unread(&db)` right before it; if it does, name the records by `producer.bulk` around it: \
         {statement}"
    )]
    Unread {
        /// Its head, such as `DO` or `EXECUTE`, or its first 200 characters.
        statement: String,
    },

    /// The database generates a key and does not return it, so its row cannot be insured: it is rolled back.
    #[error(
        "insert into `{table}`: the database generates the key, and does not tell it, so the row cannot be insured and \
         is not written. Set the key beforehand"
    )]
    GeneratedKey {
        /// The table.
        table: String,
    },

    /// The database stored a row under another key than it was given, and does not return it: the row could not be
    /// announced, so the write is rolled back.
    #[error(
        "the database stored a row of `{table}` under another key than it was given, and does not tell which (a trigger, \
         the scale or the precision of the key's column): the write is rolled back. Give the key as the database stores it, or \
         name the old and the new keys with `producer.bulk_keys(&db, keys, …)`"
    )]
    KeyRewritten {
        /// The table.
        table: String,
    },

    /// A key with a time zone is not in UTC, and SQLite compares such keys as text: a row that is stored under this
    /// spelling is not found by the key in messages, which is in UTC.
    #[error(
        "a key of `{table}` has a time zone other than UTC, and SQLite compares the texts of such keys: the row would not be found by \
         the key in its messages. Give the key in UTC"
    )]
    KeyNotInUtc {
        /// The table.
        table: String,
    },

    /// Within [`StreamedConnection::scope`](crate::StreamedConnection::scope) the statement, and so its key, is not
    /// seen.
    #[error(
        "insert into `{table}` through SeaORM's own connection, with a key that the database generates: it would be \
         committed without being insured. Insert within a transaction, or through the StreamedConnection, or set the key \
         beforehand"
    )]
    UnseenKey {
        /// The table.
        table: String,
    },

    /// A hook was called for a statement whose rows are streamed, so that its keys are not read.
    #[cfg(feature = "stream")]
    #[error(
        "a hook was called for a statement that is executed as a stream, which cannot be insured: execute it without \
         streaming"
    )]
    StreamedWrite,

    /// The future of a write was dropped while its statement ran, or the key of its row could not be read. A row may
    /// exist under a key that is not known, and so is not insured.
    #[error(
        "a write in this transaction was cut off, or failed, before the key of its row was known, so its row could be \
         committed without being insured: the transaction is rolled back"
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

    /// Records were touched without a write, and Redis did not take their messages.
    #[error("the messages of these records were not written: try again, nothing else brings them")]
    NotAnnounced(#[source] std::sync::Arc<redstream_core::Error>),

    /// Redis did not acknowledge the delay messages in the time that a commit gives it.
    #[error("no acknowledgement of the delay messages within {within:?}")]
    NoAnswer {
        /// How long was waited.
        within: std::time::Duration,
    },

    /// The change could not be written to the outbox, so it is not insured and does not happen.
    #[error(
        "this change was not written to the table `redstream_outbox`, so it is not made: does the table exist? \
         `redstream_seaorm::outbox` says how to create it"
    )]
    OutboxNotWritten(#[source] DbErr),

    /// The key cannot become a message.
    #[error("no message can be made of a key of `{table}`")]
    Message {
        /// The table.
        table: String,
        /// Why not.
        #[source]
        source: redstream_core::BoxError,
    },

    /// The entity only announces its parents, by `#[streamed(parents_only)]`.
    #[error(
        "`{table}` is streamed for its parents only, and has no stream: announce the parents, or leave `parents_only` out"
    )]
    NoStream {
        /// The table.
        table: String,
    },

    /// A hook after a write was called without the hook before it, which would have announced the parents: the parents
    /// that the row had are no longer known.
    #[error(
        "the hook after a write of `{table}` was called without the hook before it, which announces the row's parents: call both \
         hooks of a save or delete"
    )]
    HookMissed {
        /// The table.
        table: String,
    },

    /// The parents of a row cannot be announced.
    #[error("{fault}")]
    Parent {
        /// Why not.
        fault: ParentFault,
    },

    /// The producer belongs to another Redis handle than the connection.
    #[error(
        "this producer and the connection's do not belong to one Redstream handle: the change would be insured elsewhere"
    )]
    OtherRedis,

    /// The database has ended the transaction by itself, so that later statements would be committed one by one. What
    /// the transaction had written is rolled back after a deadlock or a conflict that rolls back; it is committed, and
    /// insured, after a procedure that commits.
    ///
    /// Or its driver has rolled back another level than was meant: a `begin` within the transaction failed, it or the
    /// commit of a savepoint was dropped before its answer, or one of two sibling savepoints was rolled back or
    /// dropped.
    #[error(
        "the database has ended this transaction by itself, after a deadlock, a conflict that rolls back or a statement that \
         commits, or its driver has, after a nested `begin` or `commit` that failed or was dropped, or a rollback of one of two \
         savepoints side by side: roll back, begin a new transaction, and do the whole of the work again"
    )]
    TransactionEnded,

    /// A statement of the transaction has failed, and PostgreSQL then turns its commit into a rollback that succeeds.
    #[error(
        "a statement of this transaction has failed, so the database would roll it back at its commit: nothing of it is \
         committed. Roll back to a savepoint to go on after a failure"
    )]
    TransactionAborted,

    /// A statement within a transaction that begins or ends one: what it commits would not be insured, or what it rolls
    /// back would be announced.
    #[error(
        "`{statement}` within a transaction would begin or end one without being noticed: use the methods `begin`, `commit` \
         and `rollback`, also for savepoints"
    )]
    TransactionControl {
        /// Its first words.
        statement: String,
    },

    /// An option that cannot work, such as a batch size of zero: the same error as the workers give.
    #[error(transparent)]
    InvalidOption(redstream_core::Error),

    /// A statement before which the database commits the transaction in which it runs.
    #[error(
        "the database commits the transaction before it runs `{statement}`, so its changes would not be insured: run this \
         statement on the connection, outside of the transaction"
    )]
    ImplicitCommit {
        /// Its first words.
        statement: String,
    },
}

/// Refuses batches of zero rows, with which no operation would finish.
pub(crate) fn check_batch_size(rows: u64) -> Result<(), redstream_core::Error> {
    if rows == 0 {
        let reason = "it is zero".to_owned();
        return Err(redstream_core::Error::InvalidOption { option: "batch_size", reason });
    }
    Ok(())
}

/// What bypasses the hooks, and what to do instead.
fn bypass(table: &str, verb: &str, view: Option<&str>) -> String {
    let instead = match verb {
        "INSERT" | "REPLACE" => "insert by an ActiveModel, or by `Bulk::insert_many` or `Bulk::upsert_many`",
        "UPDATE" => "update by an ActiveModel, or by `Bulk::update_many`",
        "DELETE" => "delete by a model, or by `Bulk::delete_many`",
        "TRUNCATE" => "delete by `Bulk::delete_many`",
        _ => "write by ActiveModels, or by `Bulk`",
    };
    let through = view.map(|view| format!(" through `{view}`")).unwrap_or_default();
    format!(
        "{verb} of `{table}`{through} goes round the hooks, so its changes are not insured and not announced: {instead}, or wrap the \
         statement in `producer.bulk`"
    )
}
