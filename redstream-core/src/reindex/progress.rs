//! What the caller of a reindex is told.

use std::fmt;
use std::time::{Duration, Instant};

use super::record::{ReindexRecord, ReindexState};

/// The shortest time between two reports.
const EVERY: Duration = Duration::from_millis(200);

/// How far a reindex is. Displayed as one line: `1200/144563 (1%); lag 400; 20000/s; running; ETA 7s`.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct ReindexProgress {
    /// Its id.
    pub id: String,
    /// Where it stands.
    pub state: ReindexState,
    /// How many keys were queued.
    pub queued: u64,
    /// How many rows there were about when it began.
    pub estimate: u64,
    /// How many of the keys that this process queued some watched consumer has not passed: those of two chunks at most.
    pub lag: u64,
    /// Keys a second, since this process began.
    pub rate: f64,
    /// How long the rest takes at that rate; `None` if nothing was queued yet.
    pub eta: Option<Duration>,
}

impl fmt::Display for ReindexProgress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { queued, estimate, lag, rate, state, eta, .. } = self;
        let percent = (u128::from(*queued) * 100 / u128::from((*estimate).max(1))).min(100);
        write!(f, "{queued}/{estimate} ({percent}%); lag {lag}; {rate:.0}/s; {state}")?;
        match eta {
            Some(eta) if !state.is_finished() => write!(f, "; ETA {}s", eta.as_secs()),
            _ => Ok(()),
        }
    }
}

/// The result of a [`run`](crate::Walk::run).
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
#[must_use = "a run that ended by the shutdown or was aborted is no error: see `is_done`"]
pub struct ReindexReport {
    /// [`CaughtUp`](ReindexState::CaughtUp), [`Aborted`](ReindexState::Aborted), or where it stood when it was shut
    /// down.
    pub state: ReindexState,
    /// How many keys were queued, by this process and those before it.
    pub queued: u64,
    /// How many dead letters the watched consumers gained from its beginning to its end: rows that may be missing in
    /// what they feed.
    pub dead_letters: u64,
}

impl ReindexReport {
    /// Whether every key was queued, and every watched consumer has passed the last one.
    #[must_use]
    pub fn is_done(&self) -> bool {
        self.state == ReindexState::CaughtUp
    }

    /// Of a reindex that has no record.
    pub(super) fn not_begun() -> Self {
        Self { state: ReindexState::Queued, queued: 0, dead_letters: 0 }
    }
}

impl From<ReindexRecord> for ReindexReport {
    fn from(record: ReindexRecord) -> Self {
        Self { state: record.state, queued: record.queued, dead_letters: record.dead_letters }
    }
}

/// Measures the rate of this process.
#[derive(Debug)]
pub(super) struct Meter {
    begun: Instant,
    /// Queued by earlier processes.
    before: u64,
    reported: Option<Instant>,
}

impl Meter {
    pub(super) fn new(before: u64) -> Self {
        Self { begun: Instant::now(), before, reported: None }
    }

    /// The progress, if it is time for a report.
    pub(super) fn due(&mut self, record: &ReindexRecord, lag: u64) -> Option<ReindexProgress> {
        let is_due = record.state.is_finished() || self.reported.is_none_or(|last| last.elapsed() >= EVERY);
        is_due.then(|| {
            self.reported = Some(Instant::now());
            progress(record, lag, record.queued.saturating_sub(self.before), self.begun.elapsed())
        })
    }
}

#[expect(clippy::cast_precision_loss, reason = "a rate is about right")]
fn progress(record: &ReindexRecord, lag: u64, queued_here: u64, elapsed: Duration) -> ReindexProgress {
    let rate = queued_here as f64 / elapsed.as_secs_f64().max(0.001);
    let left = record.estimate.saturating_sub(record.queued) as f64;
    let eta = (rate > 0.0).then(|| Duration::try_from_secs_f64(left / rate).unwrap_or(Duration::MAX));
    ReindexProgress {
        id: record.id.clone(),
        state: record.state,
        queued: record.queued,
        estimate: record.estimate,
        lag,
        rate,
        eta,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(state: ReindexState, queued: u64) -> ReindexRecord {
        let fresh = ReindexRecord::new("1", "products".to_owned(), "");
        ReindexRecord { state, queued, estimate: 1000, ..fresh }
    }

    #[test]
    fn progress_is_told_in_a_line() {
        let told = progress(&record(ReindexState::Running, 250), 40, 200, Duration::from_secs(2));
        assert_eq!(told.to_string(), "250/1000 (25%); lag 40; 100/s; running; ETA 7s");
        let told = progress(&record(ReindexState::CaughtUp, 1010), 0, 1010, Duration::from_secs(2));
        assert_eq!(told.to_string(), "1010/1000 (100%); lag 0; 505/s; caught_up");
        let told = progress(&record(ReindexState::Queued, 0), 0, 0, Duration::ZERO);
        assert_eq!(told.to_string(), "0/1000 (0%); lag 0; 0/s; queued");
    }

    #[test]
    fn reports_are_apart_except_for_the_last() {
        let mut meter = Meter::new(0);
        assert!(meter.due(&record(ReindexState::Running, 1), 0).is_some());
        assert!(meter.due(&record(ReindexState::Running, 2), 0).is_none());
        assert!(meter.due(&record(ReindexState::CaughtUp, 3), 0).is_some());
    }
}
