//! When a request that was refused for now is sent again.

use std::time::{Duration, SystemTime};

use backon::BackoffBuilder as _;
use reqwest::header::{HeaderMap, RETRY_AFTER};
use tokio::time::Instant;

/// The first pause, without its random part of up to the same length; each further one doubles.
const SHORTEST: Duration = Duration::from_millis(100);
/// The longest pause, without its random part.
const LONGEST: Duration = Duration::from_secs(10);

/// The time that one write has for retries, from its first failure on.
#[derive(Debug)]
pub(crate) struct Budget {
    retry_for: Duration,
    began: Option<Instant>,
}

impl Budget {
    pub(crate) fn new(retry_for: Duration) -> Self {
        Self { retry_for, began: None }
    }

    #[cfg(feature = "elasticsearch")]
    pub(crate) fn retry_for(&self) -> Duration {
        self.retry_for
    }

    /// When the next attempt is due: after a pause, or when the server says so if that is later. `None` if that is
    /// beyond the time for retries.
    pub(crate) fn next(&mut self, pauses: &mut Pauses, retry_after: Option<Duration>) -> Option<Instant> {
        let now = Instant::now();
        let began = *self.began.get_or_insert(now);
        // A server can name a time that no clock reaches.
        let due = now.checked_add(pauses.next().max(retry_after.unwrap_or_default()))?;
        (due - began <= self.retry_for).then_some(due)
    }
}

/// The pauses of one request.
#[derive(Debug)]
pub(crate) struct Pauses {
    backoff: backon::ExponentialBackoff,
    pub(crate) attempts: usize,
}

impl Default for Pauses {
    fn default() -> Self {
        let backoff = backon::ExponentialBuilder::default().with_min_delay(SHORTEST).with_max_delay(LONGEST);
        Self { backoff: backoff.with_jitter().without_max_times().build(), attempts: 1 }
    }
}

impl Pauses {
    fn next(&mut self) -> Duration {
        self.attempts += 1;
        self.backoff.next().unwrap_or(LONGEST)
    }
}

/// `Retry-After`, as seconds or as a date.
pub(crate) fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let text = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    if let Ok(seconds) = text.parse() {
        return Some(Duration::from_secs(seconds));
    }
    httpdate::parse_http_date(text).ok()?.duration_since(SystemTime::now()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn attempts_end_with_the_time_for_retries() {
        let mut budget = Budget::new(Duration::from_secs(5));
        let mut pauses = Pauses::default();
        let began = Instant::now();
        let mut all = Vec::new();
        while let Some(due) = budget.next(&mut pauses, None) {
            all.push(due - Instant::now());
            tokio::time::sleep_until(due).await;
        }
        assert!(began.elapsed() <= Duration::from_secs(5));
        assert!((3..=6).contains(&all.len()), "{all:?}");
        assert!(all.iter().zip([100, 200, 400]).all(|(pause, least)| (least..=2 * least).contains(&pause.as_millis())));
    }

    #[tokio::test(start_paused = true)]
    async fn a_later_time_of_the_server_counts() {
        let mut budget = Budget::new(Duration::from_secs(5));
        let due = budget.next(&mut Pauses::default(), Some(Duration::from_secs(3)));
        assert_eq!(due, Some(Instant::now() + Duration::from_secs(3)));
        assert_eq!(budget.next(&mut Pauses::default(), Some(Duration::from_secs(6))), None);
    }

    #[tokio::test(start_paused = true)]
    async fn times_that_no_clock_holds_are_beyond_the_end_or_have_none() {
        let longest = Duration::from_secs(u64::MAX);
        let mut budget = Budget::new(Duration::from_secs(5));
        assert_eq!(budget.next(&mut Pauses::default(), Some(longest)), None);
        let mut endless = Budget::new(Duration::MAX);
        assert!(endless.next(&mut Pauses::default(), None).is_some());
        assert_eq!(endless.next(&mut Pauses::default(), Some(longest)), None);
    }

    #[test]
    fn retry_after_is_read_in_both_forms() {
        let read = |text: &str| retry_after(&HeaderMap::from_iter([(RETRY_AFTER, text.parse().unwrap())]));
        assert_eq!(read("7"), Some(Duration::from_secs(7)));
        let soon = read(&httpdate::fmt_http_date(SystemTime::now() + Duration::from_secs(100))).unwrap();
        assert!((90..=100).contains(&soon.as_secs()), "{soon:?}");
        assert_eq!(read("Sun, 06 Nov 1994 08:49:37 GMT"), None);
        assert_eq!(read("soon"), None);
        assert_eq!(retry_after(&HeaderMap::new()), None);
    }
}
