//! Delay messages that are sent from the calling thread, before anything waits for them.

use std::task::{Context, Poll, ready};
use std::time::Instant;

use super::packs::Order;
use super::{Kind, Producer, count};
use crate::failpoint::failpoint;
use crate::message::{MessageId, NewMessage};
use crate::transport::group::{LOOK, Outcome, Ticket};

/// Messages in flight, sent by [`Producer::delay_early`]. Dropping it does not cancel them.
#[derive(Debug)]
#[must_use = "they insure nothing until they are acknowledged"]
pub struct Early {
    producer: Producer,
    ticket: Ticket,
    order: Order,
    deadline: Instant,
}

impl Producer {
    /// Sends delay messages at once, in the calling thread and without waiting: no task is woken for it, which for few
    /// messages takes longer than sending them. [`Early::poll_acknowledged`] returns their ids.
    ///
    /// `None`, and nothing is sent, if that is not possible: none of the other methods has opened the connection for it
    /// yet, there are no messages, more than 250, or more than 64 KiB of payloads, they must be
    /// [confirmed](Self::confirmed_by), or the connection uses TLS or a cluster. Use [`delay_all`](Self::delay_all)
    /// then.
    ///
    /// They share entries if it is known that the delayer can read those: this does not wait to find out.
    #[doc(hidden)]
    pub fn delay_early(&self, messages: &[NewMessage]) -> Option<Early> {
        if self.confirmation.is_some() {
            return None;
        }
        let (messages, order) = self.grouped(Kind::Delay, messages);
        failpoint!(Kind::Delay.points().0);
        let ticket = self.link().group_now().send(|stream| self.target(Kind::Delay, stream, &messages), &messages)?;
        let deadline = Instant::now() + self.link().connector().options().response_timeout;
        Some(Early { producer: self.clone(), ticket, order, deadline })
    }
}

impl Early {
    /// When to poll it again at the latest, although no waker was called: callers read for one another, and one of them
    /// may not be polled.
    pub fn next_look(&self) -> Instant {
        self.deadline.min(Instant::now() + LOOK)
    }

    /// Whether the reply is overdue: [`response_timeout`](crate::ConnectOptions::response_timeout) has passed since
    /// they were sent.
    pub fn is_overdue(&self) -> bool {
        Instant::now() >= self.deadline
    }

    /// Their ids, in order, once Redis acknowledged all. `None` if it refused one, the connection broke, or a delayer
    /// that cannot read them is registered: some may exist, so send all of them again.
    ///
    /// The caller must [give it up](Self::give_up) when it is [overdue](Self::is_overdue), and must not poll again
    /// after it was ready.
    #[doc(hidden)]
    pub fn poll_acknowledged(&mut self, context: &mut Context<'_>) -> Poll<Option<Vec<MessageId>>> {
        let Outcome::Added(added) = ready!(self.ticket.poll(context)) else { return Poll::Ready(None) };
        failpoint!(Kind::Delay.points().1);
        count(Kind::Delay, added.ids.len());
        let are_read = self.producer.saw(added.notes);
        Poll::Ready(are_read.then(|| self.order.given(added.ids)))
    }

    /// The connection is no longer trusted.
    pub fn give_up(self) {
        self.ticket.give_up();
    }
}
