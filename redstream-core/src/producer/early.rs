//! Delay messages that are sent from the calling thread, before anything waits for them.

use std::task::{Context, Poll, ready};
use std::time::Instant;

use super::packs::Order;
use super::{Kind, Producer, count};
use crate::failpoint::failpoint;
use crate::message::{MessageId, NewMessage};
use crate::transport::exclusive::ConnectionLease;
use crate::transport::resp::{Adding, CHUNK};

/// Messages in flight, sent by [`Producer::delay_early`]. Dropping it does not cancel them.
#[derive(Debug)]
#[must_use = "they insure nothing until they are acknowledged"]
pub struct Early {
    producer: Producer,
    loan: ConnectionLease,
    adding: Adding,
    order: Order,
    deadline: Instant,
}

impl Producer {
    /// Sends delay messages at once, in the calling thread and without waiting: no task is woken for it, which for few
    /// messages takes longer than sending them. [`Early::poll_acknowledged`] returns their ids.
    ///
    /// `None`, and nothing is sent, if that is not possible: another caller uses the connection for it, none of the
    /// other methods has opened that connection yet, there are no messages or more than 250, they must be
    /// [confirmed](Self::confirmed_by), or the connection uses TLS or a cluster. Use [`delay_all`](Self::delay_all)
    /// then.
    ///
    /// They share entries if it is known that the delayer can read those: this does not wait to find out.
    #[doc(hidden)]
    pub fn delay_early(&self, messages: &[NewMessage]) -> Option<Early> {
        if messages.is_empty() || messages.len() > CHUNK || self.confirmation.is_some() {
            return None;
        }
        let mut loan = self.link().alone_now()?;
        failpoint!(Kind::Delay.points().0);
        let (messages, order) = self.grouped(Kind::Delay, messages);
        let Some(adding) = loan.wire()?.add_now(|stream| self.target(Kind::Delay, stream), &messages) else {
            loan.discard();
            return None;
        };
        let deadline = Instant::now() + self.link().connector().options().response_timeout;
        Some(Early { producer: self.clone(), loan, adding, order, deadline })
    }
}

impl Early {
    /// When the reply is due: [`response_timeout`](crate::ConnectOptions::response_timeout) after they were sent.
    pub fn deadline(&self) -> Instant {
        self.deadline
    }

    /// Their ids, in order, once Redis acknowledged all. `None` if it refused one, the connection broke, or a delayer
    /// that cannot read them is registered: some may exist, so send all of them again.
    ///
    /// The caller must observe the [`deadline`](Self::deadline), and must not poll again after it was ready.
    #[doc(hidden)]
    pub fn poll_acknowledged(&mut self, context: &mut Context<'_>) -> Poll<Option<Vec<MessageId>>> {
        let Some(wire) = self.loan.wire() else { return Poll::Ready(None) };
        if ready!(wire.poll_added(&mut self.adding, context)).is_err() {
            self.loan.discard();
            return Poll::Ready(None);
        }
        let ids = std::mem::take(&mut self.adding.ids);
        failpoint!(Kind::Delay.points().1);
        count(Kind::Delay, ids.len());
        let are_read = self.producer.saw(std::mem::take(&mut self.adding.notes));
        Poll::Ready(are_read.then(|| self.order.given(ids)))
    }
}
