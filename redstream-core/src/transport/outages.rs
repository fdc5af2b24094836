//! Failures of many workers at once, logged in few lines: one when they begin, one a minute while they last, one when
//! they end.
//!
//! An outage of Redis fails every worker of a process again and again. Each single failure is logged at the level
//! DEBUG.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::error::Error;
use crate::text::chain;

/// The time between two lines while it lasts.
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
    /// Some worker has reached Redis again.
    is_ending: bool,
}

impl Outages {
    /// Called when a worker's attempt failed transiently; the worker retries after `pause`.
    pub(crate) fn failed(&self, worker: &str, error: &Error, pause: Duration) {
        tracing::debug!(worker, error = chain(error), ?pause, "cannot work for now: tries again after the pause");
        let now = Instant::now();
        let mut state = self.state();
        if !state.failing.contains(worker) {
            state.failing.insert(worker.to_owned());
        }
        let workers = state.failing.len();
        let Some(outage) = &mut state.outage else {
            state.outage = Some(Outage { begun: now, told: now, attempts: 1, is_ending: false });
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

    /// Called when a worker has reached Redis again.
    pub(crate) fn recovered(&self, worker: &str) {
        let mut state = self.state();
        if state.failing.contains(worker)
            && let Some(outage) = &mut state.outage
        {
            outage.is_ending = true;
        }
        Self::left(state, worker);
    }

    /// Called when a worker ends, during an outage or not.
    pub(crate) fn ended(&self, worker: &str) {
        Self::left(self.state(), worker);
    }

    fn left(mut state: MutexGuard<'_, State>, worker: &str) {
        if !state.failing.remove(worker) || !state.failing.is_empty() {
            return;
        }
        let Some(Outage { begun, attempts, is_ending, .. }) = state.outage.take() else { return };
        drop(state);
        // Otherwise all of them were shut down, and the state of Redis is not known.
        if is_ending {
            tracing::warn!(lasted = ?begun.elapsed(), attempts, "Redis answers again: all workers are connected");
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
