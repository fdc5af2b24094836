//! The current call of the owner's handler, observed by the thread that renews the lock: a handler that does not return
//! is reported.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::message::MessageId;
use crate::worker::member::ConsumerKeys;

/// The call of the handler that has not returned yet.
#[derive(Debug, Default)]
pub(crate) struct Work(Mutex<Option<Call>>);

#[derive(Debug)]
struct Call {
    first: MessageId,
    begun: Instant,
    patience: Duration,
    /// The handler's timeout, which cannot interrupt a handler that blocks its thread.
    bound: Option<Duration>,
    /// How many warnings were given: once in each `patience`.
    warned: u32,
}

impl Work {
    /// Records that the handler was called with a batch that begins with this message; it should return within
    /// `patience`. The call ends when the guard is dropped.
    pub(crate) fn begin(&self, first: MessageId, patience: Duration, bound: Option<Duration>) -> Calling<'_> {
        *self.call() = Some(Call { first, begun: Instant::now(), patience, bound, warned: 0 });
        Calling(self)
    }

    /// Whether a call has outlasted its timeout by so much that it blocks its thread, possibly without end.
    pub(super) fn is_stuck(&self, ttl: Duration) -> bool {
        let call = self.call();
        call.as_ref()
            .is_some_and(|call| call.bound.is_some_and(|bound| call.begun.elapsed() > bound.saturating_add(ttl)))
    }

    /// Warns of a call that lasts for too long.
    pub(super) fn look(&self, member: Option<&ConsumerKeys>) {
        let (Some(call), Some(member)) = (&mut *self.call(), member) else { return };
        let lasts = call.begun.elapsed();
        if lasts <= call.patience.saturating_mul(call.warned + 1) {
            return;
        }
        call.warned += 1;
        tracing::warn!(
            stream = %member.stream_name, consumer = member.name, first = %call.first, ?lasts,
            "the handler has not returned: its batch is neither done nor given up, and the messages behind it wait; \
             handler_timeout bounds a handler that can hang"
        );
    }

    fn call(&self) -> std::sync::MutexGuard<'_, Option<Call>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Held while the handler runs.
pub(crate) struct Calling<'a>(&'a Work);

impl Drop for Calling<'_> {
    fn drop(&mut self) {
        *self.0.call() = None;
    }
}
