//! What the page shows of one moment.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use futures_util::future::join_all;
use redstream_core::{Overview, Problem};
use serde::Serialize;
use tokio::time::{Instant, timeout};

use crate::audit::{AuditEntry, millis};
use crate::error::chain;
use crate::health::HealthOverview;
use crate::pace::rest;
use crate::rates::{Rates, Trends, Written};
use crate::state::State;
use crate::task;

/// How long a look may take.
const BOUND: Duration = Duration::from_secs(10);

/// How many streams, and how many problems, are sent.
const MOST: usize = 200;

/// How many new messages of a stream are counted from one look to the next.
const MOST_WRITTEN: u64 = 100_000;

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
    let rates = match &overview {
        Some(overview) => {
            let written = written(state, trends, overview).await;
            trends.next(begun.into_std(), overview, &written)
        }
        None => Rates::default(),
    };
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

/// Counts what was written to the streams that are shown since the last look. One that cannot be counted is left out.
async fn written(state: &State, trends: &Trends, overview: &Overview) -> BTreeMap<String, Written> {
    let counts = overview.streams.iter().take(MOST).filter_map(|stream| {
        let from = trends.count_from(stream)?;
        let name = stream.name.to_string();
        Some(async move {
            let counted = state.redstream.stream(&name).ok()?.count_after(from, MOST_WRITTEN).await.ok()?;
            Some((name, Written { messages: counted.messages, last: counted.last }))
        })
    });
    let counts = timeout(BOUND, join_all(counts)).await;
    counts.unwrap_or_default().into_iter().flatten().collect()
}
