//! Delay messages that are sent from the calling thread, before anything waits for them.

use std::task::{Context, Poll, ready};
use std::time::Instant;

use super::{Kind, Producer, count};
use crate::failpoint::failpoint;
use crate::message::{MessageId, NewMessage};
use crate::transport::exclusive::ConnectionLease;
use crate::transport::resp::CHUNK;

/// Messages in flight, sent by [`Producer::delay_early`]. Dropping it does not cancel them.
#[derive(Debug)]
#[must_use = "they insure nothing until they are acknowledged"]
pub struct Early {
    loan: ConnectionLease,
    ids: Vec<MessageId>,
    expected: usize,
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
    #[doc(hidden)]
    pub fn delay_early(&self, messages: &[NewMessage]) -> Option<Early> {
        if messages.is_empty() || messages.len() > CHUNK || self.confirmation.is_some() {
            return None;
        }
        let mut loan = self.link().alone_now()?;
        failpoint!(Kind::Delay.points().0);
        if !loan.wire()?.add_now(|stream| self.key(Kind::Delay, stream), messages) {
            loan.discard();
            return None;
        }
        let deadline = Instant::now() + self.link().connector().options().response_timeout;
        Some(Early { loan, ids: Vec::with_capacity(messages.len()), expected: messages.len(), deadline })
    }
}

impl Early {
    /// When the reply is due: [`response_timeout`](crate::ConnectOptions::response_timeout) after they were sent.
    pub fn deadline(&self) -> Instant {
        self.deadline
    }

    /// Their ids, in order, once Redis acknowledged all. `None` if it refused one or the connection broke: some may
    /// exist, so send all of them again.
    ///
    /// The caller must observe the [`deadline`](Self::deadline), and must not poll again after it was ready.
    #[doc(hidden)]
    pub fn poll_acknowledged(&mut self, context: &mut Context<'_>) -> Poll<Option<Vec<MessageId>>> {
        let Some(wire) = self.loan.wire() else { return Poll::Ready(None) };
        while self.ids.len() < self.expected {
            let Ok(id) = ready!(wire.poll_id(context)) else {
                self.loan.discard();
                return Poll::Ready(None);
            };
            self.ids.push(id);
        }
        failpoint!(Kind::Delay.points().1);
        count(Kind::Delay, self.expected);
        Poll::Ready(Some(std::mem::take(&mut self.ids)))
    }
}
