//! How to handle an error.

use super::Error;

/// What kind of failure an [`Error`] or a [`BulkError`](crate::BulkError) is: how its caller should handle it. In a
/// [`DbErr`](sea_orm::DbErr) it is found by [`ErrorKind::of`].
///
/// | kind | what happened | what to do | as an answer of HTTP |
/// |---|---|---|---|
/// | [`Unavailable`](Self::Unavailable) | Redis, or the outbox, did not take what insures the change: it is not made | try again later | 503 |
/// | [`Retry`](Self::Retry) | the transaction came to its end without a commit | do the whole transaction again | 503, or 409 |
/// | [`Refused`](Self::Refused) | the write would be missed: it is not made | write it in the way that the error names | 500 |
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// What insures a change could not be written, so that the change is not made. Nothing is wrong with the change
    /// itself.
    Unavailable,
    /// The transaction is over, or rolled back, and nothing of it is committed, except what was committed before by a
    /// statement that commits. All of it can be retried.
    Retry,
    /// The program writes in a way that cannot be tracked. It would fail again.
    Refused,
}

impl Error {
    /// How to handle it.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::NotInsured(_) | Self::NotAnnounced(_) | Self::NoAnswer { .. } | Self::OutboxNotWritten(_) => {
                ErrorKind::Unavailable
            }
            Self::InsertCutOff | Self::TransactionEnded | Self::TransactionAborted => ErrorKind::Retry,
            #[cfg(feature = "stream")]
            Self::StreamedWrite => ErrorKind::Refused,
            Self::Untracked { .. }
            | Self::Bypass { .. }
            | Self::Unread { .. }
            | Self::GeneratedKey { .. }
            | Self::KeyRewritten { .. }
            | Self::KeyNotInUtc { .. }
            | Self::UnseenKey { .. }
            | Self::OpenSavepoint
            | Self::Outlived
            | Self::Message { .. }
            | Self::NoStream { .. }
            | Self::HookMissed { .. }
            | Self::Parent { .. }
            | Self::OtherRedis
            | Self::InvalidOption(_)
            | Self::TransactionControl { .. }
            | Self::ImplicitCommit { .. } => ErrorKind::Refused,
        }
    }
}
