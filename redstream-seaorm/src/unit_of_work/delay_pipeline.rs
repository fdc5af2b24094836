//! The delay messages of one transaction: sent while its statements run, and acknowledged before COMMIT.
//!
//! One pipeline is in flight at a time. The first two messages are sent with their statements, the next ones when they
//! are 16 times as many as were sent before them, and the rest when the commit asks. So a save waits for nothing, a
//! commit only for the last pipeline, and a hundred saves take four pipelines: a pipeline costs Redis and this process
//! more than its messages do.
//!
//! If possible, a pipeline is sent [early](redstream_core::Producer::delay_early): from the save itself, and the next
//! save or the commit reads the reply. Otherwise it gets a task of its own.

mod send_loop;
#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::future::poll_fn;
use std::ops::Range;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context as Poller, Poll, Waker, ready};
use std::time::{Duration, Instant};

use redstream_core::{Early, MessageId, NewMessage};
use tokio::sync::Notify;

use crate::error::Error;
use crate::failpoint::failpoint;
use crate::unit_of_work::delay_pipeline::send_loop::SendLoop;
use crate::unit_of_work::insurance::Insurance;
use crate::unit_of_work::message_set::OrderedMessageSet;
use crate::unit_of_work::shared::Shared;

#[derive(Debug)]
pub(crate) struct DelayPipeline {
    shared: Arc<Shared>,
    state: Mutex<State>,
    progress: Notify,
}

#[derive(Debug, Default)]
struct State {
    /// All messages ever added, in the order in which they are sent: a key is insured once per transaction.
    insured: OrderedMessageSet,
    /// How many of them were sent.
    sent: usize,
    /// The ids of the delay messages in Redis, if they may have to be removed.
    ids: HashMap<NewMessage, Vec<MessageId>>,
    in_flight: bool,
    /// The pipeline in flight without a task.
    early: Option<(Early, Range<usize>)>,
    /// The early pipeline failed: the rest is sent by a task, which retries until its bound has passed.
    early_failed: bool,
    /// The commit waits: messages are no longer held back.
    awaited: bool,
    failed: Option<Arc<redstream_core::Error>>,
    /// When the first message was added, or all were sent again.
    since: Option<Instant>,
    /// Whether this transaction asks Redis; known from the first message on.
    asks: Option<bool>,
}

/// With this many messages waiting, they are sent without waiting for more.
const ENOUGH: usize = 250;

/// Messages wait until they are this many times as many as were sent before.
///
/// Added to a save, in a transaction of a hundred on SQLite: 5.1 µs with 1, 2.2 with 4, 1.8 with 16 (medians of three
/// runs of the bench).
const GROWTH: usize = 16;

impl State {
    /// Whether the waiting messages should be sent.
    fn is_due(&self) -> bool {
        let waiting = self.waiting().len();
        let wanted = if self.sent < 2 { 1 } else { (GROWTH * self.sent).min(ENOUGH) };
        waiting > 0 && (self.awaited || waiting >= wanted)
    }

    /// Messages for the next pipeline.
    fn waiting(&self) -> &[NewMessage] {
        &self.insured.as_slice()[self.sent..]
    }

    /// Takes them.
    fn send(&mut self) -> Range<usize> {
        let sent = self.sent..self.insured.len();
        self.sent = sent.end;
        sent
    }
}

/// What insures a transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum InsuredBy {
    /// Its delay messages, acknowledged.
    Redis,
    /// Nothing yet: rows of the outbox must be written.
    Outbox,
}

impl DelayPipeline {
    pub(crate) fn new(shared: Arc<Shared>) -> Arc<Self> {
        Arc::new(Self { shared, state: Mutex::default(), progress: Notify::new() })
    }

    /// Sends delay messages without waiting for the reply. Fails at once if earlier messages failed and nothing else
    /// can insure the transaction: then it cannot commit.
    pub(crate) fn send(self: &Arc<Self>, messages: impl IntoIterator<Item = NewMessage>) -> Result<(), Error> {
        self.add(|insured| insured.add_all(messages))
    }

    /// The same for messages that differ from one another.
    pub(crate) fn send_distinct(self: &Arc<Self>, messages: Vec<NewMessage>) -> Result<(), Error> {
        self.add(|insured| insured.add_distinct(messages))
    }

    fn add(self: &Arc<Self>, add: impl FnOnce(&mut OrderedMessageSet)) -> Result<(), Error> {
        let mut state = self.state();
        if !*state.asks.get_or_insert_with(|| self.shared.may_ask_redis()) {
            return Ok(());
        }
        if state.failed.is_some() {
            return self.hopeless(&state);
        }
        let known = state.insured.len();
        add(&mut state.insured);
        if state.insured.len() == known {
            return Ok(());
        }
        failpoint!("save: insuring");
        state.since.get_or_insert_with(Instant::now);
        let added = &state.insured.as_slice()[known..];
        self.shared.streams.watch(&self.shared.producer, &self.shared.settings, added);
        self.start_if_due(&mut state);
        Ok(())
    }

    /// Errors if [`send`](Self::send) would.
    pub(crate) fn check(&self) -> Result<(), Error> {
        self.hopeless(&self.state())
    }

    fn hopeless(&self, state: &State) -> Result<(), Error> {
        match &state.failed {
            Some(error) if self.shared.settings.insurance == Insurance::Redis => Err(Error::NotInsured(error.clone())),
            _ => Ok(()),
        }
    }

    fn start_if_due(self: &Arc<Self>, state: &mut State) {
        if !state.is_due() {
            return;
        }
        let _sent = self.poll_early(state, &mut Poller::from_waker(Waker::noop()));
        // What did not arrive waits again.
        if state.in_flight {
            return;
        }
        state.in_flight = true;
        let producer = &self.shared.producer;
        match Some(state.waiting()).filter(|_| !state.early_failed).and_then(|waiting| producer.delay_early(waiting)) {
            Some(early) => state.early = Some((early, state.send())),
            None => _ = tokio::spawn(SendLoop::new(self.clone()).run()),
        }
    }

    /// Ready when nothing is in flight without a task. Messages that were not acknowledged wait again.
    fn poll_early(&self, state: &mut State, poller: &mut Poller<'_>) -> Poll<()> {
        let Some((early, _)) = &mut state.early else { return Poll::Ready(()) };
        let acknowledged = ready!(early.poll_acknowledged(poller));
        if let Some((_, sent)) = state.early.take() {
            self.early_ended(state, sent, acknowledged);
        }
        Poll::Ready(())
    }

    fn give_up_if_overdue(&self) {
        let mut state = self.state();
        if let Some((early, sent)) = state.early.take_if(|(early, _)| early.is_overdue()) {
            self.early_ended(&mut state, sent, None);
            drop(state);
            early.give_up();
        }
    }

    fn early_ended(&self, state: &mut State, sent: Range<usize>, acknowledged: Option<Vec<MessageId>>) {
        state.in_flight = false;
        if let Some(ids) = acknowledged {
            self.keep_ids(state, sent, ids);
        } else {
            state.sent = sent.start;
            state.early_failed = true;
        }
    }

    /// Waits until it is known what insures the transaction. Errors if nothing does.
    pub(crate) async fn insured_by(self: &Arc<Self>) -> Result<InsuredBy, Error> {
        if self.state().asks == Some(false) {
            return Ok(InsuredBy::Outbox);
        }
        if self.shared.settings.insurance == Insurance::Redis {
            return self.acknowledged().await.map(|()| InsuredBy::Redis);
        }
        let patience = self.shared.settings.outbox_after;
        let answer = tokio::time::timeout(patience, self.acknowledged()).await;
        match answer.unwrap_or(Err(Error::NoAnswer { within: patience })) {
            Ok(()) => {
                self.shared.outage.ended();
                Ok(InsuredBy::Redis)
            }
            Err(error) => {
                self.shared.outage.began(&error);
                Ok(InsuredBy::Outbox)
            }
        }
    }

    /// Waits for the pipeline in flight without a task, and for those that follow it in the same way. Cancel-safe.
    async fn early_acknowledged(self: &Arc<Self>) {
        loop {
            let next_look = {
                let mut state = self.state();
                self.start_if_due(&mut state);
                let Some((early, _)) = &state.early else { return };
                early.next_look()
            };
            let reply = poll_fn(|poller| self.poll_early(&mut self.state(), poller));
            if tokio::time::timeout_at(next_look.into(), reply).await.is_err() {
                self.give_up_if_overdue();
            }
        }
    }

    /// Waits until every message was acknowledged. Sends all of them again if the first is older than `resend_after`,
    /// so that the delay need not outlast the transaction.
    async fn acknowledged(self: &Arc<Self>) -> Result<(), Error> {
        self.state().awaited = true;
        self.early_acknowledged().await;
        self.send_loop_ended().await?;
        if self.age() > self.shared.resend_after() {
            let messages = self.state().insured.as_slice().to_vec();
            let sent = Instant::now();
            let ids = Box::pin(self.shared.insure(&messages)).await?;
            let mut state = self.state();
            state.since = Some(sent);
            self.keep_ids(&mut state, 0..messages.len(), ids);
        }
        Ok(())
    }

    /// The age of the oldest delay message that insures the transaction.
    pub(crate) fn age(&self) -> Duration {
        self.state().since.map_or(Duration::ZERO, |since| since.elapsed())
    }

    /// Takes the ids of this transaction's own delay messages.
    pub(crate) fn take_ids(&self) -> HashMap<NewMessage, Vec<MessageId>> {
        std::mem::take(&mut self.state().ids)
    }

    fn keep_ids(&self, state: &mut State, sent: Range<usize>, ids: Vec<MessageId>) {
        if self.shared.may_remove_delays() {
            for (message, id) in state.insured.as_slice()[sent].iter().zip(ids) {
                state.ids.entry(message.clone()).or_default().push(id);
            }
        }
    }

    /// Whether no message was ever added.
    pub(crate) fn is_empty(&self) -> bool {
        self.state().insured.is_empty()
    }

    async fn send_loop_ended(&self) -> Result<(), Error> {
        loop {
            // Created before the state is read, so that no later acknowledgement is missed.
            let progress = self.progress.notified();
            {
                let state = self.state();
                if let Some(error) = &state.failed {
                    return Err(Error::NotInsured(error.clone()));
                }
                if !state.in_flight {
                    return Ok(());
                }
            }
            progress.await;
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Each critical section leaves the state consistent, so it is valid after a panic elsewhere.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
