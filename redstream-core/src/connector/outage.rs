//! Failures to connect, told once for all who meet them.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use redis::RedisError;

/// The least time between two warnings.
const INTERVAL: Duration = Duration::from_secs(60);

/// A thousand workers that wait for one Redis say so in one line: when it begins, once a minute, and when it is over.
#[derive(Debug, Default)]
pub(super) struct Outage(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    /// When the first attempt failed; none after one that succeeded.
    since: Option<Instant>,
    /// Attempts that failed since that was last told.
    failures: u64,
    told: Option<Instant>,
}

impl Outage {
    /// An attempt failed.
    pub(super) fn met(&self, address: &str, error: &RedisError) {
        let mut state = self.state();
        let now = Instant::now();
        let since = *state.since.get_or_insert(now);
        state.failures += 1;
        if state.told.is_some_and(|told| now.duration_since(told) < INTERVAL) {
            return;
        }
        let failures = std::mem::take(&mut state.failures);
        state.told = Some(now);
        drop(state);
        tracing::warn!(
            address, failures, since = ?now.duration_since(since), error = error as &dyn std::error::Error,
            "cannot connect to Redis: it is tried again and again, and told once a minute"
        );
    }

    /// An attempt succeeded.
    pub(super) fn ended(&self, address: &str) {
        let mut state = self.state();
        let Some(since) = state.since.take() else { return };
        let was_told = state.told.is_some_and(|told| told >= since);
        let failures = std::mem::take(&mut state.failures);
        drop(state);
        if was_told {
            tracing::info!(address, failures, after = ?since.elapsed(), "connected to Redis again");
        }
    }

    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
