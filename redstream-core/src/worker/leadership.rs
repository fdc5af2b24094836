//! The leadership loop: connect, acquire the lock, work while holding it, release it; start over if it is lost.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use tokio_util::sync::CancellationToken;

use crate::error::{Error, Result};
use crate::failpoint::failpoint;
use crate::redstream::Redstream;
use crate::time::backoff::Pauses;
use crate::transport::outages::Outages;
use crate::transport::session::Session;
use crate::worker::Worker;
use crate::worker::lock::{Attempt, Lock, LockGuard, Waiting};
use crate::worker::status::{WorkerState, WorkerStatus};

/// A worker that works only while it holds a lock.
#[async_trait]
pub(crate) trait Leader: Worker {
    /// The result of one [`turn`](Self::turn).
    type Step: Send;

    fn redstream(&self) -> &Redstream;

    fn lock(&self) -> Lock;

    /// The state that it publishes.
    fn own_status(&self) -> &WorkerStatus;

    /// The first and the longest pause after a failed run of the loop, as far as [`Pauses::for_outage`] allows.
    fn backoff(&self) -> (Duration, Duration) {
        (Duration::from_millis(100), Duration::from_secs(30))
    }

    /// Records its identity, before it works or stands by. Errors if it must not run.
    async fn introduce(&self, _: &Session) -> Result<()> {
        Ok(())
    }

    /// One unit of work on what is there now; waits for nothing.
    async fn step(&self, session: &Session, guard: &LockGuard) -> Result<Self::Step>;

    /// Works until `shutdown`. Errors if the lock or the connection is lost.
    async fn lead(&self, session: &Session, guard: &LockGuard, shutdown: &CancellationToken) -> Result<()>;
}

/// One turn, if the lock is free; `None` if another host holds it.
pub(crate) async fn once<W: Leader>(worker: &W) -> Result<Option<W::Step>> {
    worker.check()?;
    let session = Session::open(worker.redstream().link()).await?;
    let lock = worker.lock();
    // Boxed: a large future.
    let guard = match Box::pin(lock.attempt(&session)).await? {
        Attempt::Acquired(guard) => guard,
        Attempt::Held { .. } => return Ok(None),
        Attempt::Paused => return Err(lock.paused()),
    };
    let outcome = worker.step(&session, &guard).await;
    let released = guard.release().await;
    let step = outcome?;
    released.map(|()| Some(step))
}

/// Repeats the loop until `shutdown`. Retries after transient failures; returns other errors.
pub(crate) async fn serve<W: Leader>(worker: &W, shutdown: &CancellationToken) -> Result<()> {
    worker.check()?;
    let outages = worker.redstream().link().connector().outages();
    let outcome = tenures(worker, outages, shutdown).await;
    outages.ended(&worker.name());
    outcome
}

async fn tenures<W: Leader>(worker: &W, outages: &Outages, shutdown: &CancellationToken) -> Result<()> {
    let (min, max) = worker.backoff();
    let mut pauses = Pauses::for_outage(min, max);
    let stands_by = StandsBy::default();
    while !shutdown.is_cancelled() {
        let Err(error) = lead_until_lost(worker, shutdown, &mut pauses, &stands_by).await else { continue };
        if !error.may_pass() {
            return Err(error);
        }
        let pause = pauses.pause();
        worker.own_status().failed(&error);
        if let Error::LockLost { .. } | Error::Paused { .. } = error {
            // Concerns this worker only.
            tracing::warn!(
                worker = worker.name(),
                error = &error as &dyn std::error::Error,
                ?pause,
                "lock lost: stands by after the pause, and goes on from what is stored"
            );
        } else {
            outages.failed(&worker.name(), &error, pause);
        }
        shutdown.run_until_cancelled(tokio::time::sleep(pause)).await;
    }
    Ok(())
}

/// Which wait was logged: it is not logged again until the worker was at work.
#[derive(Default)]
struct StandsBy(Mutex<Option<Waiting>>);

impl StandsBy {
    fn tell(&self, worker: &str, waiting: Waiting) {
        let mut told = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if told.replace(waiting) == Some(waiting) {
            return;
        }
        match waiting {
            Waiting::Held => {
                tracing::info!(worker, "standing by: another host is at work, and this one takes over from it");
            }
            Waiting::Paused => tracing::info!(worker, "paused: waits until it is resumed"),
        }
    }

    fn is_over(&self) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }
}

/// Returns `Ok` after the shutdown, and if it stood by on connections that are given up: then it begins again at once.
async fn lead_until_lost<W: Leader>(
    worker: &W,
    shutdown: &CancellationToken,
    pauses: &mut Pauses,
    stands_by: &StandsBy,
) -> Result<()> {
    let link = worker.redstream().link();
    let open = Session::open(link);
    let Some(session) = shutdown.run_until_cancelled(open).await.transpose()? else { return Ok(()) };
    let lock = worker.lock();
    lock.register(&session).await?;
    worker.introduce(&session).await?;
    let name = worker.name();
    link.connector().outages().recovered(&name);
    let over = shutdown.child_token();
    let standing_by = |waiting| {
        stands_by.tell(&name, waiting);
        worker.own_status().progress(WorkerState::Standby);
        // A command of another worker failed, and those that begin now share other connections.
        if session.is_given_up() {
            over.cancel();
        }
    };
    let Some(guard) = lock.stand_by(&session, &over, standing_by).await? else { return Ok(()) };
    failpoint!("lock: taken");
    pauses.reset();
    stands_by.is_over();
    worker.own_status().progress(WorkerState::Idle);
    tracing::info!(worker = name, offset = ?guard.found().offset, "lock taken: at work");

    let outcome = worker.lead(&session, &guard, shutdown).await;
    if outcome.is_err() {
        worker.own_status().lost();
    }
    // Released in any case, so that a standby, or this process itself, need not wait for the TTL.
    let released = guard.release().await;
    outcome?;
    released
}

/// Sleeps for `pause`; an error if the lock is lost meanwhile, `false` on shutdown.
pub(crate) async fn rest(pause: Duration, guard: &LockGuard, shutdown: &CancellationToken) -> Result<bool, Error> {
    tokio::select! {
        biased;
        () = shutdown.cancelled() => Ok(false),
        () = guard.lost() => Err(guard.ownership().loss()),
        // The timer counts in milliseconds, and would round zero up to one.
        () = std::future::ready(()), if pause.is_zero() => Ok(true),
        () = tokio::time::sleep(pause) => Ok(true),
    }
}
