//! Durations and waits: their milliseconds, their ends, and the pauses between attempts. A leaf: it uses no other
//! module.

pub(crate) mod backoff;

use std::time::Duration;

use redis::RedisResult;

/// The longest duration that is accepted: ten years, which can be added to every clock without overflow.
pub(crate) const LONGEST: Duration = Duration::from_secs(10 * 365 * 24 * 60 * 60);

/// The milliseconds of a duration, in the form that the scripts take.
pub(crate) fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

/// The end of a wait that begins now; in ten years at the latest, since an [`Instant`](tokio::time::Instant) has a
/// maximum.
pub(crate) fn deadline(within: Duration) -> tokio::time::Instant {
    tokio::time::Instant::now() + within.min(LONGEST)
}

/// The result of `reply`, or an error once `bound` has passed.
pub(crate) async fn within<T>(bound: Duration, reply: impl Future<Output = RedisResult<T>>) -> RedisResult<T> {
    let timed_out = || std::io::Error::new(std::io::ErrorKind::TimedOut, format!("no reply within {bound:?}"));
    tokio::time::timeout(bound, reply).await.unwrap_or_else(|_| Err(timed_out().into()))
}
