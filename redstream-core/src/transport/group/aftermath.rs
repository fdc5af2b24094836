//! What has to be done after a look at the connection, when its lock is released.

use std::task::Waker;

use crate::transport::group::request::{Outcome, Then};

#[derive(Default)]
#[must_use = "callers wait for it"]
pub(super) struct Aftermath {
    /// Of callers whose replies have arrived, or who have to read for all from now on.
    pub(super) woken: Vec<Waker>,
    /// Nothing waits for these.
    pub(super) ended: Vec<(Then, Outcome)>,
}

impl Aftermath {
    pub(super) fn take_place(self) {
        for waker in self.woken {
            waker.wake();
        }
        for (then, outcome) in self.ended {
            then(outcome);
        }
    }
}
