//! One connection for the small writes of all callers. Their commands share pipelines, and each caller gets its own
//! replies.
//!
//! No task drives it. A caller writes from its own task; if two pipelines are in flight already, its commands wait and
//! go together with those of others, as databases write their logs ("group commit"). A caller that waits reads the
//! replies of all. The last one that began to wait is woken by the socket; when it is done, it wakes another one.

mod aftermath;
mod request;
mod state;
mod writes;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::time::Instant;

use crate::message::{NewMessage, StreamName};
use crate::transport::connector::Connector;
use crate::transport::group::state::{State, Wire};
use crate::transport::resp::{CHUNK, Target};

pub(crate) use crate::transport::group::request::Outcome;

/// A caller that waits looks at the connection at least this often: the one that the socket wakes may be held by its
/// caller without being polled.
pub(crate) const LOOK: Duration = Duration::from_millis(50);

/// The most bytes of payload in one call. What is larger would delay the others.
const MOST_BYTES: usize = 64 << 10;

/// Opened by its first caller; a failure closes it. Clones share it.
#[derive(Clone, Debug, Default)]
pub(crate) struct GroupConnection(Arc<Mutex<State>>);

impl GroupConnection {
    /// Opens it, unless it is open. Returns whether it is open: not while another caller opens or closes it, if it
    /// fails, or if it is not possible.
    pub(crate) async fn open(&self, connector: &Connector) -> bool {
        let aftermath = self.state().close_if_answered();
        aftermath.take_place();
        {
            let mut state = self.state();
            match state.wire {
                Wire::Open(_) => return true,
                Wire::Opening | Wire::Closing(_) | Wire::Impossible => return false,
                Wire::Absent => state.wire = Wire::Opening,
            }
        }
        // Also if this future is dropped.
        let mut opening = Opening { group: self, then: Wire::Absent };
        match Box::pin(connector.open_wire()).await {
            Ok(Some(wire)) => opening.then = Wire::Open(Box::new(wire)),
            Ok(None) => opening.then = Wire::Impossible,
            // The shared connection fails in the same way, and reports it.
            Err(_) => {}
        }
        matches!(opening.then, Wire::Open(_))
    }

    /// Sends messages in the calling thread, without waiting. `None`, and nothing is sent, if it is not open, or if
    /// they are too many or too large.
    pub(crate) fn send(&self, target: impl Fn(&StreamName) -> Target, messages: &[NewMessage]) -> Option<Ticket> {
        if !Self::has_room_for(messages) {
            return None;
        }
        let (number, aftermath) = self.state().send(target, messages)?;
        aftermath.take_place();
        Some(Ticket { group: self.clone(), number: Some(number) })
    }

    /// Whether they are few and small enough.
    pub(crate) fn has_room_for(messages: &[NewMessage]) -> bool {
        let bytes = || messages.iter().map(|message| message.payload.as_str().len()).sum::<usize>();
        !messages.is_empty() && messages.len() <= CHUNK && bytes() <= MOST_BYTES
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Each critical section leaves the state consistent, so it is valid after a panic elsewhere.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What the connection becomes when it was opened, or could not be.
struct Opening<'a> {
    group: &'a GroupConnection,
    then: Wire,
}

impl Drop for Opening<'_> {
    fn drop(&mut self) {
        self.group.state().wire = std::mem::take(&mut self.then);
    }
}

/// Messages that were sent and are not acknowledged yet. Dropping it does not cancel them.
#[derive(Debug)]
#[must_use = "they count for nothing until they are acknowledged"]
pub(crate) struct Ticket {
    group: GroupConnection,
    /// `None` once it was ready.
    number: Option<u64>,
}

impl Ticket {
    /// Ready when Redis has acknowledged all, or the connection failed. Must not be polled again then.
    pub(crate) fn poll(&mut self, context: &mut Context<'_>) -> Poll<Outcome> {
        let Some(number) = self.number else { return Poll::Pending };
        let (outcome, aftermath) = self.group.state().poll(number, context);
        aftermath.take_place();
        if outcome.is_ready() {
            self.number = None;
        }
        outcome
    }

    /// [`poll`](Self::poll), for no longer than this.
    ///
    /// Cancel-safe: they are sent, whatever becomes of it.
    pub(crate) async fn acknowledged(mut self, patience: Duration) -> Outcome {
        let deadline = Instant::now() + patience;
        loop {
            let next = deadline.min(Instant::now() + LOOK);
            let ready = std::future::poll_fn(|context| self.poll(context));
            if let Ok(outcome) = tokio::time::timeout_at(next, ready).await {
                return outcome;
            }
            if Instant::now() >= deadline {
                self.give_up();
            }
        }
    }

    /// They were not acknowledged in time: the connection is no longer trusted, and all that wait for it fail.
    pub(crate) fn give_up(&self) {
        if let Some(number) = self.number {
            let aftermath = self.group.state().give_up(number);
            aftermath.take_place();
        }
    }

    /// Waits for nothing: `then` is called with what becomes of them, when another caller has read the reply, or a
    /// moment later. Not if the runtime ends first.
    ///
    /// # Panics
    ///
    /// Outside a runtime.
    pub(crate) fn detach(mut self, patience: Duration, then: impl FnOnce(Outcome) + Send + 'static) {
        let Some(number) = self.number.take() else { return };
        let (is_attended, aftermath) = self.group.state().detach(number, Box::new(then));
        aftermath.take_place();
        if !is_attended {
            tokio::spawn(Attendant { group: self.group.clone(), has_left: false }.attend(patience));
        }
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        if let Some(number) = self.number.take() {
            let aftermath = self.group.state().abandon(number);
            aftermath.take_place();
        }
    }
}

/// Looks at the connection while there are messages for which nothing waits: one task for all of them.
struct Attendant {
    group: GroupConnection,
    /// There was nothing left, and another one may have begun since.
    has_left: bool,
}

impl Attendant {
    async fn attend(mut self, patience: Duration) {
        let mut oldest = (None, Instant::now());
        loop {
            tokio::time::sleep(LOOK).await;
            let (next, aftermath) = self.group.state().attend();
            self.has_left = next.is_none();
            aftermath.take_place();
            let Some(next) = next else { return };
            if oldest.0 != Some(next) {
                oldest = (Some(next), Instant::now());
            } else if oldest.1.elapsed() > patience {
                let aftermath = self.group.state().give_up(next);
                aftermath.take_place();
            }
        }
    }
}

impl Drop for Attendant {
    fn drop(&mut self) {
        if !self.has_left {
            self.group.state().is_attended = false;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Messages that are detached between its last look and its end would find it still there, and wait without end.
    #[test]
    fn an_attendant_has_left_with_the_look_that_finds_nothing_to_do() {
        let group = GroupConnection::default();
        group.state().is_attended = true;
        let (left, aftermath) = group.state().attend();
        aftermath.take_place();
        assert!(left.is_none() && !group.state().is_attended);
    }
}
