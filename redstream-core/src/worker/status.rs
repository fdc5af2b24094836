//! How a worker shows that it is alive, to those who ask.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::error::Error;
use crate::message::StreamName;

/// What a worker is at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum WorkerState {
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

/// A worker's state, shared between the worker, which sets it, and those who watch. Cheap to clone.
///
/// A [`Worker`](crate::Worker) of your own may keep one and hand it out by [`Worker::status`](crate::Worker::status).
#[derive(Clone, Debug)]
pub struct WorkerStatus(Arc<Mutex<Inner>>, Arc<AtomicU64>);

/// A worker that a stream needs and that no host runs.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Neglected {
    /// The delayer: delay messages are overdue. A change whose main message was lost never comes.
    Delayer {
        /// The stream.
        stream: StreamName,
        /// For how long the oldest of them is.
        overdue: Duration,
    },
    /// The trimmer: messages that were committed stay, and fill up Redis.
    Trimmer {
        /// The stream.
        stream: StreamName,
        /// How old the oldest of them is.
        oldest: Duration,
    },
}

impl Neglected {
    /// Whether it is this one: `delayer` or `trimmer`.
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
    /// How long the supervisor lets it be without progress.
    patience: Duration,
    losses: Option<Losses>,
    neglected: Vec<Neglected>,
}

/// Times at which the worker lost what it held, with no work done in between.
#[derive(Clone, Copy, Debug)]
struct Losses {
    first: Instant,
    last: Instant,
}

/// Until a supervisor says otherwise.
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
    /// Something went forward, and this is what the worker is at now.
    pub fn progress(&self, state: WorkerState) {
        let mut inner = self.inner();
        (inner.state, inner.progress) = (state, Instant::now());
    }

    /// Work was done and recorded, which no later owner of the lock has to repeat.
    pub(crate) fn achieved(&self) {
        let mut inner = self.inner();
        (inner.progress, inner.losses) = (Instant::now(), None);
    }

    /// The worker had its lock and lost it, or the connection to work with.
    pub(crate) fn lost(&self) {
        let mut inner = self.inner();
        let last = Instant::now();
        let recent = inner.losses.filter(|losses| last - losses.last <= inner.patience);
        inner.losses = Some(Losses { first: recent.map_or(last, |losses| losses.first), last });
    }

    /// Whether it has taken and lost its lock again and again for longer than its patience, and got nothing done. Taking a lock is no
    /// progress by itself: a worker that does nothing else is not alive.
    pub(crate) fn loses_for_too_long(&self) -> bool {
        let inner = self.inner();
        let patience = inner.patience;
        inner.losses.is_some_and(|Losses { first, last }| last - first > patience && last.elapsed() <= patience)
    }

    /// These workers of its stream are missing.
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

    /// This is what the worker is at now; nothing went forward by it.
    pub fn set_state(&self, state: WorkerState) {
        self.inner().state = state;
    }

    /// The worker's attempt failed so, and it will try again.
    pub(crate) fn failed(&self, error: &Error) {
        self.set_state(if error.is_refused_for_now() { WorkerState::Refused } else { WorkerState::Failing });
    }

    /// What the worker is at.
    pub fn state(&self) -> WorkerState {
        self.inner().state
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
        self.inner().progress.elapsed()
    }

    /// Takes over the longest row of losses of its parts, and all that is missing of their streams.
    pub(crate) fn troubles_of<'a>(&self, parts: impl Iterator<Item = &'a Self>) {
        let parts: Vec<Inner> = parts.map(|part| part.inner().clone()).collect();
        let mut inner = self.inner();
        inner.losses = parts.iter().filter_map(|part| part.losses).max_by_key(|losses| losses.last - losses.first);
        inner.neglected = parts.into_iter().flat_map(|part| part.neglected).collect();
    }

    /// Shows what the parts of a worker are at: those at work, without progress for as long as the slowest of them; failing
    /// where one of them fails.
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
