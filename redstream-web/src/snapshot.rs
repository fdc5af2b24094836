//! What the page shows of one moment.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use redstream_core::{Health, Neglected, Overview, Problem, WorkerState};
use serde::Serialize;
use tokio::time::{Instant, timeout};

use crate::audit::{AuditEntry, millis};
use crate::error::chain;
use crate::pace::rest;
use crate::rates::{Rates, Trends};
use crate::state::State;
use crate::task;

/// How long a look may take.
const BOUND: Duration = Duration::from_secs(10);

/// How many streams, and how many problems, are sent.
const MOST: usize = 200;

#[derive(Debug, Serialize)]
struct Snapshot {
    #[serde(serialize_with = "millis")]
    at: SystemTime,
    took_ms: u128,
    /// After which time the next look begins.
    next_ms: u128,
    /// Why there is no overview.
    error: Option<String>,
    overview: Option<Overview>,
    /// How many streams are not in the overview, since there are too many.
    left_out: usize,
    problems: Vec<Problem>,
    rates: Rates,
    health: Option<HealthOverview>,
    tasks: Vec<task::Status>,
    actions: Vec<AuditEntry>,
}

/// The workers of this process.
#[derive(Debug, Serialize)]
struct HealthOverview {
    is_live: bool,
    is_ready: bool,
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

/// Looks at Redis and at this process. A failure is part of the result, as JSON.
pub(crate) async fn take(state: &Arc<State>, trends: &mut Trends) -> String {
    let begun = Instant::now();
    let looked = timeout(BOUND, state.redstream.overview()).await;
    let took = begun.elapsed();
    let (mut overview, error) = match looked {
        Ok(Ok(overview)) => (Some(overview), None),
        Ok(Err(error)) => (None, Some(chain(&error))),
        Err(_) => (None, Some(format!("Redis could not show its streams within {} seconds", BOUND.as_secs()))),
    };
    let rates = overview.as_ref().map(|overview| trends.next(begun.into_std(), overview)).unwrap_or_default();
    let mut problems = overview.as_ref().map(Overview::problems).unwrap_or_default();
    problems.truncate(MOST);
    let mut left_out = 0;
    if let Some(overview) = &mut overview {
        left_out = overview.streams.len().saturating_sub(MOST);
        overview.streams.truncate(MOST);
        overview.unreadable.truncate(MOST);
    }
    let snapshot = Snapshot {
        at: SystemTime::now(),
        took_ms: took.as_millis(),
        next_ms: rest(took, state.every).as_millis(),
        error,
        overview,
        left_out,
        problems,
        rates,
        health: state.health.as_ref().map(health),
        tasks: state.tasks.iter().map(task::Task::status).collect(),
        actions: state.audit.latest(),
    };
    // Strings, numbers, and maps by strings alone: it cannot fail.
    serde_json::to_string(&snapshot).unwrap_or_default()
}

fn health(health: &Health) -> HealthOverview {
    let worker = |worker: redstream_core::WorkerHealth| WorkerOverview {
        state: name_of_state(worker.state),
        since_progress_ms: worker.since_progress.as_millis(),
        restarts: worker.restarts,
        set_aside: worker.set_aside,
        neglected: worker.neglected.iter().map(neglected).collect(),
        name: worker.name,
    };
    HealthOverview {
        is_live: health.is_live(),
        is_ready: health.is_ready(),
        workers: health.workers().into_iter().map(worker).collect(),
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
