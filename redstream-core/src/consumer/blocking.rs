//! Detects handlers that block their thread, and bounds handlers that do not return in time.

use std::future::poll_fn;
use std::time::{Duration, Instant};

use super::Consumer;

/// A handler that keeps its thread for longer than this at a time causes a warning.
const TOO_LONG: Duration = Duration::from_secs(1);

/// The warning comes at most once in this time.
const PACE: Duration = Duration::from_secs(60);

impl Consumer {
    /// `longest`: the longest time for which the handler kept its thread.
    pub(super) fn tell_of_blocking(&self, longest: Duration) {
        if longest > TOO_LONG && self.told.blocked.is_due(PACE) {
            tracing::warn!(
                stream = %self.stream, consumer = self.name,
                "handler blocked its thread for {:.1} s: use spawn_blocking, else everything else on that thread stands still \
                 meanwhile",
                longest.as_secs_f64()
            );
        }
    }
}

/// The result of the work, and the longest time for which one poll of it kept the thread.
pub(super) async fn timed<T>(work: impl Future<Output = T>) -> (T, Duration) {
    let mut work = std::pin::pin!(work);
    let mut longest = Duration::ZERO;
    let outcome = poll_fn(|context| {
        let begun = Instant::now();
        let poll = work.as_mut().poll(context);
        longest = longest.max(begun.elapsed());
        poll
    });
    let outcome = outcome.await;
    (outcome, longest)
}

/// `None` if the bound passes first; the work is then dropped.
pub(super) async fn within<T>(bound: Option<Duration>, work: impl Future<Output = T>) -> Option<T> {
    match bound {
        Some(bound) => tokio::time::timeout(bound, work).await.ok(),
        None => Some(work.await),
    }
}
