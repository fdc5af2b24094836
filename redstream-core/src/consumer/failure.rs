//! What a failure of the handler leads to: a retry, a search for the failing message, a dead letter; or waiting, if not
//! a message but the datastore fails.
//!
//! A message that fails alone while another one succeeds right afterwards is *poison*. If nothing succeeds, poison
//! cannot be distinguished from an *outage* of the datastore, so no message is given up: the consumer keeps retrying,
//! and continues at the same position when the datastore answers. To distinguish the two, it handles a message again
//! that succeeded before, or one of the newest; handling twice is harmless.

mod isolation;
mod outage;

use std::collections::HashMap;
use std::time::{Duration, Instant};

use super::Consumer;
use crate::consumer::batch::Batch;
use crate::consumer::dead_letters::Dead;
use crate::consumer::handler::Failed;
use crate::consumer::version::Versions;
use crate::error::{BoxError, Result};
use crate::failpoint::failpoint;
use crate::message::{Message, MessageId};
use crate::metrics;
use crate::text::chain;
use crate::time::backoff::Pauses;
use crate::transport::session::Session;
use crate::worker::leadership::rest;
use crate::worker::{LockGuard, WorkerState};

use tokio_util::sync::CancellationToken;

/// What happens to a message that fails alone, again and again, while others succeed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum OnPoison {
    /// It goes to the [dead letters](crate::Stream::dead_letters) of the consumer, which goes on. The default.
    #[default]
    DeadLetter,
    /// It is retried without end, and the messages after its batch wait.
    Block,
    /// The consumer stops with [`Error::Poison`](crate::Error::Poison); the supervisor leaves it stopped.
    Stop,
}

/// One failed call of the handler.
pub(super) struct Failure {
    pub(super) source: BoxError,
    pub(super) failed: Failed,
}

/// All that a retry needs from the leadership loop.
pub(super) struct RetryContext<'a> {
    pub(super) consumer: &'a Consumer,
    pub(super) session: &'a Session,
    pub(super) guard: &'a LockGuard,
    pub(super) shutdown: &'a CancellationToken,
    pub(super) versions: &'a Versions,
}

/// The messages of one batch that are not done yet.
pub(super) struct RetryBatch<'a> {
    context: RetryContext<'a>,
    pending: Vec<Message>,
    tries: HashMap<MessageId, u32>,
    dead: Vec<Dead>,
    rounds: u32,
    outage: bool,
    /// When a failure was last logged as a warning.
    told: Instant,
}

/// During an outage, a warning is logged once in this time.
const OUTAGE_PACE: Duration = Duration::from_secs(60);

impl<'a> RetryBatch<'a> {
    /// For a batch whose first attempt failed.
    pub(super) fn new(context: RetryContext<'a>, messages: &[Message]) -> Self {
        let tries = messages.iter().map(|message| (message.id(), 1)).collect();
        Self {
            context,
            pending: messages.to_vec(),
            tries,
            dead: Vec::new(),
            rounds: 1,
            outage: false,
            told: Instant::now(),
        }
    }

    /// Retries until every message is handled or dead, and returns the dead. `None`: shutdown was requested meanwhile,
    /// so the batch must not be committed.
    pub(super) async fn run(mut self, mut failure: Failure) -> Result<Option<Vec<Dead>>> {
        let consumer = self.context.consumer;
        let mut pauses = Pauses::new(consumer.backoff.0, consumer.backoff.1);
        loop {
            let given_up = self.keep_failed(&failure);
            if !given_up && self.rounds >= consumer.attempts {
                self.isolate(&failure).await?;
            }
            let going_on = match (self.outage, given_up || self.pending.is_empty()) {
                (true, _) => self.wait_out_outage(&failure).await?,
                (false, true) => true,
                (false, false) => self.pause(&failure, &mut pauses).await?,
            };
            if !going_on {
                return Ok(None);
            }
            if self.pending.is_empty() {
                return Ok(Some(std::mem::take(&mut self.dead)));
            }
            self.rounds += 1;
            match self.attempt(self.pending.clone()).await {
                Ok(()) => return Ok(Some(std::mem::take(&mut self.dead))),
                Err(again) => failure = again,
            }
        }
    }

    /// Keeps only the messages pending that the handler named. Returns whether one was given up at once.
    fn keep_failed(&mut self, failure: &Failure) -> bool {
        match &failure.failed {
            Failed::Unknown => false,
            Failed::Only(ids) => {
                self.pending = named(&self.pending, ids);
                false
            }
            Failed::Never(id) => {
                let known = self.pending.iter().position(|message| message.id() == *id);
                match known {
                    Some(at) if self.context.consumer.on_poison == OnPoison::DeadLetter => {
                        let message = self.pending.remove(at);
                        self.dead_letter(message, &failure.source);
                        true
                    }
                    _ => false,
                }
            }
        }
    }

    /// One call of the handler, with a version of its own: it reads the rows again.
    async fn attempt(&mut self, messages: Vec<Message>) -> Result<(), Failure> {
        for message in &messages {
            *self.tries.entry(message.id()).or_default() += 1;
        }
        let batch = Batch::new(messages.into(), self.context.versions.clone(), None);
        self.context.consumer.handle(batch).await
    }

    fn dead_letter(&mut self, message: Message, error: &BoxError) {
        let consumer = self.context.consumer;
        let (error, attempts) = (chain(&**error), self.tries_of(message.id()));
        ::metrics::counter!(metrics::DEAD, &consumer.labels()).increment(1);
        tracing::error!(
            stream = %consumer.stream, consumer = consumer.name, message_id = %message.id(), error, attempts,
            "message cannot be handled: it goes to the dead letters (`DeadLetters::of_message` finds it), and the consumer goes on"
        );
        failpoint!("consumer: dead letter");
        self.dead.push(Dead { message, error, attempts, is_oversized: false });
    }

    fn tries_of(&self, id: MessageId) -> u32 {
        self.tries.get(&id).copied().unwrap_or_default()
    }

    /// `false`: shutdown was requested meanwhile.
    async fn pause(&mut self, failure: &Failure, pauses: &mut Pauses) -> Result<bool> {
        let pause = pauses.pause();
        let Consumer { stream, name, status, .. } = self.context.consumer;
        status.set_state(WorkerState::Failing);
        let (error, pending, attempt) = (chain(&*failure.source), self.pending.len(), self.rounds);
        if self.outage && self.told.elapsed() < OUTAGE_PACE {
            tracing::debug!(%stream, consumer = name, error, pending, attempt, ?pause, "the datastore still does not answer");
        } else {
            self.told = Instant::now();
            tracing::warn!(
                %stream, consumer = name, error, pending, attempt, ?pause,
                "messages failed: they are handled again after the pause"
            );
        }
        rest(pause, self.context.guard, self.context.shutdown).await
    }
}

/// Work that ends within an outage, by a lost lock or a shutdown, leaves it to the next owner.
impl Drop for RetryBatch<'_> {
    fn drop(&mut self) {
        if self.outage {
            ::metrics::gauge!(metrics::OUTAGE, &self.context.consumer.labels()).set(0.0);
        }
    }
}

/// The messages that were named; all if none was.
fn named(messages: &[Message], ids: &[MessageId]) -> Vec<Message> {
    let named: Vec<Message> = messages.iter().filter(|message| ids.contains(&message.id())).cloned().collect();
    if named.is_empty() { messages.to_vec() } else { named }
}

/// One failure can belong to many messages, and an error cannot be cloned.
fn text(error: &BoxError) -> BoxError {
    chain(&**error).into()
}
