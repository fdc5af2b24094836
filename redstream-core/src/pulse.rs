//! How a worker shows that it is alive, to whoever asks.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
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
    /// It ended, and is not started again.
    Stopped,
}

/// A worker's state, shared between the worker, which sets it, and whoever watches. Cheap to clone.
///
/// A [`Worker`](crate::Worker) of your own may keep one and hand it out by [`Worker::pulse`](crate::Worker::pulse).
#[derive(Clone, Debug)]
pub struct Pulse(Arc<Mutex<State>>, Arc<AtomicU64>);

#[derive(Clone, Copy, Debug)]
struct State {
    condition: Condition,
    progress: Instant,
}

impl Default for Pulse {
    fn default() -> Self {
        let state = State { condition: Condition::Starting, progress: Instant::now() };
        Self(Arc::new(Mutex::new(state)), Arc::default())
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

    /// What the worker is at.
    pub fn condition(&self) -> Condition {
        self.state().condition
    }

    /// How much of its work the worker cannot do, and passes over: for a relay, rows of the outbox that are no messages or whose stream
    /// Redis refuses.
    pub fn set_aside(&self) -> u64 {
        self.1.load(Relaxed)
    }

    /// So much of its work the worker cannot do now.
    pub fn set_set_aside(&self, pieces: u64) {
        self.1.store(pieces, Relaxed);
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
        let failing = parts.iter().find(|part| part.condition == Condition::Failing);
        let condition = failing.map_or(Condition::Working, |part| part.condition);
        *self.state() = State { condition, progress: slowest.progress };
    }

    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
