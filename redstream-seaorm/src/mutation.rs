//! Deliberate defects, by which the chaos harness shows that it would find one. Each is switched on by its name in
//! `REDSTREAM_MUTATION`, with the feature `chaos` alone.

/// A defect, and the law that it breaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mutation {
    /// Law 1: a row of the outbox is deleted before its message was acknowledged.
    RelayDeletesFirst,
    /// Law 2: delay messages are sent after COMMIT.
    DelayAfterCommit,
    /// Law 2: COMMIT does not wait for the delay messages.
    CommitUnacknowledged,
    /// Law 3: a main message that fails fails the commit.
    MainFailureFails,
    /// Law 4: a transaction that is rolled back announces what it wrote.
    RollbackAnnounces,
    /// Law 4: a savepoint that is rolled back leaves its announcements to the transaction.
    SavepointAnnounces,
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
        self, CommitUnacknowledged, DelayAfterCommit, MainFailureFails, RelayDeletesFirst, RollbackAnnounces,
        SavepointAnnounces, UntrackedSilent,
    };

    const ALL: [(Mutation, &str, u8); 7] = [
        (RelayDeletesFirst, "relay-deletes-first", 1),
        (DelayAfterCommit, "delay-after-commit", 2),
        (CommitUnacknowledged, "commit-unacknowledged", 2),
        (MainFailureFails, "main-failure-fails", 3),
        (RollbackAnnounces, "rollback-announces", 4),
        (SavepointAnnounces, "savepoint-announces", 4),
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
