//! Waiting for a condition, under a bound.

use std::time::Duration;
use tokio::time::{Instant, interval, timeout_at};

/// How often a condition is checked.
const POLL: Duration = Duration::from_millis(10);

/// The result of a condition: `bool`, or `Option` with what was waited for.
pub(crate) trait Met {
    type Value;
    fn met(self) -> Option<Self::Value>;
}

impl Met for bool {
    type Value = ();
    fn met(self) -> Option<()> {
        self.then_some(())
    }
}

impl<T> Met for Option<T> {
    type Value = T;
    fn met(self) -> Option<T> {
        self
    }
}

/// Checks `condition` repeatedly until it is met, and returns its result. Panics with `what` was waited for if that
/// takes longer than `bound`.
pub(crate) async fn eventually<M: Met>(bound: Duration, what: &str, mut condition: impl AsyncFnMut() -> M) -> M::Value {
    let deadline = Instant::now() + bound;
    let mut polls = interval(POLL);
    while Instant::now() < deadline {
        polls.tick().await;
        // A condition that hangs is interrupted, too.
        match timeout_at(deadline, condition()).await.map(Met::met) {
            Ok(Some(value)) => return value,
            Ok(None) => {}
            Err(_) => break,
        }
    }
    panic!("waited {bound:?} in vain for: {what}");
}
