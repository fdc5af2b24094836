//! One background task looks at Redis for all viewers, and only while there is one.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::Instant;

use crate::rates::Trends;
use crate::snapshot;
use crate::state::State;

/// A look that takes long is repeated after this multiple of its time, so that Redis has time for other work.
const REST: u32 = 9;

/// The latest snapshot, as JSON; `None` until the first look has ended.
pub(crate) type Latest = watch::Receiver<Option<Arc<str>>>;

/// The background task, and what it found.
#[derive(Debug)]
pub(crate) struct Look {
    latest: watch::Sender<Option<Arc<str>>>,
    task: Mutex<Option<JoinHandle<()>>>,
}

impl Default for Look {
    fn default() -> Self {
        Self { latest: watch::Sender::new(None), task: Mutex::default() }
    }
}

/// The snapshots from now on. The task runs at least as long as the result lives.
pub(crate) fn watch(state: &Arc<State>) -> Latest {
    let mut task = state.look.task.lock().unwrap_or_else(PoisonError::into_inner);
    if task.as_ref().is_none_or(JoinHandle::is_finished) {
        state.look.latest.send_replace(None);
        *task = Some(tokio::spawn(run(state.clone())));
    }
    state.look.latest.subscribe()
}

async fn run(state: Arc<State>) {
    let mut trends = Trends::default();
    loop {
        let begun = Instant::now();
        let snapshot = snapshot::take(&state, &mut trends).await;
        state.look.latest.send_replace(Some(snapshot.into()));
        tokio::time::sleep(rest(begun.elapsed(), state.every)).await;
        let mut task = state.look.task.lock().unwrap_or_else(PoisonError::into_inner);
        if state.look.latest.receiver_count() == 0 {
            // Under the lock, so that a viewer either counts or starts another task.
            *task = None;
            return;
        }
    }
}

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
