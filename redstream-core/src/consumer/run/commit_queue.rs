//! Commits in flight: messages that arrive meanwhile need not wait for the reply.
//!
//! One commit at a time, in order; what is done while one is in flight is committed together with the next. If messages
//! arrive one by one and fast, a commit for each would take Redis's time from the messages themselves: so the next
//! commit waits a moment for more.

use std::time::Duration;

use futures_util::future::BoxFuture;
use tokio::time::Instant;

use super::Consumer;
use crate::consumer::dead_letters::Dead;
use crate::consumer::spans::Batches;
use crate::error::Result;
use crate::message::{Message, MessageId};
use crate::worker::LockGuard;

/// The minimum time between two commits while messages arrive: after a crash the next owner handles the messages of
/// this time again.
const PACE: Duration = Duration::from_millis(1);

/// What was handled and is to be committed.
pub(super) struct Done {
    pub(super) last: MessageId,
    /// How many.
    pub(super) messages: u64,
    pub(super) dead: Vec<Dead>,
    pub(super) batches: Batches,
}

impl Done {
    /// `read`: all messages of the batch; `own`: those of them that were for this consumer.
    pub(super) fn of(read: &[Message], own: &[Message], dead: Vec<Dead>, batches: Batches) -> Self {
        let last = read.last().map_or(MessageId::MIN, Message::id);
        Self { last, messages: own.len() as u64, dead, batches }
    }

    /// Whether no message of its last entry is left: an offset passes an entry as a whole, so this can be committed.
    pub(super) fn is_whole(&self) -> bool {
        self.last == self.last.entry()
    }

    /// This, after what was handled before it.
    pub(super) fn after(earlier: Option<Self>, later: Self) -> Self {
        match earlier {
            Some(earlier) => earlier.and(later),
            None => later,
        }
    }

    fn and(mut self, later: Self) -> Self {
        self.dead.extend(later.dead);
        let batches = self.batches.and(later.batches);
        Self { last: later.last, messages: self.messages + later.messages, dead: self.dead, batches }
    }
}

pub(super) struct Committing<'a> {
    consumer: &'a Consumer,
    guard: &'a LockGuard,
    in_flight: Option<BoxFuture<'a, Result<u64>>>,
    next: Option<Done>,
    /// The first part of an entry that is not handled to its end. Its dead letters are written with the commit that
    /// passes the entry, so that each is written once.
    part: Option<Done>,
    /// When the last commit was sent.
    sent: Option<Instant>,
}

impl<'a> Committing<'a> {
    pub(super) fn new(consumer: &'a Consumer, guard: &'a LockGuard) -> Self {
        Self { consumer, guard, in_flight: None, next: None, part: None, sent: None }
    }

    /// What can be committed: this, and the parts of the same entry before it. `None`: the entry goes on in the next
    /// batch, so this is kept until then.
    pub(super) fn whole(&mut self, done: Done) -> Option<Done> {
        let done = Done::after(self.part.take(), done);
        if done.is_whole() {
            return Some(done);
        }
        self.part = Some(done);
        None
    }

    /// Queues it for a commit while other work is awaited.
    pub(super) fn add(&mut self, done: Done) {
        self.next = Some(Done::after(self.next.take(), done));
    }

    /// Commits all now, and waits until it is done. Cancel-safe: the next call continues.
    pub(super) async fn done(&mut self) -> Result<()> {
        self.sent = None;
        self.paced().await
    }

    /// Waits until all is committed, with a pause before each commit but the first. Cancel-safe as
    /// [`done`](Self::done).
    async fn paced(&mut self) -> Result<()> {
        loop {
            if let Some(commit) = &mut self.in_flight {
                let committed = commit.await;
                self.in_flight = None;
                committed?;
            }
            if self.next.is_none() {
                return Ok(());
            }
            if let Some(sent) = self.sent {
                tokio::time::sleep_until(sent + PACE).await;
            }
            let Some(done) = self.next.take() else { return Ok(()) };
            self.sent = Some(Instant::now());
            let (consumer, guard) = (self.consumer, self.guard);
            self.in_flight = Some(Box::pin(async move { consumer.commit(guard, &done).await }));
        }
    }

    /// The result of `wait`, while commits continue. Errors as soon as a commit does, and drops `wait` then.
    pub(super) async fn commit_while_waiting<T>(&mut self, wait: impl Future<Output = T>) -> Result<T> {
        let mut wait = std::pin::pin!(wait);
        tokio::select! {
            biased;
            brought = &mut wait => return Ok(brought),
            committed = self.paced() => committed?,
        }
        Ok(wait.await)
    }

    /// The result of `work`, while commits continue, and whether one failed: work that has begun is not interrupted.
    pub(super) async fn commit_while_working<T>(&mut self, work: impl Future<Output = T>) -> (T, Result<()>) {
        let mut work = std::pin::pin!(work);
        tokio::select! {
            biased;
            outcome = &mut work => (outcome, Ok(())),
            committed = self.paced() => (work.await, committed),
        }
    }
}
