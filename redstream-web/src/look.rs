//! One background task looks at Redis for all viewers, and only while there is one.

use std::sync::{Arc, PoisonError};

use tokio::task::JoinHandle;
use tokio::time::Instant;

use crate::latest::Latest;
use crate::pace::rest;
use crate::rates::Trends;
use crate::snapshot;
use crate::state::State;

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
