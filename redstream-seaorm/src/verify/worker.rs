//! A verification that is repeated for ever, by one of several hosts.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use redstream_core::{CancellationToken, Error, Lock, LockGuard, Result, Worker, WorkerState, WorkerStatus};
use tokio::time::Instant;

use crate::entity::streamed::{Streamed, table};
use crate::entity::streams::entity_stream;
use crate::verify::Verify;
use crate::verify::error::VerifyError;
use crate::verify::gauges;
use crate::verify::report::{VerifyReport, VerifyState};

/// How long it waits for the lock before it looks whether it is shut down.
const LOOK: Duration = Duration::from_secs(1);

/// The first and the longest pause after a pass that failed.
const PAUSES: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(60));

/// Verifies an entity again and again, at a low rate: made by [`Verify::every`]. Run it on every host, in a
/// [`Supervisor`](crate::Supervisor); one host is at work, and the others stand by.
///
/// - A pass is spread over four fifths of its period, unless a [`rate`](Verify::rate) is set.
/// - A pass that fails or cannot finish is logged and begun anew after a pause of up to a minute; the worker counts as
///   failing meanwhile.
/// - If another host takes over, it begins a pass of its own.
/// - The gauge `redstream_verify_differences` has what the last whole pass found, by `table`, `target` and `kind`, and
///   `redstream_drift_records` their sum. They are NaN in a process from which another one has taken over.
pub struct VerifyWorker<E: Streamed> {
    verify: Verify<'static, E>,
    every: Duration,
    lock_ttl: Duration,
    status: WorkerStatus,
    last: Arc<Mutex<Option<VerifyReport>>>,
}

impl<E: Streamed> VerifyWorker<E> {
    pub(super) fn new(mut verify: Verify<'static, E>, every: Duration) -> Self {
        verify.options.spread = Some(every.mul_f64(0.8));
        let lock_ttl = Duration::from_secs(5);
        Self { verify, every, lock_ttl, status: WorkerStatus::default(), last: Arc::default() }
    }

    /// After how long without renewal another host may take over. Default: 5 seconds.
    #[must_use]
    pub fn lock_ttl(mut self, ttl: Duration) -> Self {
        self.lock_ttl = ttl;
        self
    }

    /// What the last pass of this process found; `None` before its end.
    pub fn last(&self) -> Option<VerifyReport> {
        self.last.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn lock(&self) -> Result<Lock> {
        // One for all shards.
        let stream = entity_stream::<E>(&self.verify.redstream)?;
        let id = &self.verify.options.id;
        let first = stream.streams().first().map(|stream| stream.work_lock(&format!("verify.{id}"), self.lock_ttl));
        first.unwrap_or_else(|| {
            let reason = format!("`{}` has no stream", table::<E>());
            Err(Error::InvalidOption { option: "shards", reason })
        })
    }

    /// Passes, until the lock is lost or it is shut down.
    async fn lead(&self, guard: &LockGuard, shutdown: &CancellationToken) {
        let mut pause = PAUSES.0;
        while !shutdown.is_cancelled() && !guard.is_lost() {
            let began = Instant::now();
            let Some(passed) = self.pass(guard, shutdown).await else { return };
            let is_whole = self.tell(passed, pause);
            let (wait, state) = if is_whole {
                pause = PAUSES.0;
                (self.every.saturating_sub(began.elapsed()), WorkerState::Idle)
            } else {
                let this = pause;
                pause = (pause * 2).min(PAUSES.1);
                (this, WorkerState::Failing)
            };
            tokio::select! {
                () = shutdown.cancelled() => {}
                () = guard.lost() => {}
                () = self.beat(state) => {}
                () = tokio::time::sleep(wait) => {}
            }
        }
    }

    /// Keeps the report. Returns whether all was compared that was to be.
    fn tell(&self, passed: std::result::Result<VerifyReport, VerifyError>, pause: Duration) -> bool {
        let worker = self.name();
        match passed {
            Ok(report) => {
                let is_whole = report.state != VerifyState::NotFinished;
                if !is_whole {
                    let reason = report.reason.as_deref();
                    tracing::warn!(
                        worker,
                        reason,
                        ?pause,
                        "a verification could not finish: it begins anew after the pause"
                    );
                }
                *self.last.lock().unwrap_or_else(PoisonError::into_inner) = Some(report);
                is_whole
            }
            Err(error) => {
                let error = &error as &dyn std::error::Error;
                tracing::warn!(worker, error, ?pause, "a verification failed: it begins anew after the pause");
                false
            }
        }
    }

    /// One pass; `None` if the lock was lost, or it was shut down.
    async fn pass(
        &self,
        guard: &LockGuard,
        shutdown: &CancellationToken,
    ) -> Option<std::result::Result<VerifyReport, VerifyError>> {
        let passing = self.verify.run(shutdown.clone());
        tokio::select! {
            biased;
            () = guard.lost() => None,
            report = passing => match report {
                Ok(report) if report.state == VerifyState::Cancelled => None,
                report => Some(report),
            },
            () = self.beat(WorkerState::Working) => None,
        }
    }

    /// Records progress for as long as it is polled: all waits of a pass have bounds of their own.
    async fn beat(&self, state: WorkerState) {
        loop {
            self.status.progress(state);
            tokio::time::sleep(LOOK).await;
        }
    }
}

#[async_trait]
impl<E: Streamed> Worker for VerifyWorker<E> {
    fn name(&self) -> String {
        format!("verify {} of {}", self.verify.options.id, table::<E>())
    }

    fn check(&self) -> Result<()> {
        if self.every.is_zero() {
            return Err(Error::InvalidOption { option: "every", reason: "it is zero".to_owned() });
        }
        self.lock().map(drop)
    }

    fn status(&self) -> Option<WorkerStatus> {
        Some(self.status.clone())
    }

    async fn run(&self, shutdown: CancellationToken) -> Result<()> {
        let lock = self.lock()?;
        let mut has_led = false;
        while !shutdown.is_cancelled() {
            match lock.acquire_within(LOOK).await {
                Ok(Some(guard)) => {
                    has_led = true;
                    tracing::info!(worker = self.name(), "lock taken: at work");
                    self.lead(&guard, &shutdown).await;
                    if let Err(error) = guard.release().await {
                        let error = &error as &dyn std::error::Error;
                        tracing::debug!(worker = self.name(), error, "lock not released: its TTL frees it");
                    }
                }
                Ok(None) => {
                    // Not as soon as the lock is lost: this process may take it again, and what it found counts until
                    // then.
                    if std::mem::take(&mut has_led)
                        && let Some(report) = self.last().filter(VerifyReport::is_whole)
                    {
                        gauges::end(&report);
                    }
                    self.status.progress(WorkerState::Standby);
                }
                Err(error) if error.is_transient() => {
                    self.status.set_state(WorkerState::Failing);
                    tracing::warn!(
                        worker = self.name(),
                        error = &error as &dyn std::error::Error,
                        "no lock: tries again in a second"
                    );
                    shutdown.run_until_cancelled(tokio::time::sleep(LOOK)).await;
                }
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }
}

impl<E: Streamed> fmt::Debug for VerifyWorker<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("VerifyWorker")
            .field("verify", &self.verify)
            .field("every", &self.every)
            .field("lock_ttl", &self.lock_ttl)
            .finish_non_exhaustive()
    }
}
