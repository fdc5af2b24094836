//! How much one read requests, if Redis refuses to send as much as the budget allows.

use std::sync::{Arc, Mutex, PoisonError};

use crate::error::{Error, is_broken};

/// Full reads after which the size is doubled again; more after each broken connection.
const PATIENCE: (u32, u32) = (16, 4096);

/// Redis closes a connection whose reply is larger than `client-output-buffer-limit` allows, without an error reply.
/// The same read would fail the same way each time. So after each connection that broke during a read the next read
/// requests half as many messages, and more again after a number of successful reads. Shared by the sessions of one
/// worker.
#[derive(Clone, Debug, Default)]
pub(crate) struct Portion(Arc<Mutex<State>>);

#[derive(Debug)]
struct State {
    most: usize,
    /// Reads at that size since it was set.
    full: u32,
    patience: u32,
    told: bool,
}

impl Default for State {
    fn default() -> Self {
        Self { most: usize::MAX, full: 0, patience: PATIENCE.0, told: false }
    }
}

impl Portion {
    /// This many messages, or fewer.
    pub(super) fn of(&self, count: usize) -> usize {
        self.state().most.min(count).max(1)
    }

    /// Called after a read of `count` messages returned `brought`.
    pub(super) fn went_well(&self, count: usize, brought: usize) {
        let mut state = self.state();
        state.told = false;
        if brought < count || count < state.most {
            return;
        }
        state.full += 1;
        if state.full >= state.patience {
            state.most = state.most.saturating_mul(2);
            state.full = 0;
        }
    }

    /// Called after a read of `count` messages of the stream failed.
    pub(super) fn failed(&self, stream: &str, count: usize, error: &Error) {
        let Error::Redis { source, .. } = error else { return };
        if !is_broken(source) {
            return;
        }
        let mut state = self.state();
        if count == 1 && state.most == 1 && !std::mem::replace(&mut state.told, true) {
            tracing::error!(
                stream,
                error = error as &dyn std::error::Error,
                "the connection breaks while one message alone is read, again: it may be larger than \
                 client-output-buffer-limit of Redis allows for normal clients"
            );
        }
        state.most = (count / 2).max(1);
        state.full = 0;
        state.patience = state.patience.saturating_mul(2).min(PATIENCE.1);
    }

    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::io;

    use super::*;

    fn cut_off() -> Error {
        Error::redis("read", io::Error::from(io::ErrorKind::UnexpectedEof).into())
    }

    #[test]
    fn it_halves_with_each_connection_that_breaks_and_grows_again() {
        let portion = Portion::default();
        assert_eq!(portion.of(16), 16);
        for expected in [8, 4, 2, 1, 1] {
            portion.failed("products", portion.of(16), &cut_off());
            assert_eq!(portion.of(16), expected);
        }
        let timeout = Error::redis("read", io::Error::from(io::ErrorKind::TimedOut).into());
        portion.failed("products", 16, &timeout);
        assert_eq!(portion.of(16), 1, "that says nothing of the size");
        for _ in 0..PATIENCE.0 << 5 {
            assert_eq!(portion.of(16), 1);
            portion.went_well(1, 0);
            portion.went_well(1, 1);
        }
        assert_eq!(portion.of(16), 2);
    }
}
