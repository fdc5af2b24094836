//! The observer: a worker that sets gauges from an overview, for dashboards and alerts.

mod gauges;
mod places;

use std::sync::{Arc, LazyLock, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use self::gauges::Gauges;
use crate::error::Result;
use crate::message::StreamName;
use crate::redstream::Redstream;
use crate::transport::options::positive;
use crate::transport::session::Session;
use crate::worker::leadership::{self, Leader, rest};
use crate::worker::{Lock, LockGuard, Worker, WorkerState, WorkerStatus};

/// The pause is at least this many times as long as the look before it: Redis is looked at for a tenth of the time.
const PAUSES_PER_LOOK: u32 = 9;

/// A lock belongs to a stream; this one is of the whole namespace.
static LOCK: LazyLock<StreamName> = LazyLock::new(|| StreamName::new("observer").expect("a usable name"));

/// Sets the gauges that a dashboard and alerts need, from an [`overview`](Redstream::overview) in intervals; made by
/// [`Redstream::observer`].
///
/// Run it on every host: one of them observes, and the others stand by. Gauges keep their value until they are set
/// again, so those of a stream or a consumer that is gone, and all of a host that no longer observes, are set to NaN:
/// no comparison with NaN is true. The exception is `redstream_observed_timestamp_seconds`, the time of the last look,
/// by which an alert finds that no host observes. The constants of [`metrics`](crate::metrics) have the names.
///
/// Each look reads every key of the database by `SCAN`, as [`overview`](Redstream::overview) does, and needs the same
/// rights.
#[derive(Clone, Debug)]
pub struct Observer {
    redstream: Redstream,
    every: Duration,
    most_streams: usize,
    lock_ttl: Duration,
    status: WorkerStatus,
    gauges: Arc<Mutex<Gauges>>,
}

impl Redstream {
    /// A worker that sets gauges of all streams, consumers and servers of this namespace, for dashboards and alerts.
    pub fn observer(&self) -> Observer {
        Observer {
            redstream: self.clone(),
            every: Duration::from_secs(15),
            most_streams: 1000,
            lock_ttl: Duration::from_secs(5),
            status: WorkerStatus::default(),
            gauges: Arc::default(),
        }
    }
}

impl Observer {
    /// The pause between two looks. Default: 15 seconds. It is longer if a look takes more than a ninth of it.
    #[must_use]
    pub fn every(mut self, every: Duration) -> Self {
        self.every = every;
        self
    }

    /// How many streams have series of their own, and a quarter of how many consumers. Default: 1000. The values of all
    /// others are summed under the label `other`; of ages and states, it has the worst. A warning tells of the first.
    ///
    /// A recorder keeps what it has once, so a name counts as long as the process runs, also after its stream is gone.
    #[must_use]
    pub fn most_streams(mut self, streams: usize) -> Self {
        self.most_streams = streams;
        self
    }

    /// After how long without renewal another host may take over. Default: 5 seconds.
    #[must_use]
    pub fn lock_ttl(mut self, ttl: Duration) -> Self {
        self.lock_ttl = ttl;
        self
    }

    /// Looks once and sets the gauges, which keep their values; for a process that pushes them and ends. `false`:
    /// another host observes.
    ///
    /// # Errors
    ///
    /// As [`run`](Self::run), and if Redis does not answer.
    pub async fn run_once(&self) -> Result<bool> {
        leadership::once(self).await.map(|step| step.is_some())
    }

    /// Looks in intervals, or stands by, until `shutdown`.
    ///
    /// # Errors
    ///
    /// Only if waiting cannot help, as with [`Consumer::run`](crate::Consumer::run).
    pub async fn run(&self, shutdown: CancellationToken) -> Result<()> {
        leadership::serve(self, &shutdown).await
    }

    async fn look(&self) -> Result<()> {
        let overview = self.redstream.overview().await?;
        self.gauges.lock().unwrap_or_else(PoisonError::into_inner).update(&overview, self.most_streams);
        Ok(())
    }
}

/// Ends the series when the worker no longer observes, also if its future is dropped.
struct Observing<'a>(&'a Observer);

impl Drop for Observing<'_> {
    fn drop(&mut self) {
        self.0.gauges.lock().unwrap_or_else(PoisonError::into_inner).end();
    }
}

#[async_trait]
impl Leader for Observer {
    type Step = ();

    fn redstream(&self) -> &Redstream {
        &self.redstream
    }

    fn lock(&self) -> Lock {
        Lock::work(&self.redstream, &LOCK, "overview", self.lock_ttl)
    }

    fn own_status(&self) -> &WorkerStatus {
        &self.status
    }

    async fn step(&self, _: &Session, _: &LockGuard) -> Result<()> {
        self.look().await
    }

    async fn lead(&self, _: &Session, guard: &LockGuard, shutdown: &CancellationToken) -> Result<()> {
        let _observing = Observing(self);
        loop {
            self.status.set_state(WorkerState::Working);
            let began = Instant::now();
            self.look().await?;
            self.status.achieved();
            self.status.set_state(WorkerState::Idle);
            let pause = self.every.max(began.elapsed() * PAUSES_PER_LOOK);
            if !rest(pause, guard, shutdown).await? {
                return Ok(());
            }
        }
    }
}

#[async_trait]
impl Worker for Observer {
    fn name(&self) -> String {
        "observer".to_owned()
    }

    fn check(&self) -> Result<()> {
        positive("every", self.every)?;
        Lock::check_ttl(self.lock_ttl)
    }

    fn status(&self) -> Option<WorkerStatus> {
        Some(self.status.clone())
    }

    async fn run(&self, shutdown: CancellationToken) -> Result<()> {
        Observer::run(self, shutdown).await
    }
}
