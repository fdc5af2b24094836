//! How often Redis is looked at.

use std::time::Duration;

/// A look that takes long is repeated after this multiple of its time, so that Redis has time for other work.
const REST: u32 = 9;

/// How long to wait after a look that took so long.
pub(crate) fn rest(took: Duration, every: Duration) -> Duration {
    every.saturating_sub(took).max(took.saturating_mul(REST)).min(Duration::from_secs(60).max(every))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slow_redis_is_asked_less_often() {
        let ms = Duration::from_millis;
        assert_eq!(rest(ms(20), ms(1000)), ms(980));
        assert_eq!(rest(ms(300), ms(1000)), ms(2700));
        assert_eq!(rest(ms(10_000), ms(1000)), ms(60_000));
    }
}
