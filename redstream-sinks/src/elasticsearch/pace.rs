//! How many bulk requests are in flight at once: one more after each success, half as many after a refusal.

use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

/// Shared by all clones of a sink.
#[derive(Debug)]
pub(crate) struct Pace {
    state: Mutex<State>,
    /// A request may be sent.
    freed: Notify,
    max: usize,
}

#[derive(Debug)]
struct State {
    limit: usize,
    in_flight: usize,
}

/// One request in flight.
#[derive(Debug)]
pub(crate) struct Permit<'p>(&'p Pace);

impl Pace {
    pub(crate) fn new(max: usize) -> Self {
        let max = max.max(1);
        Self { state: Mutex::new(State { limit: max, in_flight: 0 }), freed: Notify::new(), max }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until a request may be sent.
    pub(crate) async fn permit(&self) -> Permit<'_> {
        loop {
            // Registered before the state is read, so that no notification in between is missed.
            let freed = self.freed.notified();
            {
                let mut state = self.state();
                if state.in_flight < state.limit {
                    state.in_flight += 1;
                    return Permit(self);
                }
            }
            freed.await;
        }
    }

    /// A request was accepted.
    pub(crate) fn raise(&self) {
        let mut state = self.state();
        state.limit = (state.limit + 1).min(self.max);
        drop(state);
        self.freed.notify_waiters();
    }

    /// A request was refused for now, or had no answer in time.
    pub(crate) fn halve(&self) {
        let mut state = self.state();
        state.limit = (state.limit / 2).max(1);
    }

    /// The current limit.
    pub(crate) fn limit(&self) -> usize {
        self.state().limit
    }
}

impl Drop for Permit<'_> {
    fn drop(&mut self) {
        self.0.state().in_flight -= 1;
        self.0.freed.notify_waiters();
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt as _;

    use super::*;

    #[test]
    fn the_limit_rises_by_one_and_halves() {
        let pace = Pace::new(8);
        let mut limits = vec![pace.limit()];
        for refused in [true, true, false, true, true, true, false, false] {
            if refused {
                pace.halve();
            } else {
                pace.raise();
            }
            limits.push(pace.limit());
        }
        assert_eq!(limits, [8, 4, 2, 3, 1, 1, 1, 2, 3]);
        (0..20).for_each(|_| pace.raise());
        assert_eq!(pace.limit(), 8);
    }

    #[test]
    fn no_more_are_in_flight_than_the_limit_says() {
        let pace = Pace::new(2);
        let first = pace.permit().now_or_never().unwrap();
        let second = pace.permit().now_or_never().unwrap();
        assert!(pace.permit().now_or_never().is_none());
        pace.halve();
        drop(first);
        assert!(pace.permit().now_or_never().is_none(), "one is in flight, and one is allowed");
        drop(second);
        assert!(pace.permit().now_or_never().is_some());
    }

    #[tokio::test]
    async fn one_that_waits_is_woken() {
        let pace = Pace::new(1);
        let first = pace.permit().await;
        let (second, ()) = tokio::join!(pace.permit(), async { drop(first) });
        drop(second);
        let pace = Pace::new(2);
        pace.halve();
        let _first = pace.permit().await;
        let (_second, ()) = tokio::join!(pace.permit(), async { pace.raise() });
    }
}
