//! What the chaos harness switches on and watches. Without the feature `chaos` all of it compiles to nothing.
//!
//! - [`cross`] marks a point of the flow, one at each of its arrows.
//! - [`Mutation`] lists deliberate defects, by which the harness shows that it would find one. Each is switched on by its name in
//!   `REDSTREAM_MUTATION`.
//!
//! A leaf: may use no other module of this crate.

#[cfg(feature = "chaos")]
pub(crate) use redstream_core::chaos::cross;

/// The flow has come to this point.
#[cfg(not(feature = "chaos"))]
#[inline]
pub(crate) const fn cross(_: &'static str) {}

/// A defect, and the law that it breaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mutation {
    /// Law 1: a row of the outbox is deleted before its message was acknowledged.
    RelayDeletesFirst,
    /// Law 1: what is announced is the key that a statement was given, not the one that the database has.
    GivenKeyAnnounced,
    /// Law 1: a document is deleted when no row has the very spelling of its key.
    LooseKeysDeleted,
    /// Law 1: a transaction goes on when the server has ended it.
    EndedTransactionGoesOn,
    /// Law 2: delay messages are sent after COMMIT.
    DelayAfterCommit,
    /// Law 2: COMMIT does not wait for the delay messages.
    CommitUnacknowledged,
    /// Law 2: a statement that commits implicitly runs like any other.
    ImplicitCommitUnseen,
    /// Law 3: a main message that fails fails the commit.
    MainFailureFails,
    /// Law 4: a transaction that is rolled back announces what it wrote.
    RollbackAnnounces,
    /// Law 4: a savepoint that is rolled back leaves its announcements to the transaction.
    SavepointAnnounces,
    /// Law 10: a statement that the guard cannot read passes in silence.
    BypassUnread,
    /// Law 10: a write through a connection that is not streamed passes in silence.
    UntrackedSilent,
}

/// Whether that defect is switched on.
#[cfg(not(feature = "chaos"))]
#[inline]
pub(crate) const fn is(_: Mutation) -> bool {
    false
}

#[cfg(feature = "chaos")]
pub use on::all;
#[cfg(feature = "chaos")]
pub(crate) use on::is;

#[cfg(feature = "chaos")]
mod on {
    use std::sync::LazyLock;

    use redstream_core::chaos::switched_on;

    use super::Mutation::{
        self, BypassUnread, CommitUnacknowledged, DelayAfterCommit, EndedTransactionGoesOn, GivenKeyAnnounced,
        ImplicitCommitUnseen, LooseKeysDeleted, MainFailureFails, RelayDeletesFirst, RollbackAnnounces,
        SavepointAnnounces, UntrackedSilent,
    };

    const ALL: [(Mutation, &str, u8); 12] = [
        (RelayDeletesFirst, "relay-deletes-first", 1),
        (GivenKeyAnnounced, "given-key-announced", 1),
        (LooseKeysDeleted, "loose-keys-deleted", 1),
        (EndedTransactionGoesOn, "ended-transaction-goes-on", 1),
        (DelayAfterCommit, "delay-after-commit", 2),
        (CommitUnacknowledged, "commit-unacknowledged", 2),
        (ImplicitCommitUnseen, "implicit-commit-unseen", 2),
        (MainFailureFails, "main-failure-fails", 3),
        (RollbackAnnounces, "rollback-announces", 4),
        (SavepointAnnounces, "savepoint-announces", 4),
        (BypassUnread, "bypass-unread", 10),
        (UntrackedSilent, "untracked-silent", 10),
    ];

    static ON: LazyLock<Option<Mutation>> = LazyLock::new(|| switched_on(&ALL));

    /// The name of each defect, and the law that it breaks.
    pub fn all() -> impl Iterator<Item = (&'static str, u8)> {
        ALL.into_iter().map(|(_, name, law)| (name, law))
    }

    pub(crate) fn is(mutation: Mutation) -> bool {
        *ON == Some(mutation)
    }
}
