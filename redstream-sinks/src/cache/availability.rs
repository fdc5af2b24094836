//! Whether Redis answers: while it does not, one reader at a time waits for it, and the others do not.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use crate::cache::error::Error;

/// Of one cache, in this process.
#[derive(Debug)]
pub(crate) struct Availability {
    cache: Arc<str>,
    is_down: AtomicBool,
    /// Set while one reader waits for a Redis that is down.
    is_probed: AtomicBool,
}

impl Availability {
    pub(crate) fn new(cache: Arc<str>) -> Self {
        Self { cache, is_down: AtomicBool::new(false), is_probed: AtomicBool::new(false) }
    }

    /// Runs a command in a task of its own, and waits for it for this long. The command is not cancelled if that is too
    /// short: it may be opening the connection that the next one needs.
    pub(crate) async fn bounded<T: Send + 'static>(
        &self,
        patience: Duration,
        command: impl Future<Output = Result<T, Error>> + Send + 'static,
    ) -> Result<T, Error> {
        let Some(_probe) = self.admit() else {
            return Err(Error::Unavailable { cache: self.cache.to_string() });
        };
        let outcome = match tokio::time::timeout(patience, tokio::spawn(command)).await {
            Ok(Ok(outcome)) => outcome,
            Ok(Err(_)) => Err(Error::Cancelled { cache: self.cache.to_string() }),
            Err(_) => Err(Error::Timeout { cache: self.cache.to_string(), after: patience }),
        };
        self.learn(&outcome);
        outcome
    }

    /// `None`: Redis is down, and another reader waits for it.
    fn admit(&self) -> Option<Probe<'_>> {
        if !self.is_down.load(Ordering::Relaxed) {
            return Some(Probe(None));
        }
        let is_first = !self.is_probed.swap(true, Ordering::Relaxed);
        is_first.then_some(Probe(Some(&self.is_probed)))
    }

    /// One line in the log for each outage, and one for its end.
    fn learn<T>(&self, outcome: &Result<T, Error>) {
        let is_outage =
            |error: &&Error| matches!(error, Error::Redis { .. } | Error::Timeout { .. }) && !error.is_refusal();
        let failure = outcome.as_ref().err().filter(is_outage);
        let was_down = self.is_down.swap(failure.is_some(), Ordering::Relaxed);
        match failure {
            Some(error) if !was_down => tracing::warn!(
                cache = &*self.cache,
                error = error as &dyn std::error::Error,
                "the cache does not answer: readers load every record until it does"
            ),
            None if was_down => tracing::info!(cache = &*self.cache, "the cache answers again"),
            _ => {}
        }
    }
}

/// Ends the probe, also if the reader is dropped.
struct Probe<'p>(Option<&'p AtomicBool>);

impl Drop for Probe<'_> {
    fn drop(&mut self) {
        if let Some(is_probed) = self.0 {
            is_probed.store(false, Ordering::Relaxed);
        }
    }
}
