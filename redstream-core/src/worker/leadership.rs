//! A tenure: connect, take the lock, work while it is held, give it back; and again when it is lost.

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
    /// What one [`turn`](Self::turn) did.
    type Turn: Send;

    fn redstream(&self) -> &Redstream;

    fn lock(&self) -> Lock;

    /// Where it shows what it is at.
    fn own_status(&self) -> &WorkerStatus;

    /// The first and the longest pause between tenures that failed, as far as [knocking](Pauses::knocking) allows.
    fn backoff(&self) -> (Duration, Duration) {
        (Duration::from_millis(100), Duration::from_secs(30))
    }

    /// Says what it is, before it works or stands by. Errors if it must not.
    async fn introduce(&self, _: &Session) -> Result<()> {
        Ok(())
    }

    /// One unit of work on what is there now; waits for nothing.
    async fn turn(&self, session: &Session, guard: &LockGuard) -> Result<Self::Turn>;

    /// Works until `shutdown`. Errors where lock or connection are lost.
    async fn work(&self, session: &Session, guard: &LockGuard, shutdown: &CancellationToken) -> Result<()>;
}

/// One turn, where the lock is free; `None` where another holds it.
pub(crate) async fn once<W: Leader>(worker: &W) -> Result<Option<W::Turn>> {
    worker.check()?;
    let session = Session::open(worker.redstream().link().connector()).await?;
    let lock = worker.lock();
    // Boxed: a large future.
    let guard = match Box::pin(lock.attempt(&session)).await? {
        Attempt::Acquired(guard) => guard,
        Attempt::Held { .. } => return Ok(None),
        Attempt::Paused => return Err(lock.paused()),
    };
    let outcome = worker.turn(&session, &guard).await;
    let released = guard.release().await;
    let turn = outcome?;
    released.map(|()| Some(turn))
}

/// Tenure after tenure until `shutdown`. Lives through what a wait can mend; errors on the rest.
pub(crate) async fn serve<W: Leader>(worker: &W, shutdown: &CancellationToken) -> Result<()> {
    worker.check()?;
    let outages = worker.redstream().link().connector().outages();
    let outcome = tenures(worker, outages, shutdown).await;
    outages.ended(&worker.name());
    outcome
}

async fn tenures<W: Leader>(worker: &W, outages: &Outages, shutdown: &CancellationToken) -> Result<()> {
    let (min, max) = worker.backoff();
    let mut pauses = Pauses::knocking(min, max);
    let stands_by = StandsBy::default();
    while !shutdown.is_cancelled() {
        let Err(error) = tenure(worker, shutdown, &mut pauses, &stands_by).await else { continue };
        if !error.may_pass() {
            return Err(error);
        }
        let pause = pauses.pause();
        worker.own_status().failed(&error);
        if let Error::LockLost { .. } | Error::Paused { .. } = error {
            // Of this worker alone.
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

/// What a worker waits for was told, and is not told again until it was at work.
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

/// Ends `Ok` with the shutdown only.
async fn tenure<W: Leader>(
    worker: &W,
    shutdown: &CancellationToken,
    pauses: &mut Pauses,
    stands_by: &StandsBy,
) -> Result<()> {
    let connector = worker.redstream().link().connector();
    let open = Session::open(connector);
    let Some(session) = shutdown.run_until_cancelled(open).await.transpose()? else { return Ok(()) };
    let lock = worker.lock();
    lock.register(&session).await?;
    worker.introduce(&session).await?;
    let name = worker.name();
    connector.outages().recovered(&name);
    let standing_by = |waiting| {
        stands_by.tell(&name, waiting);
        worker.own_status().progress(WorkerState::Standby);
    };
    let Some(guard) = lock.stand_by(&session, shutdown, standing_by).await? else { return Ok(()) };
    failpoint!("lock: taken");
    pauses.reset();
    stands_by.is_over();
    worker.own_status().progress(WorkerState::Idle);
    tracing::info!(worker = name, offset = ?guard.found().offset, "lock taken: at work");

    let outcome = worker.work(&session, &guard, shutdown).await;
    if outcome.is_err() {
        worker.own_status().lost();
    }
    // Whatever ended it: a standby, or this process itself, need not wait for the TTL.
    let released = guard.release().await;
    outcome?;
    released
}

/// Sleeps for `pause`; an error where the lock is lost meanwhile, `false` where told to stop.
pub(crate) async fn rest(pause: Duration, guard: &LockGuard, shutdown: &CancellationToken) -> Result<bool, Error> {
    tokio::select! {
        biased;
        () = shutdown.cancelled() => Ok(false),
        () = guard.lost() => Err(guard.ownership().loss()),
        // The timer counts in milliseconds, and would make one of none.
        () = std::future::ready(()), if pause.is_zero() => Ok(true),
        () = tokio::time::sleep(pause) => Ok(true),
    }
}
