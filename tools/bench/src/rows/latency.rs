//! From `queue` to the handler.

use crate::place::Place;
use crate::rounds::Rounds;
use crate::row::{Measure, Question, Row};
use crate::statistics::percentile;
use anyhow::Result;
use std::time::Duration;

mod ours;
mod pace;
mod raw;

use pace::Pace;

const IDLE: Pace = Pace { every: Duration::from_millis(2), messages: 500 };
/// 10,000 a second.
const BUSY: Pace = Pace { every: Duration::from_micros(100), messages: 10_000 };

const fn question(name: &'static str, path: &'static str, floor: f64, aim: f64) -> Question {
    let yardstick = "raw XADD → raw blocking XREAD";
    Question { name, path, yardstick, unit: "µs", measure: Measure::Price, floor, aim }
}

pub(crate) async fn rows(place: &Place) -> Result<Vec<Row>> {
    let mut rows = measure(
        place,
        IDLE,
        question("latency_idle_p50", "`queue` → handler called, idle, p50", 1.2, 1.0),
        question("latency_idle_p99", "`queue` → handler called, idle, p99", 1.5, 1.1),
    )
    .await?;
    let busy = measure(
        place,
        BUSY,
        question("latency_busy_p50", "`queue` → handler called, at 10,000/s, p50", 1.5, 1.1),
        question("latency_busy_p99", "`queue` → handler called, at 10,000/s, p99", 1.3, 1.1),
    );
    rows.extend(busy.await?);
    Ok(rows)
}

/// The median latency in microseconds of messages that come one by one, and the 99th percentile of 10,000 a second.
pub(crate) async fn ours(place: &Place) -> Result<(f64, f64)> {
    let mut figures = [0.0; 2];
    for ((pace, share), figure) in [(IDLE, 0.5), (BUSY, 0.99)].into_iter().zip(&mut figures) {
        let (latencies, _) = ours::latencies(place, pace.scaled(place)).await?;
        *figure = percentile(latencies.iter().copied(), share);
    }
    Ok(figures.into())
}

async fn measure(place: &Place, pace: Pace, p50: Question, p99: Question) -> Result<Vec<Row>> {
    let pace = pace.scaled(place);
    let (mut median, mut tail) = (Rounds::default(), Rounds::default());
    for _ in 0..place.many_rounds() {
        let raw = raw::latencies(place, pace).await?;
        let (ours, cost) = ours::latencies(place, pace).await?;
        for (rounds, share) in [(&mut median, 0.5), (&mut tail, 0.99)] {
            let at = |of: &[f64]| percentile(of.iter().copied(), share);
            rounds.add(at(&ours), at(&raw), Some(cost));
        }
    }
    Ok(vec![p50.answer(&median), p99.answer(&tail)])
}
