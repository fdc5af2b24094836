//! Durations and waits: what they are in milliseconds, where they end, and the pauses between attempts. A leaf: it uses no other
//! module.

pub(crate) mod backoff;

use std::time::Duration;

use redis::RedisResult;

/// The longest duration that is taken: ten years, which every clock that it is added to has room for.
pub(crate) const LONGEST: Duration = Duration::from_secs(10 * 365 * 24 * 60 * 60);

/// The milliseconds of a duration, as the scripts take them.
pub(crate) fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

/// When a wait is over that begins now; in ten years at the latest, since an [`Instant`](tokio::time::Instant) cannot be put off
/// for ever.
pub(crate) fn deadline(within: Duration) -> tokio::time::Instant {
    tokio::time::Instant::now() + within.min(LONGEST)
}

/// What `reply` brings, or an error once `bound` has passed.
pub(crate) async fn within<T>(bound: Duration, reply: impl Future<Output = RedisResult<T>>) -> RedisResult<T> {
    let timed_out = || std::io::Error::new(std::io::ErrorKind::TimedOut, format!("no reply within {bound:?}"));
    tokio::time::timeout(bound, reply).await.unwrap_or_else(|_| Err(timed_out().into()))
}
