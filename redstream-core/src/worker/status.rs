//! The state that a worker publishes, for probes and operators.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::error::Error;
use crate::message::StreamName;

/// The state of a worker.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum WorkerState {
    /// It has not connected yet.
    Starting,
    /// Another host holds its lock; it waits to take over.
    Standby,
    /// It holds its lock, and has nothing to do.
    Idle,
    /// It is working.
    Working,
    /// Its last attempt failed, and it will try again.
    Failing,
    /// Redis answers and takes no writes for now: it is full, or lacks replicas. The worker continues once that is
    /// over, and not sooner if restarted; so it is alive, and not ready.
    Refused,
    /// It ended, and is not started again.
    Stopped,
}

/// A worker's state, shared between the worker, which sets it, and its observers. Cheap to clone.
///
/// A [`Worker`](crate::Worker) of your own may keep one and return it by [`Worker::status`](crate::Worker::status).
#[derive(Clone, Debug)]
pub struct WorkerStatus(Arc<Mutex<Inner>>, Arc<AtomicU64>);

/// A worker that a stream needs and that no host runs.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Neglected {
    /// The delayer: delay messages are overdue. A change whose main message was lost is never announced.
    Delayer {
        /// The stream.
        stream: StreamName,
        /// For how long the oldest of them has been overdue.
        overdue: Duration,
    },
    /// The trimmer: committed messages are not removed, and fill up Redis.
    Trimmer {
        /// The stream.
        stream: StreamName,
        /// How old the oldest of them is.
        oldest: Duration,
    },
}

impl Neglected {
    /// Its name: `delayer` or `trimmer`.
    pub(crate) fn is_of(&self, worker: &str) -> bool {
        worker == if matches!(self, Self::Delayer { .. }) { "delayer" } else { "trimmer" }
    }

    /// Whether it is the same worker of the same stream.
    pub(crate) fn is_alike(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Delayer { stream, .. }, Self::Delayer { stream: other, .. })
            | (Self::Trimmer { stream, .. }, Self::Trimmer { stream: other, .. }) => stream == other,
            _ => false,
        }
    }
}

#[derive(Clone, Debug)]
struct Inner {
    state: WorkerState,
    progress: Instant,
    /// How long the supervisor tolerates no progress.
    patience: Duration,
    losses: Option<Losses>,
    neglected: Vec<Neglected>,
}

/// Times at which the worker lost its lock or connection, with no work done in between.
#[derive(Clone, Copy, Debug)]
struct Losses {
    first: Instant,
    last: Instant,
}

/// The default until a supervisor sets it.
pub(crate) const PATIENCE: Duration = Duration::from_secs(300);

impl Default for WorkerStatus {
    fn default() -> Self {
        let progress = Instant::now();
        let state =
            Inner { state: WorkerState::Starting, progress, patience: PATIENCE, losses: None, neglected: Vec::new() };
        Self(Arc::new(Mutex::new(state)), Arc::default())
    }
}

impl WorkerStatus {
    /// Records progress, and the worker's new state.
    pub fn progress(&self, state: WorkerState) {
        let mut inner = self.inner();
        (inner.state, inner.progress) = (state, Instant::now());
    }

    /// Records completed work, which no later owner of the lock has to repeat.
    pub(crate) fn achieved(&self) {
        let mut inner = self.inner();
        (inner.progress, inner.losses) = (Instant::now(), None);
    }

    /// Records that the worker lost its lock, or its connection.
    pub(crate) fn lost(&self) {
        let mut inner = self.inner();
        let last = Instant::now();
        let recent = inner.losses.filter(|losses| last - losses.last <= inner.patience);
        inner.losses = Some(Losses { first: recent.map_or(last, |losses| losses.first), last });
    }

    /// Whether it has acquired and lost its lock repeatedly for longer than its patience without progress. Acquiring a
    /// lock is no progress by itself: a worker that does nothing else is not alive.
    pub(crate) fn loses_for_too_long(&self) -> bool {
        let inner = self.inner();
        let patience = inner.patience;
        inner.losses.is_some_and(|Losses { first, last }| last - first > patience && last.elapsed() <= patience)
    }

    /// Records that these workers of its stream are missing.
    pub(crate) fn neglects(&self, neglected: Vec<Neglected>) {
        self.inner().neglected = neglected;
    }

    pub(crate) fn neglected(&self) -> Vec<Neglected> {
        self.inner().neglected.clone()
    }

    pub(crate) fn patience(&self) -> Duration {
        self.inner().patience
    }

    pub(crate) fn set_patience(&self, patience: Duration) {
        self.inner().patience = patience;
    }

    /// Sets the worker's state, without progress.
    pub fn set_state(&self, state: WorkerState) {
        self.inner().state = state;
    }

    /// Records that the worker's attempt failed with this error, and that it will retry.
    pub(crate) fn failed(&self, error: &Error) {
        self.set_state(if error.is_refused_for_now() { WorkerState::Refused } else { WorkerState::Failing });
    }

    /// The worker's state.
    pub fn state(&self) -> WorkerState {
        self.inner().state
    }

    /// How much of its work the worker cannot do and skips: for a relay, rows of the outbox that are no messages or
    /// whose stream Redis refuses.
    pub fn set_aside(&self) -> u64 {
        self.1.load(Relaxed)
    }

    /// Sets how much of its work the worker cannot do now.
    pub fn set_set_aside(&self, pieces: u64) {
        self.1.store(pieces, Relaxed);
    }

    /// How long ago there was progress.
    pub fn since_progress(&self) -> Duration {
        self.inner().progress.elapsed()
    }

    /// Merges the longest series of losses of its parts, and all missing workers of their streams.
    pub(crate) fn troubles_of<'a>(&self, parts: impl Iterator<Item = &'a Self>) {
        let parts: Vec<Inner> = parts.map(|part| part.inner().clone()).collect();
        let mut inner = self.inner();
        inner.losses = parts.iter().filter_map(|part| part.losses).max_by_key(|losses| losses.last - losses.first);
        inner.neglected = parts.into_iter().flat_map(|part| part.neglected).collect();
    }

    /// Merges the states of the parts of a worker: working, without progress for as long as the slowest working part;
    /// failing if one of them fails.
    pub(crate) fn sum_up<'a>(&self, parts: impl Iterator<Item = &'a Self>) {
        let parts: Vec<Inner> = parts.map(|part| part.inner().clone()).collect();
        let busy = |part: &&Inner| !matches!(part.state, WorkerState::Idle | WorkerState::Standby);
        let Some(slowest) = parts.iter().filter(busy).min_by_key(|part| part.progress) else {
            return self.progress(if parts.is_empty() { WorkerState::Standby } else { WorkerState::Idle });
        };
        let stopped_by = [WorkerState::Failing, WorkerState::Refused];
        let stopped_by = stopped_by.into_iter().find(|state| parts.iter().any(|part| part.state == *state));
        let state = stopped_by.unwrap_or(WorkerState::Working);
        let mut inner = self.inner();
        (inner.state, inner.progress) = (state, slowest.progress);
    }

    fn inner(&self) -> std::sync::MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
