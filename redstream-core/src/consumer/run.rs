//! The loop of a consumer: read, handle, commit.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use futures_util::FutureExt;
use tokio_util::sync::CancellationToken;
use tracing::Instrument;

use super::reading::{Reading, read_now};
use super::{Consumer, Progress};
use crate::backoff::Pauses;
use crate::lock::{Lock, LockGuard};
use crate::registry::Member;
use crate::session::Session;
use crate::tenure::{Tenure, rest};
use crate::version::Versions;
use crate::{Batch, BoxError, Error, Message, MessageId, Redstream, Result, metrics, offsets};

#[async_trait]
impl Tenure for Consumer {
    type Turn = Progress;

    fn redstream(&self) -> &Redstream {
        &self.redstream
    }

    fn lock(&self) -> Lock {
        Lock::consumer(&self.redstream, self.member(), self.lock_ttl)
    }

    fn backoff(&self) -> (Duration, Duration) {
        self.backoff
    }

    async fn turn(&self, session: &Session, guard: &LockGuard) -> Result<Progress> {
        let member = Arc::new(self.member());
        let after = guard.offset().unwrap_or(MessageId::MIN);
        let messages = read_now(session, &member.stream, self.batch_size, after).await?;
        if messages.is_empty() {
            return Ok(Progress::Idle);
        }
        let batch = Batch::new(messages.into(), self.versions(guard, &member), None);
        self.handle(batch.clone()).await?;
        self.commit(guard, &batch).await?;
        Ok(Progress::Handled(batch.len()))
    }

    async fn work(&self, session: &Session, guard: &LockGuard, shutdown: &CancellationToken) -> Result<()> {
        let member = Arc::new(self.member());
        let after = guard.offset().unwrap_or(MessageId::MIN);
        let mut reading = Reading::new(session.clone(), &member.stream, self.batch_size, after);
        let mut issued = None;
        loop {
            let messages: Arc<[Message]> = tokio::select! {
                biased;
                () = shutdown.cancelled() => return Ok(()),
                () = guard.lost() => return Err(guard.ownership().loss()),
                batch = reading.next() => batch?.into(),
            };
            let span = tracing::info_span!("batch", stream = %self.stream, consumer = self.name, len = messages.len());
            let work = self.persist(&messages, self.versions(guard, &member), issued, guard, shutdown);
            let Some(batch) = reading.while_working(work.instrument(span)).await? else { return Ok(()) };
            // A version that the commit issues is sound for the next batch only if that one has arrived
            // by now; an earlier version than its arrival could be older than the rows a rival reads.
            let arrived = reading.is_ahead();
            let committed = self.commit(guard, &batch).await?;
            issued = arrived.then_some(committed);
        }
    }
}

impl Consumer {
    /// Has the messages handled, again and again where that fails. `None`: told to stop while pausing.
    async fn persist(
        &self,
        messages: &Arc<[Message]>,
        versions: Versions,
        mut issued: Option<u64>,
        guard: &LockGuard,
        shutdown: &CancellationToken,
    ) -> Result<Option<Batch>> {
        let mut pauses = Pauses::new(self.backoff.0, self.backoff.1);
        loop {
            // Each attempt reads the rows anew, so it gets a version of its own.
            let batch = Batch::new(messages.clone(), versions.clone(), issued.take());
            let Err(error) = self.handle(batch.clone()).await else { return Ok(Some(batch)) };
            let pause = pauses.pause();
            tracing::warn!(
                stream = %self.stream, consumer = self.name, error = &error as &dyn std::error::Error, ?pause,
                "batch failed: the same messages are handled again after the pause"
            );
            if !rest(pause, guard, shutdown).await? {
                return Ok(None);
            }
        }
    }

    async fn handle(&self, batch: Batch) -> Result<()> {
        let (first, last) = (batch.first_id(), batch.last_id());
        let begun = Instant::now();
        // A handler is the application's code: its panic is a failure of this batch, not of the worker.
        let outcome = AssertUnwindSafe(self.handler.handle(batch)).catch_unwind().await;
        ::metrics::histogram!(metrics::BATCH_SECONDS, &self.labels()).record(begun.elapsed());
        let source: BoxError = match outcome {
            Ok(Ok(())) => return Ok(()),
            Ok(Err(error)) => error.into_source(),
            Err(panic) => format!("the handler panicked: {}", panic_message(&*panic)).into(),
        };
        ::metrics::counter!(metrics::HANDLER_FAILURES, &self.labels()).increment(1);
        Err(Error::Handler { stream: self.stream.clone(), consumer: self.name.clone(), first, last, source })
    }

    /// Returns the version that came with it.
    async fn commit(&self, guard: &LockGuard, batch: &Batch) -> Result<u64> {
        let committed = offsets::commit(guard, batch.last_id(), self.highest.floor()).await?;
        self.highest.saw(committed.version);
        ::metrics::counter!(metrics::HANDLED, &self.labels()).increment(batch.len() as u64);
        Ok(committed.version)
    }

    fn versions(&self, guard: &LockGuard, member: &Arc<Member>) -> Versions {
        Versions::new(guard.ownership().clone(), member.clone(), self.highest.clone())
    }

    fn labels(&self) -> [(&'static str, String); 2] {
        [("stream", self.stream.to_string()), ("consumer", self.name.clone())]
    }
}

/// What a panic said, where it said it in words.
pub(crate) fn panic_message(panic: &(dyn std::any::Any + Send)) -> String {
    panic
        .downcast_ref::<&str>()
        .map(ToString::to_string)
        .or_else(|| panic.downcast_ref::<String>().cloned())
        .unwrap_or_else(|| "(no message)".to_owned())
}
