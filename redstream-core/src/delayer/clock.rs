//! Detects steps of Redis's clock, which decides when delay messages are due, and reports their effect.

use std::sync::{MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::{Delayer, Look};
use crate::error::Result;
use crate::transport::session::Session;

/// Less than this is the latency of a reply, or a correction of the clock.
const STEP: Duration = Duration::from_secs(5);

/// Readings that are further apart are not compared: clocks drift.
const APART: Duration = Duration::from_secs(600);

/// The last reading of the clock of Redis, with that of this process's monotonic clock. Kept over sessions: a step
/// forward lets all locks expire, so it ends the session that would report it.
#[derive(Debug, Default)]
pub(super) struct Clock {
    seen: Option<(u64, Instant)>,
    /// It was reported that messages are due later than the delay says.
    told: bool,
}

/// The result of a reading of the clock.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Found {
    /// It went forward, by this much more than time did.
    Forward(Duration),
    /// It went back by this much.
    Back(Duration),
    /// The oldest delay message is due later than any that is added now, by this much: it was added before the clock
    /// went back.
    Late(Duration),
}

impl Clock {
    /// `redis`: milliseconds by the clock of Redis; `local`: when its answer came; `next`: in how long the oldest
    /// message is due.
    pub(super) fn look(
        &mut self,
        redis: u64,
        local: Instant,
        next: Option<Duration>,
        delay: Duration,
    ) -> Option<Found> {
        let before = self.seen.replace((redis, local));
        let late = next.and_then(|next| next.checked_sub(delay)).filter(|late| *late > STEP);
        let first = !std::mem::replace(&mut self.told, late.is_some());
        if let Some((then, at)) = before
            && local.duration_since(at) < APART
        {
            let expected = Duration::from_millis(then) + local.duration_since(at);
            let redis = Duration::from_millis(redis);
            match (redis.checked_sub(expected), expected.checked_sub(redis)) {
                (Some(forward), _) if forward > STEP => return Some(Found::Forward(forward)),
                (_, Some(back)) if back > STEP => return Some(Found::Back(back)),
                _ => {}
            }
        }
        late.filter(|_| first).map(Found::Late)
    }
}

impl Delayer {
    /// Reports a step of the clock since the last reading.
    pub(super) async fn watch(&self, session: &Session, looked: &Look) -> Result<()> {
        let look = |mut clock: MutexGuard<'_, Clock>| clock.look(looked.now, Instant::now(), looked.next, self.delay);
        let Some(found) = look(self.clock.lock().unwrap_or_else(PoisonError::into_inner)) else { return Ok(()) };
        let mut xlen = redis::cmd("XLEN");
        xlen.arg(self.member().stream);
        let entries: u64 = session.command("count delay messages", &xlen).await?;
        match found {
            Found::Forward(by) => tracing::warn!(
                stream = %self.stream, ?by, entries,
                "Redis's clock went forward, or this host stood still: the delay messages that waited came due so much \
                 earlier. A transaction that is still open may commit after its own: it announces the change itself, as long \
                 as its main message succeeds"
            ),
            Found::Back(by) | Found::Late(by) => tracing::warn!(
                stream = %self.stream, ?by, entries,
                "Redis's clock went back: delay messages are due later by that, so a change whose main message failed comes \
                 so much later. None is lost"
            ),
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: Duration = Duration::from_secs(3600);
    const DELAY: Duration = Duration::from_secs(300);

    fn at(clock: &mut Clock, seconds: u64, local: Instant, next: u64) -> Option<Found> {
        clock.look(seconds * 1000, local, Some(Duration::from_secs(next)), DELAY)
    }

    #[test]
    fn a_clock_that_runs_is_not_told_of_and_steps_are_once() {
        let (mut clock, local) = (Clock::default(), Instant::now());
        let later = |seconds| local + Duration::from_secs(seconds);
        assert_eq!(at(&mut clock, 10_000, later(0), 300), None);
        assert_eq!(at(&mut clock, 10_031, later(30), 10), None);
        assert_eq!(at(&mut clock, 13_661, later(60), 0), Some(Found::Forward(HOUR)));
        assert_eq!(at(&mut clock, 13_690, later(90), 300), None);
        assert_eq!(at(&mut clock, 10_120, later(120), 3900), Some(Found::Back(HOUR)));
        assert_eq!(at(&mut clock, 10_150, later(150), 3870), None, "told");
        assert_eq!(at(&mut clock, 20_000, later(1000), 300), None, "too far apart");
    }

    #[test]
    fn a_message_of_the_future_is_told_of_at_the_first_look() {
        let (mut clock, local) = (Clock::default(), Instant::now());
        assert_eq!(at(&mut clock, 10_000, local, 3900), Some(Found::Late(HOUR)));
        assert_eq!(at(&mut clock, 10_000, local, 3900), None);
        assert_eq!(at(&mut clock, 10_000, local, 300), None);
        assert_eq!(at(&mut clock, 10_000, local, 3900), Some(Found::Late(HOUR)), "another one");
    }
}
