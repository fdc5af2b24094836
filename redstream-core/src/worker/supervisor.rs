//! The supervisor: runs the workers from the application's `main`, restarts those that fail, and stops them.

mod handle;
mod signal;

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use tokio_util::sync::CancellationToken;

use crate::error::{Error, Result};
use crate::metrics;
use crate::text::chain;
use crate::time::backoff::Pauses;
use crate::worker::health::{Health, Watched};
use crate::worker::status::{PATIENCE, WorkerState};
use crate::worker::supervisor::handle::Kept;
use crate::worker::{Worker, panic_message};
pub use handle::SupervisorHandle;
pub use signal::stop_signal;

/// After a run of this length a failed worker is restarted with a short pause again.
const STEADY: Duration = Duration::from_secs(60);

/// Runs workers until it is told to stop; restarts those that panic or fail.
///
/// A restart follows a pause, which grows from a tenth of a second to between half a minute and a minute if the same
/// worker fails repeatedly, and is short again once it has run for a minute.
///
/// ```no_run
/// # use std::time::Duration;
/// # use redstream_core::{Batch, Redstream, Supervisor};
/// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
/// let cities = Redstream::connect("redis://127.0.0.1/").await?.stream("cities")?;
/// Supervisor::new()
///     .with(cities.consumer("search", async |batch: Batch| { println!("{} changes", batch.len()); Ok(()) }))
///     .with(cities.delayer(Duration::from_secs(300)))
///     .with(cities.trimmer())
///     .run_until_signal()
///     .await?;
/// # Ok(()) }
/// ```
pub struct Supervisor {
    workers: Vec<Arc<dyn Worker>>,
    grace: Duration,
    patience: Duration,
    drain: CancellationToken,
    health: OnceLock<Health>,
}

impl Default for Supervisor {
    fn default() -> Self {
        Self {
            workers: Vec::new(),
            grace: Duration::from_secs(30),
            patience: PATIENCE,
            drain: CancellationToken::new(),
            health: OnceLock::new(),
        }
    }
}

impl Supervisor {
    /// A supervisor without workers.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a worker.
    #[must_use]
    pub fn with(mut self, worker: impl Worker) -> Self {
        self.health = OnceLock::new();
        self.workers.push(Arc::new(worker));
        self
    }

    /// How long workers may take to finish what they have begun, once told to stop. Default: 30 seconds. A handler that
    /// takes longer is stopped, and its batch is repeated.
    #[must_use]
    pub fn grace(mut self, grace: Duration) -> Self {
        self.grace = grace;
        self
    }

    /// How long a worker may be at work, or fail, without progress before [`Health::is_live`] says that it is not
    /// alive. Default: 5 minutes. Set it longer than your slowest batch. A handler that has not returned by then is
    /// reported in a warning, with its stream, its consumer and the first message of its batch, and again after each
    /// further such time.
    #[must_use]
    pub fn patience(mut self, patience: Duration) -> Self {
        self.health = OnceLock::new();
        self.patience = patience;
        self
    }

    /// A view of the workers' health, and the way to drain them. Call it after all workers have been added: later ones
    /// are not included.
    pub fn health(&self) -> Health {
        let watch = |worker: &Arc<dyn Worker>| {
            let status = worker.status().unwrap_or_default();
            status.set_patience(self.patience);
            Watched { name: worker.name(), status, restarts: AtomicU32::new(0) }
        };
        let health = || Health {
            workers: self.workers.iter().map(watch).collect(),
            drain: self.drain.clone(),
            patience: self.patience,
        };
        self.health.get_or_init(health).clone()
    }

    /// Runs the workers until the process is told to stop by SIGTERM, which Kubernetes, systemd and Docker send, or by
    /// SIGINT, which is ctrl-C (on Windows by ctrl-C); then stops as [`run_until`](Self::run_until) does. Standbys then
    /// take over at once: after a SIGTERM that is not caught they wait until the locks' TTL has passed.
    ///
    /// Let the orchestrator wait for longer than the [`grace`](Self::grace) before it kills the process: Kubernetes'
    /// `terminationGracePeriodSeconds` is 30 seconds by default, as the grace is.
    ///
    /// A handler that blocks the last thread of its runtime prevents this from acting on the signal, and the grace from
    /// ending: use `tokio::task::spawn_blocking`.
    ///
    /// # Errors
    ///
    /// As `run_until`, and with [`Error::Signal`] if the signals cannot be caught.
    pub async fn run_until_signal(self) -> Result<()> {
        let signal = stop_signal()?;
        self.run_until(async {
            let signal = signal.await;
            tracing::info!(signal, "told to stop");
        })
        .await
    }

    /// Starts all workers and returns at once; [`SupervisorHandle::shutdown`] stops them. For programs whose `main` has
    /// its own order of starting and stopping; otherwise use [`run_until_signal`](Self::run_until_signal) or
    /// [`run_until`](Self::run_until).
    ///
    /// # Errors
    ///
    /// If the options of a worker cannot work; no worker has started then.
    ///
    /// # Panics
    ///
    /// Outside a Tokio runtime.
    pub fn start(self) -> Result<SupervisorHandle> {
        self.workers.iter().try_for_each(|worker| worker.check())?;
        let health = self.health();
        let keep = |(at, worker): (usize, Arc<dyn Worker>)| Kept {
            name: worker.name(),
            task: tokio::spawn(keep(worker, at, health.clone(), self.drain.clone())),
        };
        let kept = self.workers.into_iter().enumerate().map(keep).collect();
        Ok(SupervisorHandle { kept, health, grace: self.grace, shutdown: self.drain.drop_guard() })
    }

    /// Starts all workers, waits until `stop` completes, and shuts them down: they stop reading, handlers finish
    /// and commit within the grace period, and the locks are released.
    ///
    /// Dropping the future stops all workers at once, without grace.
    ///
    /// # Errors
    ///
    /// Before any worker starts, if the options of one cannot work; [`Error::GraceExceeded`] if some did not finish in
    /// time and were stopped.
    pub async fn run_until<S: Future>(self, stop: S) -> Result<()> {
        let workers = self.start()?;
        stop.await;
        workers.shutdown().await
    }
}

/// Runs a worker in a task of its own, and restarts it until `shutdown`.
async fn keep(worker: Arc<dyn Worker>, at: usize, health: Health, shutdown: CancellationToken) {
    let watched = &health.workers[at];
    restart(worker, watched, shutdown).await;
    watched.status.progress(WorkerState::Stopped);
}

async fn restart(worker: Arc<dyn Worker>, watched: &Watched, shutdown: CancellationToken) {
    let name = &watched.name;
    let mut pauses = Pauses::new(Duration::from_millis(100), Duration::from_secs(30));
    while !shutdown.is_cancelled() {
        let begun = Instant::now();
        let (runs, token) = (worker.clone(), shutdown.clone());
        if worker.status().is_none() {
            // It publishes no state: only that it runs is known.
            watched.status.progress(WorkerState::Idle);
        }
        let task = tokio_util::task::AbortOnDropHandle::new(tokio::spawn(async move { runs.run(token).await }));
        let failure = match task.await {
            Ok(Ok(())) if shutdown.is_cancelled() => return,
            Ok(Ok(())) => "it ended without being told to".to_owned(),
            Ok(Err(error @ (Error::Forgotten { .. } | Error::Poison { .. }))) => {
                tracing::error!(worker = name, error = chain(&error), "worker stopped for good: not restarted");
                return;
            }
            Ok(Err(error)) => chain(&error),
            Err(stopped) => match stopped.try_into_panic() {
                Ok(panic) => format!("it panicked: {}", panic_message(&*panic)),
                Err(_) => return, // the runtime is going away
            },
        };
        if begun.elapsed() > STEADY {
            pauses.reset();
        }
        let pause = pauses.pause();
        watched.status.set_state(WorkerState::Failing);
        watched.restarts.fetch_add(1, Ordering::Relaxed);
        ::metrics::counter!(metrics::RESTARTS, "worker" => name.clone()).increment(1);
        tracing::error!(worker = name, failure, ?pause, "worker failed: restarted after the pause");
        shutdown.run_until_cancelled(tokio::time::sleep(pause)).await;
    }
}

impl std::fmt::Debug for Supervisor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let names: Vec<String> = self.workers.iter().map(|worker| worker.name()).collect();
        f.debug_struct("Supervisor").field("workers", &names).field("grace", &self.grace).finish_non_exhaustive()
    }
}
