//! How long a read that fails is tried again.

use std::error::Error;
use std::time::Duration;

use tokio::time::Instant;

/// The first and the longest pause.
const PAUSES: (Duration, Duration) = (Duration::from_millis(50), Duration::from_secs(5));

/// The attempts of one read.
#[derive(Debug)]
pub(super) struct Retry {
    until: Instant,
    pause: Duration,
}

impl Retry {
    pub(super) fn new(within: Duration) -> Self {
        let now = Instant::now();
        Self { until: now.checked_add(within).unwrap_or(now + Duration::from_secs(86_400)), pause: PAUSES.0 }
    }

    /// Pauses before the next attempt; `false` if the time is up.
    pub(super) async fn pause(&mut self, id: &str, attempt: &str, error: &(dyn Error + Send + Sync)) -> bool {
        if Instant::now() + self.pause > self.until {
            return false;
        }
        tracing::warn!(id, attempt, %error, pause = ?self.pause, "a read of a verification failed: it is tried again");
        tokio::time::sleep(self.pause).await;
        self.pause = (self.pause * 2).min(PAUSES.1);
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn attempts_end_with_the_time_for_retries() {
        let (began, mut attempts) = (Instant::now(), 0);
        let mut retry = Retry::new(Duration::from_secs(10));
        let error = std::io::Error::other("down");
        while retry.pause("cities", "read", &error).await {
            attempts += 1;
        }
        assert!((5..=9).contains(&attempts) && began.elapsed() <= Duration::from_secs(10), "{attempts}");
    }
}
