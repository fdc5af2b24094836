//! What the page shows of one moment.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use redstream_core::{Overview, Problem};
use serde::Serialize;
use tokio::time::{Instant, timeout};

use crate::audit::{AuditEntry, millis};
use crate::error::chain;
use crate::health::HealthOverview;
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
        health: state.health.as_ref().map(HealthOverview::of),
        tasks: state.tasks.iter().map(task::Task::status).collect(),
        actions: state.audit.latest(),
    };
    // Strings, numbers, and maps by strings alone: it cannot fail.
    serde_json::to_string(&snapshot).unwrap_or_default()
}
