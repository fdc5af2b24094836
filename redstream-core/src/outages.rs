//! Failures of many workers at once, told in few lines: one when they begin, one a minute while they last, one when they end.
//!
//! An outage of Redis fails every worker of a process again and again. What each of them met is logged at the level DEBUG.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::Error;
use crate::error::chain;

/// From one line to the next, while it lasts.
const PACE: Duration = Duration::from_secs(60);

/// The workers of one [`Redstream`](crate::Redstream) that cannot work for now. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub(crate) struct Outages(Arc<Mutex<State>>);

#[derive(Debug, Default)]
struct State {
    failing: HashSet<String>,
    outage: Option<Outage>,
}

#[derive(Debug)]
struct Outage {
    begun: Instant,
    told: Instant,
    attempts: u64,
}

impl Outages {
    /// A worker's attempt failed with something that passes by itself; it tries again after `pause`.
    pub(crate) fn failed(&self, worker: &str, error: &Error, pause: Duration) {
        tracing::debug!(worker, error = chain(error), ?pause, "cannot work for now: tries again after the pause");
        let now = Instant::now();
        let mut state = self.state();
        if !state.failing.contains(worker) {
            state.failing.insert(worker.to_owned());
        }
        let workers = state.failing.len();
        let Some(outage) = &mut state.outage else {
            state.outage = Some(Outage { begun: now, told: now, attempts: 1 });
            drop(state);
            tracing::warn!(
                worker,
                error = chain(error),
                "Redis cannot be worked with: workers try again until it answers, and go on from what is stored; the next line about \
                 it comes in a minute"
            );
            return;
        };
        outage.attempts += 1;
        if now - outage.told < PACE {
            return;
        }
        outage.told = now;
        let (lasts, attempts) = (now - outage.begun, outage.attempts);
        drop(state);
        tracing::warn!(workers, attempts, ?lasts, error = chain(error), "Redis still cannot be worked with");
    }

    /// A worker has got hold of Redis again, or ends.
    pub(crate) fn recovered(&self, worker: &str) {
        let mut state = self.state();
        if !state.failing.remove(worker) || !state.failing.is_empty() {
            return;
        }
        let Some(Outage { begun, attempts, .. }) = state.outage.take() else { return };
        drop(state);
        tracing::warn!(lasted = ?begun.elapsed(), attempts, "Redis answers again: all workers are connected");
    }

    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
