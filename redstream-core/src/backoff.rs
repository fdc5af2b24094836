//! Pauses between attempts: growing, bounded, and spread by chance so that hosts do not march in step.

use std::time::Duration;

use backon::BackoffBuilder;

/// Gives the pauses of one run of failures.
#[derive(Debug)]
pub(crate) struct Pauses {
    range: (Duration, Duration),
    next: backon::ExponentialBackoff,
}

impl Pauses {
    /// From `min`, doubling, to `max`; each with up to as much again by chance.
    pub(crate) fn new(min: Duration, max: Duration) -> Self {
        Self { range: (min, max), next: build(min, max) }
    }

    /// The next pause.
    pub(crate) fn pause(&mut self) -> Duration {
        self.next.next().unwrap_or(self.range.1)
    }

    /// Something worked: the next failure starts small again.
    pub(crate) fn reset(&mut self) {
        self.next = build(self.range.0, self.range.1);
    }
}

fn build(min: Duration, max: Duration) -> backon::ExponentialBackoff {
    backon::ExponentialBuilder::default()
        .with_min_delay(min)
        .with_max_delay(max)
        .with_jitter()
        .without_max_times()
        .build()
}
