//! Pauses between attempts: growing, bounded, and randomized so that hosts do not retry at the same time.

use std::time::Duration;

use backon::BackoffBuilder;

/// The longest pause before the next attempt at a server that is down, without its random part.
const LONGEST_PAUSE: Duration = Duration::from_secs(1);

/// The pauses of one series of failures.
#[derive(Debug)]
pub(crate) struct Pauses {
    range: (Duration, Duration),
    next: backon::ExponentialBackoff,
}

impl Pauses {
    /// From `min`, doubling, to `max`; each with a random part of up to the same length.
    pub(crate) fn new(min: Duration, max: Duration) -> Self {
        Self { range: (min, max), next: build(min, max) }
    }

    /// For a server that is down and may return at any moment: an attempt costs little, so the pauses stay below two
    /// seconds, including the random part, however long it lasts.
    pub(crate) fn for_outage(min: Duration, max: Duration) -> Self {
        Self::new(min.min(LONGEST_PAUSE), max.min(LONGEST_PAUSE))
    }

    /// The next pause.
    pub(crate) fn pause(&mut self) -> Duration {
        self.next.next().unwrap_or(self.range.1)
    }

    /// An attempt succeeded: the next failure starts with a short pause again.
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

#[cfg(test)]
mod tests {
    use super::*;

    const RANGE: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(30));

    #[test]
    fn pauses_grow_to_the_longest_and_start_small_again() {
        let mut pauses = Pauses::new(RANGE.0, RANGE.1);
        for growth in 0..20 {
            let least = (RANGE.0 * 2_u32.pow(growth)).min(RANGE.1);
            let pause = pauses.pause();
            assert!(least <= pause && pause <= least * 2, "{growth}: {pause:?}");
        }
        pauses.reset();
        assert!(pauses.pause() <= RANGE.0 * 2);
    }

    #[test]
    fn after_an_outage_of_any_length_the_next_attempt_comes_within_two_seconds() {
        let mut pauses = Pauses::for_outage(RANGE.0, RANGE.1);
        let all: Vec<Duration> = (0..1000).map(|_| pauses.pause()).collect();
        assert!(all.iter().all(|pause| RANGE.0 <= *pause && *pause <= LONGEST_PAUSE * 2), "{all:?}");
        assert!(all[100..].iter().all(|pause| *pause >= LONGEST_PAUSE), "and no more often than once a second");
        let quick = Duration::from_millis(5);
        assert!(Pauses::for_outage(quick, quick).pause() <= quick * 2, "shorter if the user says so");
        assert!(Pauses::for_outage(RANGE.1, RANGE.1).pause() <= LONGEST_PAUSE * 2);
    }
}
