//! How a worker shows that it is alive, to whoever asks.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// What a worker is at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Condition {
    /// It has not connected yet.
    Starting,
    /// Another host holds its lock; it waits to take over.
    Standby,
    /// It holds its lock, and has nothing to do.
    Idle,
    /// It has work at hand.
    Working,
    /// Its last attempt failed, and it will try again.
    Failing,
    /// Redis answers and takes no writes for now: it is full, or misses its replicas. The worker goes on once that is over, and
    /// not sooner for being restarted; so it is alive, and not ready.
    Refused,
    /// It ended, and is not started again.
    Stopped,
}

/// A worker's state, shared between the worker, which sets it, and whoever watches. Cheap to clone.
///
/// A [`Worker`](crate::Worker) of your own may keep one and hand it out by [`Worker::pulse`](crate::Worker::pulse).
#[derive(Clone, Debug)]
pub struct Pulse(Arc<Mutex<State>>);

#[derive(Clone, Copy, Debug)]
struct State {
    condition: Condition,
    progress: Instant,
}

impl Default for Pulse {
    fn default() -> Self {
        Self(Arc::new(Mutex::new(State { condition: Condition::Starting, progress: Instant::now() })))
    }
}

impl Pulse {
    /// Something went forward, and this is what the worker is at now.
    pub fn progress(&self, condition: Condition) {
        *self.state() = State { condition, progress: Instant::now() };
    }

    /// This is what the worker is at now; nothing went forward by it.
    pub fn turn(&self, condition: Condition) {
        self.state().condition = condition;
    }

    /// The worker's attempt failed so, and it will try again.
    pub(crate) fn failed(&self, error: &crate::Error) {
        self.turn(if error.is_refused_for_now() { Condition::Refused } else { Condition::Failing });
    }

    /// What the worker is at.
    pub fn condition(&self) -> Condition {
        self.state().condition
    }

    /// How long ago something last went forward.
    pub fn since_progress(&self) -> Duration {
        self.state().progress.elapsed()
    }

    /// Shows what the parts of a worker are at: those at work, without progress for as long as the slowest of them; failing
    /// where one of them fails.
    pub(crate) fn sum_up<'a>(&self, parts: impl Iterator<Item = &'a Self>) {
        let parts: Vec<State> = parts.map(|part| *part.state()).collect();
        let busy = |part: &&State| !matches!(part.condition, Condition::Idle | Condition::Standby);
        let Some(slowest) = parts.iter().filter(busy).min_by_key(|part| part.progress) else {
            return self.progress(if parts.is_empty() { Condition::Standby } else { Condition::Idle });
        };
        let stopped_by = [Condition::Failing, Condition::Refused];
        let stopped_by = stopped_by.into_iter().find(|condition| parts.iter().any(|part| part.condition == *condition));
        let condition = stopped_by.unwrap_or(Condition::Working);
        *self.state() = State { condition, progress: slowest.progress };
    }

    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
