//! Deliberate defects, by which the chaos harness shows that it would find one. Each is switched on by its name in
//! `REDSTREAM_MUTATION`, with the feature `chaos` alone.

/// A defect, and the law that it breaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(not(feature = "chaos"), expect(dead_code, reason = "some are known to the feature alone"))]
pub(crate) enum Mutation {
    /// Law 1: an offset is stored before the handler has begun.
    CommitBeforeHandling,
    /// Law 1: the delayer goes by the clock of its host.
    LocalClock,
    /// Law 5: the offset is stored without a look at who owns the lock.
    UnfencedOffset,
    /// Law 5: a lock is released without a look at who owns it.
    ReleaseUnchecked,
    /// Law 6: ids are compared as strings.
    StringIds,
    /// Law 6: a consumer that has committed nothing is passed over.
    TrimWithoutRegistry,
    /// Law 6: a stream is trimmed to the highest offset.
    TrimHighest,
    /// Law 7: a version is issued before its batch has arrived.
    VersionEarly,
    /// Law 7: every batch has the same version.
    VersionNone,
    /// Law 7: both halves of a batch are handled at once.
    TwoAtOnce,
    /// Law 8: a message that fails for good is tried for ever.
    PoisonKept,
    /// Law 8: a message that fails for good is dropped.
    DeadLetterLost,
    /// Law 9: a shutdown cancels the handler, and its batch is committed.
    SkipOnCancel,
}

/// Whether that defect is switched on.
#[cfg(not(feature = "chaos"))]
#[inline]
pub(crate) const fn is(_: Mutation) -> bool {
    false
}

/// A script as it is.
#[cfg(not(feature = "chaos"))]
pub(crate) const fn script(text: &str) -> &str {
    text
}

#[cfg(feature = "chaos")]
pub use on::all;
#[cfg(feature = "chaos")]
pub(crate) use on::{is, script};

#[cfg(feature = "chaos")]
mod on {
    use std::sync::LazyLock;

    use super::Mutation::{
        self, CommitBeforeHandling, DeadLetterLost, LocalClock, PoisonKept, ReleaseUnchecked, SkipOnCancel, StringIds,
        TrimHighest, TrimWithoutRegistry, TwoAtOnce, UnfencedOffset, VersionEarly, VersionNone,
    };
    use crate::fault::switched_on;

    const ALL: [(Mutation, &str, u8); 13] = [
        (CommitBeforeHandling, "commit-before-handling", 1),
        (LocalClock, "local-clock", 1),
        (UnfencedOffset, "unfenced-offset", 5),
        (ReleaseUnchecked, "release-unchecked", 5),
        (StringIds, "string-ids", 6),
        (TrimWithoutRegistry, "trim-without-registry", 6),
        (TrimHighest, "trim-highest", 6),
        (VersionEarly, "version-early", 7),
        (VersionNone, "version-none", 7),
        (TwoAtOnce, "two-at-once", 7),
        (PoisonKept, "poison-kept", 8),
        (DeadLetterLost, "dead-letter-lost", 8),
        (SkipOnCancel, "skip-on-cancel", 9),
    ];

    static ON: LazyLock<Option<Mutation>> = LazyLock::new(|| switched_on(&ALL));

    /// The name of each defect, and the law that it breaks.
    pub fn all() -> impl Iterator<Item = (&'static str, u8)> {
        ALL.into_iter().map(|(_, name, law)| (name, law))
    }

    pub(crate) fn is(mutation: Mutation) -> bool {
        *ON == Some(mutation)
    }

    /// A script with the defect that is switched on.
    pub(crate) fn script(text: &str) -> String {
        let (from, to) = match *ON {
            Some(UnfencedOffset) => (
                "registered(KEYS[3], ARGV[3])\nif not owns(KEYS[1], note, ARGV[1], ARGV[2]) then return {'lost'} end",
                "registered(KEYS[3], ARGV[3])",
            ),
            Some(ReleaseUnchecked) => ("if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end\n", ""),
            Some(StringIds) => {
                ("  return shorter(a_ms, b_ms) or (a_ms == b_ms and shorter(a_seq, b_seq))", "  return a < b")
            }
            Some(TrimWithoutRegistry) => {
                ("if not offset then return {'waiting', name} end", "if not offset then offset = last end")
            }
            Some(TrimHighest) => ("before(offset, lowest)", "before(lowest, offset)"),
            Some(LocalClock) => ("if tonumber((parts(last))) + delay <= now then", "if true then"),
            Some(DeadLetterLost) => ("for i = 6, #ARGV, 5 do", "for i = #ARGV + 1, #ARGV, 5 do"),
            _ => return text.to_owned(),
        };
        text.replace(from, to)
    }
}
