//! The health of the workers of this process, as JSON.

use redstream_core::{Health, Neglected, WorkerHealth, WorkerState};
use serde::Serialize;

/// The workers of this process.
#[derive(Debug, Serialize)]
pub(crate) struct HealthOverview {
    pub(crate) is_live: bool,
    pub(crate) is_ready: bool,
    workers: Vec<WorkerOverview>,
}

#[derive(Debug, Serialize)]
struct WorkerOverview {
    name: String,
    state: &'static str,
    since_progress_ms: u128,
    restarts: u32,
    set_aside: u64,
    neglected: Vec<String>,
}

impl HealthOverview {
    pub(crate) fn of(health: &Health) -> Self {
        let worker = |worker: WorkerHealth| WorkerOverview {
            state: name_of_state(worker.state),
            since_progress_ms: worker.since_progress.as_millis(),
            restarts: worker.restarts,
            set_aside: worker.set_aside,
            neglected: worker.neglected.iter().map(neglected).collect(),
            name: worker.name,
        };
        Self {
            is_live: health.is_live(),
            is_ready: health.is_ready(),
            workers: health.workers().into_iter().map(worker).collect(),
        }
    }
}

fn name_of_state(state: WorkerState) -> &'static str {
    match state {
        WorkerState::Starting => "starting",
        WorkerState::Standby => "standby",
        WorkerState::Idle => "idle",
        WorkerState::Working => "working",
        WorkerState::Failing => "failing",
        WorkerState::Refused => "refused",
        WorkerState::Stopped => "stopped",
        _ => "unknown",
    }
}

fn neglected(neglected: &Neglected) -> String {
    match neglected {
        Neglected::Delayer { stream, .. } => format!("no host runs the delayer of {stream}"),
        Neglected::Trimmer { stream, .. } => format!("no host runs the trimmer of {stream}"),
        _ => "no host runs a worker that a stream needs".to_owned(),
    }
}
