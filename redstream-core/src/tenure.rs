//! A tenure: connect, take the lock, work while it is held, give it back; and again when it is lost.

use std::time::Duration;

use async_trait::async_trait;
use tokio_util::sync::CancellationToken;

use crate::backoff::Pauses;
use crate::chaos::cross;
use crate::lock::{Attempt, Lock, LockGuard};
use crate::pulse::{Condition, Pulse};
use crate::session::Session;
use crate::worker::Worker;
use crate::{Error, Redstream, Result};

/// A worker that works only while it holds a lock.
#[async_trait]
pub(crate) trait Tenure: Worker {
    /// What one [`turn`](Self::turn) did.
    type Turn: Send;

    fn redstream(&self) -> &Redstream;

    fn lock(&self) -> Lock;

    /// Where it shows what it is at.
    fn own_pulse(&self) -> &Pulse;

    /// The first and the longest pause between tenures that failed, as far as [knocking](Pauses::knocking) allows.
    fn backoff(&self) -> (Duration, Duration) {
        (Duration::from_millis(100), Duration::from_secs(30))
    }

    /// One unit of work on what is there now; waits for nothing.
    async fn turn(&self, session: &Session, guard: &LockGuard) -> Result<Self::Turn>;

    /// Works until `shutdown`. Errors where lock or connection are lost.
    async fn work(&self, session: &Session, guard: &LockGuard, shutdown: &CancellationToken) -> Result<()>;
}

/// One turn, where the lock is free; `None` where another holds it.
pub(crate) async fn once<W: Tenure>(worker: &W) -> Result<Option<W::Turn>> {
    worker.check()?;
    let session = Session::open(worker.redstream().link().connector()).await?;
    let lock = worker.lock();
    let guard = match lock.attempt(&session).await? {
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
pub(crate) async fn serve<W: Tenure>(worker: &W, shutdown: &CancellationToken) -> Result<()> {
    worker.check()?;
    let (min, max) = worker.backoff();
    let mut pauses = Pauses::knocking(min, max);
    while !shutdown.is_cancelled() {
        let Err(error) = tenure(worker, shutdown, &mut pauses).await else { continue };
        if !error.may_pass() {
            return Err(error);
        }
        let pause = pauses.pause();
        worker.own_pulse().failed(&error);
        if error.is_unconnected() {
            tracing::debug!(worker = worker.name(), error = &error as &dyn std::error::Error, ?pause, "not connected");
        } else {
            tracing::warn!(
                worker = worker.name(),
                error = &error as &dyn std::error::Error,
                ?pause,
                "session ended: opening a new one after the pause, and going on from what is stored"
            );
        }
        shutdown.run_until_cancelled(tokio::time::sleep(pause)).await;
    }
    Ok(())
}

/// Ends `Ok` with the shutdown only.
async fn tenure<W: Tenure>(worker: &W, shutdown: &CancellationToken, pauses: &mut Pauses) -> Result<()> {
    let open = Session::open(worker.redstream().link().connector());
    let Some(session) = shutdown.run_until_cancelled(open).await.transpose()? else { return Ok(()) };
    let lock = worker.lock();
    lock.register(&session).await?;
    let standing_by = || worker.own_pulse().progress(Condition::Standby);
    let Some(guard) = lock.stand_by(&session, shutdown, standing_by).await? else { return Ok(()) };
    cross("lock: taken");
    pauses.reset();
    worker.own_pulse().progress(Condition::Idle);
    tracing::info!(worker = worker.name(), offset = ?guard.found().offset, "lock taken: at work");

    let outcome = worker.work(&session, &guard, shutdown).await;
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
