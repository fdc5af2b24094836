//! The loop of a consumer: read, handle, commit.

mod ahead;
mod commit_queue;

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use futures_util::FutureExt;
use tokio_util::sync::CancellationToken;
use tracing::Instrument;

use self::ahead::{Ahead, First, Sorted};
use self::commit_queue::{Committing, Done};
use super::blocking::{timed, within};
use super::failure::{Failure, RetryBatch, RetryContext};
use super::prefetch::Reading;
use super::spans::{self, Batches};
use super::{Consumer, Progress};
use crate::consumer::batch::Batch;
use crate::consumer::dead_letters::Dead;
use crate::consumer::fetch::read_now;
use crate::consumer::handler::Failed;
use crate::consumer::offsets;
use crate::consumer::version::Versions;
use crate::consumer::written_streams::warn_if_unwritten;
use crate::error::{Error, Result};
use crate::failpoint::failpoint;
use crate::message::{Message, MessageId};
use crate::metrics;
use crate::redstream::Redstream;
use crate::text::shortened;
use crate::transport::session::Session;
use crate::worker::leadership::Leader;
use crate::worker::member::ConsumerKeys;
use crate::worker::{Lock, LockGuard, WorkerState, WorkerStatus, panic_message};

#[async_trait]
impl Leader for Consumer {
    type Step = Progress;

    fn redstream(&self) -> &Redstream {
        &self.redstream
    }

    fn lock(&self) -> Lock {
        Lock::consumer(&self.redstream, self.member(), self.lock_ttl)
    }

    fn backoff(&self) -> (Duration, Duration) {
        self.backoff
    }

    fn own_status(&self) -> &WorkerStatus {
        &self.status
    }

    async fn introduce(&self, session: &Session) -> Result<()> {
        self.identify(session).await
    }

    async fn step(&self, session: &Session, guard: &LockGuard) -> Result<Progress> {
        let member = Arc::new(self.member());
        self.introduce(session).await?;
        self.notice_loss(session, guard, &member).await?;
        let (mut after, mut handled) = (guard.found().cursor(), None);
        loop {
            let messages = read_now(session, &member.stream, self.limits(), &self.portion, after).await?;
            let Some(last) = messages.last().map(Message::id) else { return Ok(Progress::Idle) };
            let done = self.handle_once(guard, &member, messages.into()).await?;
            let done = Done::after(handled.take(), done);
            if done.is_whole() {
                self.commit(guard, &done).await?;
                return Ok(Progress::Handled(usize::try_from(done.messages).unwrap_or(usize::MAX)));
            }
            (after, handled) = (last, Some(done));
        }
    }

    async fn lead(&self, session: &Session, guard: &LockGuard, shutdown: &CancellationToken) -> Result<()> {
        let member = Arc::new(self.member());
        let mut reading = Reading::new(session, &member.stream, self.limits(), &self.portion, guard.found().cursor());
        reading.while_working(self.notice_loss(session, guard, &member)).await?;
        if guard.found().last == MessageId::MIN && self.told.unwritten.is_due(Duration::MAX) {
            warn_if_unwritten(&self.stream, &self.name);
        }
        let _watch = self.watch_neighbours(session, &member);
        let (mut issued, mut ahead) = (None, None::<Ahead>);
        let mut committing = Committing::new(self, guard);
        loop {
            let messages = tokio::select! {
                biased;
                () = shutdown.cancelled() => return committing.done().await,
                () = guard.lost() => return Err(guard.ownership().loss()),
                batch = committing.commit_while_waiting(reading.next()) => batch??,
            };
            failpoint!("consumer: read");
            self.status.progress(WorkerState::Working);
            let versions = self.versions(guard, &member);
            let prepared = ahead.take().filter(|ahead| ahead.is_of(&messages));
            let (sorted, first) = if let Some(Ahead { sorted, first, .. }) = prepared {
                (sorted, first)
            } else {
                let sorted = self.sort(&messages)?;
                let batch = Batch::new(sorted.fitting.clone(), versions.clone(), None);
                (sorted, First::unprepared(batch))
            };
            if let Some(version) = issued.take() {
                first.batch.offer(version);
            }
            let Sorted { own, fitting, mut dead } = sorted;
            let span = self.batch_span(&own);
            let context = RetryContext { consumer: self, session, guard, shutdown, versions: &versions };
            // Boxed: with the handling of failures it is a large future.
            let work = Box::pin(context.carry(first, &fitting).instrument(span.clone()));
            let prepare = |next: &Arc<[Message]>| ahead = self.prepare(next, versions.clone());
            let (carried, committed) = reading.while_working_and(committing.commit_while_working(work), prepare).await;
            committed?;
            let carried = carried.inspect_err(|error| spans::failed(&span, error));
            let Some(carried) = carried? else { return committing.done().await };
            if !carried.at_once {
                // What was prepared meanwhile can be older than what a retry has written.
                ahead = None;
            }
            dead.extend(carried.given_up);
            if !dead.is_empty() {
                spans::gave_up(&span);
            }
            let done = Done::of(&messages, &own, dead, Batches::of(&span));
            // It ends here, not with its commit.
            drop(span);
            let Some(done) = committing.whole(done) else { continue };
            // A version that the commit issues is valid for the next batch only if that batch has already arrived; a
            // version from before its arrival could be older than the rows that another host reads.
            let arrived = reading.is_ahead();
            if arrived {
                reading.while_working(committing.done()).await?;
                issued = Some(reading.while_working(self.commit(guard, &done)).await?);
            } else {
                committing.add(done);
            }
            self.status.progress(if arrived { WorkerState::Working } else { WorkerState::Idle });
        }
    }
}

impl RetryContext<'_> {
    /// Handles the messages, with retries, and returns those that had to be given up. `None`: shutdown was requested
    /// before all was done.
    async fn carry(self, first: First, messages: &[Message]) -> Result<Option<Carried>> {
        if messages.is_empty() {
            return Ok(Some(Carried { given_up: Vec::new(), at_once: true }));
        }
        let Err(failure) = self.consumer.handle_prepared(first).await else {
            return Ok(Some(Carried { given_up: Vec::new(), at_once: true }));
        };
        let given_up = RetryBatch::new(self, messages).run(failure).await?;
        Ok(given_up.map(|given_up| Carried { given_up, at_once: false }))
    }
}

/// A batch that is done.
struct Carried {
    given_up: Vec<Dead>,
    /// By its first attempt.
    at_once: bool,
}

impl Consumer {
    /// One attempt without retries.
    async fn handle_once(
        &self,
        guard: &LockGuard,
        member: &Arc<ConsumerKeys>,
        messages: Arc<[Message]>,
    ) -> Result<Done> {
        let Sorted { own, fitting, dead } = self.sort(&messages)?;
        let batch = Batch::new(fitting, self.versions(guard, member), None);
        let span = self.batch_span(&own);
        if !batch.is_empty()
            && let Err(failure) = self.handle(batch.clone()).instrument(span.clone()).await
        {
            let error = Error::Handler {
                stream: self.stream.clone(),
                consumer: self.name.clone(),
                first: batch.first_id(),
                last: batch.last_id(),
                source: failure.source,
            };
            spans::failed(&span, &error);
            return Err(error);
        }
        Ok(Done::of(&messages, &own, dead, Batches::of(&span)))
    }

    /// The messages for the handler.
    fn wanted(&self, messages: &Arc<[Message]>) -> Arc<[Message]> {
        if self.skips_repeats && messages.iter().any(Message::is_repeat) {
            messages.iter().filter(|message| !message.is_repeat()).cloned().collect()
        } else {
            messages.clone()
        }
    }

    /// One call of the handler.
    pub(super) async fn handle(&self, batch: Batch) -> Result<(), Failure> {
        self.handle_prepared(First::unprepared(batch)).await
    }

    /// The same, once the batch is prepared.
    async fn handle_prepared(&self, first: First) -> Result<(), Failure> {
        let batch = first.batch.clone();
        let canary = batch.messages().last().cloned();
        let begun = Instant::now();
        let ownership = batch.versions().ownership().clone();
        let calling = ownership.work.begin(batch.first_id(), self.status.patience(), self.handler_timeout);
        // A handler is application code: its panic is a failure of this batch, not of the worker.
        failpoint!("consumer: handling");
        let call = async { self.handler.handle(first.prepared().await).await };
        let call = AssertUnwindSafe(call).catch_unwind();
        let (outcome, blocked) = timed(within(self.handler_timeout, call)).await;
        failpoint!("consumer: handled");
        drop(calling);
        self.tell_of_blocking(blocked);
        ::metrics::histogram!(metrics::BATCH_SECONDS, &self.labels()).record(begun.elapsed());
        let failure = match outcome {
            Some(Ok(Ok(()))) => {
                *self.canary.lock().await = canary;
                return Ok(());
            }
            Some(Ok(Err(error))) => {
                let (source, failed) = error.into_parts();
                Failure { source, failed }
            }
            Some(Err(panic)) => {
                let source = format!("the handler panicked: {}", panic_message(&*panic)).into();
                Failure { source, failed: Failed::Unknown }
            }
            None => {
                let bound = self.handler_timeout.unwrap_or_default();
                let source = format!("the handler did not return within {bound:?}, its handler_timeout").into();
                Failure { source, failed: Failed::Unknown }
            }
        };
        ::metrics::counter!(metrics::HANDLER_FAILURES, &self.labels()).increment(1);
        Err(Failure { source: shortened(failure.source), ..failure })
    }

    /// The messages for this consumer: all but redriven dead letters of other consumers.
    fn own(&self, messages: &Arc<[Message]>) -> Arc<[Message]> {
        if messages.iter().all(|message| message.is_for(&self.name)) {
            return messages.clone();
        }
        messages.iter().filter(|message| message.is_for(&self.name)).cloned().collect()
    }

    /// Returns the version that came with it.
    async fn commit(&self, guard: &LockGuard, Done { last, messages, dead, batches }: &Done) -> Result<u64> {
        failpoint!("consumer: committing");
        let span = self.commit_span(batches, *messages);
        let committed = offsets::commit(guard, *last, self.highest.floor(), dead).instrument(span.clone()).await;
        let committed = committed.inspect_err(|error| spans::failed(&span, error))?;
        failpoint!("consumer: committed");
        self.highest.saw(committed.version);
        self.memory.committed(*last, guard.found().rewinds);
        self.status.achieved();
        ::metrics::counter!(metrics::HANDLED, &self.labels()).increment(*messages);
        Ok(committed.version)
    }

    fn versions(&self, guard: &LockGuard, member: &Arc<ConsumerKeys>) -> Versions {
        Versions::new(guard.ownership().clone(), member.clone(), self.highest.clone())
    }

    pub(super) fn labels(&self) -> [(&'static str, String); 2] {
        [("stream", self.stream.to_string()), ("consumer", self.name.clone())]
    }
}
