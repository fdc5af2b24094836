//! Which warnings a consumer has given lately: shared by its clones, and by the consumers of all shards, so that they
//! warn once.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// One for each kind of warning.
#[derive(Clone, Debug, Default)]
pub(crate) struct Told {
    pub(super) blocked: Pace,
    pub(super) delayer: Pace,
    pub(super) trimmer: Pace,
    pub(super) unwritten: Pace,
}

/// When the warning was last given.
#[derive(Clone, Debug, Default)]
pub(super) struct Pace(Arc<Mutex<Option<Instant>>>);

impl Pace {
    /// Whether the warning is due: it was not given within `every`.
    pub(super) fn is_due(&self, every: Duration) -> bool {
        let mut told = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let now = Instant::now();
        let is_due = told.is_none_or(|before| now - before >= every);
        if is_due {
            *told = Some(now);
        }
        is_due
    }

    /// Resets the warning. Returns whether it had been given.
    pub(super) fn is_over(&self) -> bool {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take().is_some()
    }
}
