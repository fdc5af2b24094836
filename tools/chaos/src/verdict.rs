//! The breaches that were found.

use std::fmt;
use std::sync::{Mutex, PoisonError};

use crate::log::Log;

/// A kind of breach; each is of one law.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Breach {
    /// A committed row has no document.
    Lost,
    /// A document differs from its row.
    Stale,
    /// A document has no row.
    Extra,
    /// An order went back: versions, values, or two batches at once.
    Reordered,
    /// A message was trimmed before each consumer had passed it.
    TrimmedUnread,
    /// An offset moved back.
    OffsetBack,
    /// A process acted as the owner of a lock without being it.
    Fence,
    /// A version is no version of its batch.
    Version,
    /// The datastore had a value that was never committed.
    Uncommitted,
    /// A rolled back write was announced.
    Announced,
    /// The outcome that a writer got differs from that in the database.
    Told,
    /// A handler was not allowed to finish.
    CutOff,
    /// A process panicked, and not because a handler was told to.
    Panicked,
    /// The dead letters are not those of the poisoned keys.
    DeadLetters,
    /// A search by the alias failed, or found a part of an index.
    HalfFilled,
    /// A reindex or a swap that says that it is done is not.
    Swap,
    /// `verify` finds other differences than there are.
    Judge,
    /// Unexpected keys remained in Redis.
    Floor,
    /// Work did not finish within the bound.
    NotIdle,
}

impl fmt::Display for Breach {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Lost => "lost",
            Self::Stale => "stale",
            Self::Extra => "extra",
            Self::Reordered => "reordered",
            Self::TrimmedUnread => "trimmed unread",
            Self::OffsetBack => "offset moved back",
            Self::Fence => "acted without the lock",
            Self::Version => "wrong version",
            Self::Uncommitted => "never committed",
            Self::Announced => "rolled back and announced",
            Self::Told => "outcome told wrong",
            Self::CutOff => "cut off",
            Self::Panicked => "panicked",
            Self::DeadLetters => "dead letters",
            Self::HalfFilled => "half-filled index",
            Self::Swap => "swap not done",
            Self::Judge => "verify is wrong",
            Self::Floor => "left in Redis",
            Self::NotIdle => "not idle in time",
        })
    }
}

/// The breaches of one schedule.
#[derive(Default)]
pub(crate) struct Breaches(Mutex<Vec<(Breach, String)>>);

impl Breaches {
    pub(crate) fn add(&self, breach: Breach, what: String) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push((breach, what));
    }

    pub(crate) fn all(&self) -> Vec<(Breach, String)> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(crate) fn log(&self, log: &Log) {
        for (breach, what) in self.all() {
            log.add("BREACH", &format!("{breach}: {what}"));
        }
    }
}
