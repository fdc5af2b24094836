//! What a failure of the handler leads to: another try, a search for the message at fault, a dead letter;
//! or patience, where it is not a message but the datastore.
//!
//! A message that fails alone while another one succeeds right afterwards is *poison*. Where nothing
//! succeeds, nobody can tell poison from an *outage* of the datastore, so nothing is given up: the consumer
//! keeps trying, and goes on where it stood when the datastore answers. To tell the two apart it handles a
//! message again that went well before, or one of the newest; handling twice is harmless.

use std::collections::HashMap;

use super::Consumer;
use crate::backoff::Pauses;
use crate::dead::Dead;
use crate::entries::Range;
use crate::error::chain;
use crate::handler::Failed;
use crate::lock::LockGuard;
use crate::pulse::Condition;
use crate::session::Session;
use crate::tenure::rest;
use crate::version::Versions;
use crate::{Batch, BoxError, Error, Message, MessageId, Result, metrics};

use tokio_util::sync::CancellationToken;

/// How many of the newest messages may be asked whether the datastore answers.
const NEWEST: usize = 3;

/// What happens to a message that fails alone, again and again, while others succeed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum OnPoison {
    /// It goes to the [dead letters](crate::Stream::dead_letters) of the consumer, which goes on. The default.
    #[default]
    DeadLetter,
    /// It is tried for ever, and the messages behind its batch wait.
    Block,
    /// The consumer stops with [`Error::Poison`](crate::Error::Poison); the supervisor leaves it stopped.
    Stop,
}

/// One failed call of the handler.
pub(super) struct Failure {
    pub(super) source: BoxError,
    pub(super) failed: Failed,
}

/// All that a struggle needs of the tenure it happens in.
pub(super) struct Arena<'a> {
    pub(super) consumer: &'a Consumer,
    pub(super) session: &'a Session,
    pub(super) guard: &'a LockGuard,
    pub(super) shutdown: &'a CancellationToken,
    pub(super) versions: &'a Versions,
}

/// The messages of one batch that are not done yet.
pub(super) struct Struggle<'a> {
    arena: Arena<'a>,
    pending: Vec<Message>,
    tries: HashMap<MessageId, u32>,
    dead: Vec<Dead>,
    rounds: u32,
    outage: bool,
}

impl<'a> Struggle<'a> {
    /// For a batch whose first attempt failed.
    pub(super) fn new(arena: Arena<'a>, messages: &[Message]) -> Self {
        let tries = messages.iter().map(|message| (message.id(), 1)).collect();
        Self { arena, pending: messages.to_vec(), tries, dead: Vec::new(), rounds: 1, outage: false }
    }

    /// Tries until every message is done or dead, and returns the dead. `None`: told to stop meanwhile, so the
    /// batch must not be committed.
    pub(super) async fn fight(mut self, mut failure: Failure) -> Result<Option<Vec<Dead>>> {
        let consumer = self.arena.consumer;
        let mut pauses = Pauses::new(consumer.backoff.0, consumer.backoff.1);
        loop {
            let buried = self.narrow(&failure);
            if !buried && self.rounds >= consumer.attempts {
                self.isolate(&failure).await?;
            }
            if self.pending.is_empty() {
                self.mend();
                return Ok(Some(self.dead));
            }
            if !buried {
                let pause = pauses.pause();
                self.warn(&failure, pause);
                if !rest(pause, self.arena.guard, self.arena.shutdown).await? {
                    return Ok(None);
                }
            }
            self.rounds += 1;
            match self.attempt(self.pending.clone()).await {
                Ok(()) => {
                    self.mend();
                    return Ok(Some(self.dead));
                }
                Err(again) => failure = again,
            }
        }
    }

    /// Leaves only those pending that the handler named. Whether one was given up at once.
    fn narrow(&mut self, failure: &Failure) -> bool {
        match &failure.failed {
            Failed::Unknown => false,
            Failed::Only(ids) => {
                self.pending = named(&self.pending, ids);
                false
            }
            Failed::Never(id) => {
                let known = self.pending.iter().position(|message| message.id() == *id);
                match known {
                    Some(at) if self.arena.consumer.on_poison == OnPoison::DeadLetter => {
                        let message = self.pending.remove(at);
                        self.bury(message, &failure.source);
                        true
                    }
                    _ => false,
                }
            }
        }
    }

    /// Finds the messages at fault, where the datastore answers at all, and deals with them.
    async fn isolate(&mut self, failure: &Failure) -> Result<()> {
        if !self.datastore_answers().await? {
            return Ok(());
        }
        let suspects = self.bisect(failure).await?;
        self.pending = suspects.iter().map(|(message, _)| message.clone()).collect();
        // The datastore may have gone while the search went on: only a success *after* a failure tells.
        if suspects.is_empty() || !self.datastore_answers().await? {
            return Ok(());
        }
        let consumer = self.arena.consumer;
        match consumer.on_poison {
            OnPoison::Block => Ok(()),
            OnPoison::DeadLetter => {
                // A probe may have succeeded with one of them meanwhile.
                for (message, error) in suspects {
                    if self.pending.contains(&message) {
                        self.bury(message, &error);
                    }
                }
                self.pending.clear();
                Ok(())
            }
            OnPoison::Stop => match suspects.into_iter().find(|(message, _)| self.pending.contains(message)) {
                None => Ok(()),
                Some((message, source)) => Err(Error::Poison {
                    stream: consumer.stream.clone(),
                    consumer: consumer.name.clone(),
                    message: message.id(),
                    attempts: self.tries_of(message.id()),
                    source,
                }),
            },
        }
    }

    /// Halves what is pending until each message that fails stands alone; the others are done.
    async fn bisect(&mut self, failure: &Failure) -> Result<Vec<(Message, BoxError)>> {
        let mut suspects = Vec::new();
        let mut parts = Vec::new();
        match &self.pending[..] {
            [alone] => return Ok(vec![(alone.clone(), text(&failure.source))]),
            all => halve(all.to_vec(), &mut parts),
        }
        while let Some(part) = parts.pop() {
            if self.arena.guard.is_lost() {
                return Err(self.arena.guard.ownership().loss());
            }
            if self.arena.shutdown.is_cancelled() {
                suspects.extend(part.into_iter().map(|message| (message, text(&failure.source))));
                continue;
            }
            let Err(failure) = self.attempt(part.clone()).await else { continue };
            match (failure.failed, part.len()) {
                (_, 1) => suspects.extend(part.into_iter().map(|message| (message, text(&failure.source)))),
                (Failed::Only(ids), all) => {
                    let named = named(&part, &ids);
                    if named.len() < all { parts.push(named) } else { halve(part, &mut parts) }
                }
                (Failed::Never(id), _) => {
                    let (never, rest) = part.into_iter().partition(|message| message.id() == id);
                    let never: Vec<Message> = never;
                    if never.is_empty() {
                        halve(rest, &mut parts);
                    } else {
                        parts.push(rest);
                    }
                    suspects.extend(never.into_iter().map(|message| (message, text(&failure.source))));
                }
                (Failed::Unknown, _) => halve(part, &mut parts),
            }
        }
        suspects.sort_by_key(|(message, _)| message.id());
        Ok(suspects)
    }

    /// Whether any message at all can be handled now: one that went well before, one of the newest, or one of
    /// those pending.
    async fn datastore_answers(&mut self) -> Result<bool> {
        let canary = self.arena.consumer.canary.lock().await.clone();
        let mut probes: Vec<Message> = canary.into_iter().collect();
        let newest = self.newest().await?;
        probes.extend(newest.into_iter().filter(|message| !self.pending.contains(message)));
        if self.pending.len() > 1 {
            probes.push(self.pending[self.rounds as usize % self.pending.len()].clone());
        }
        for probe in probes {
            if self.arena.shutdown.is_cancelled() {
                return Ok(false);
            }
            if self.attempt(vec![probe.clone()]).await.is_ok() {
                self.pending.retain(|message| *message != probe);
                self.mend();
                return Ok(true);
            }
        }
        if !self.outage {
            self.outage = true;
            let Consumer { stream, name, .. } = self.arena.consumer;
            ::metrics::gauge!(metrics::OUTAGE, &self.arena.consumer.labels()).set(1.0);
            tracing::error!(
                %stream, consumer = name, pending = self.pending.len(),
                "nothing can be handled: taken for an outage of the datastore; nothing is given up, and work goes on \
                 when it answers"
            );
        }
        Ok(false)
    }

    async fn newest(&self) -> Result<Vec<Message>> {
        let mut xrevrange = redis::cmd("XREVRANGE");
        xrevrange.arg(&self.arena.versions.member().stream).arg("+").arg("-").arg("COUNT").arg(NEWEST);
        let Range(newest) = self.arena.session.command("look for a message to try", &xrevrange).await?;
        Ok(newest)
    }

    /// One call of the handler, with a version of its own: it reads the rows anew.
    async fn attempt(&mut self, messages: Vec<Message>) -> Result<(), Failure> {
        for message in &messages {
            *self.tries.entry(message.id()).or_default() += 1;
        }
        let batch = Batch::new(messages.into(), self.arena.versions.clone(), None);
        self.arena.consumer.handle(batch).await
    }

    fn bury(&mut self, message: Message, error: &BoxError) {
        let consumer = self.arena.consumer;
        let (error, attempts) = (chain(&**error), self.tries_of(message.id()));
        ::metrics::counter!(metrics::DEAD, &consumer.labels()).increment(1);
        tracing::error!(
            stream = %consumer.stream, consumer = consumer.name, message = %message.id(), error, attempts,
            "message cannot be handled: it goes to the dead letters, and the consumer goes on"
        );
        self.dead.push(Dead { message, error, attempts });
    }

    fn mend(&mut self) {
        if std::mem::take(&mut self.outage) {
            ::metrics::gauge!(metrics::OUTAGE, &self.arena.consumer.labels()).set(0.0);
            let Consumer { stream, name, .. } = self.arena.consumer;
            tracing::info!(%stream, consumer = name, "the datastore answers again: going on where it stood");
        }
    }

    fn tries_of(&self, id: MessageId) -> u32 {
        self.tries.get(&id).copied().unwrap_or_default()
    }

    fn warn(&self, failure: &Failure, pause: std::time::Duration) {
        let Consumer { stream, name, pulse, .. } = self.arena.consumer;
        pulse.turn(Condition::Failing);
        tracing::warn!(
            %stream, consumer = name, error = chain(&*failure.source), pending = self.pending.len(),
            attempt = self.rounds, ?pause, "messages failed: they are handled again after the pause"
        );
    }
}

/// Those of the messages that were named; all where none was.
fn named(messages: &[Message], ids: &[MessageId]) -> Vec<Message> {
    let named: Vec<Message> = messages.iter().filter(|message| ids.contains(&message.id())).cloned().collect();
    if named.is_empty() { messages.to_vec() } else { named }
}

/// The first half on top.
fn halve(mut part: Vec<Message>, parts: &mut Vec<Vec<Message>>) {
    let second = part.split_off(part.len() / 2);
    parts.extend([second, part].into_iter().filter(|half| !half.is_empty()));
}

/// One failure can be about many messages, and an error cannot be cloned.
fn text(error: &BoxError) -> BoxError {
    chain(&**error).into()
}
