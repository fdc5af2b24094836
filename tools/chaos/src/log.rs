//! The event log of one schedule: what happened, when, and to which process.

use std::sync::{Mutex, PoisonError};
use std::time::Instant;

pub(crate) struct Log {
    begun: Instant,
    events: Mutex<Vec<String>>,
}

impl Log {
    pub(crate) fn new() -> Self {
        Self { begun: Instant::now(), events: Mutex::default() }
    }

    pub(crate) fn add(&self, who: &str, what: &str) {
        let at = self.begun.elapsed().as_secs_f64();
        self.events.lock().unwrap_or_else(PoisonError::into_inner).push(format!("{at:8.3} {who:<10} {what}"));
    }

    /// All events, one per line.
    pub(crate) fn text(&self) -> String {
        self.events.lock().unwrap_or_else(PoisonError::into_inner).join("\n")
    }
}
