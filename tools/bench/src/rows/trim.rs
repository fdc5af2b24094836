//! The trimmer removes what all consumers have committed.

use crate::fill;
use crate::place::Place;
use crate::rounds::in_turns;
use crate::row::{Measure, Question, Row};
use anyhow::{Context, Result, ensure};
use redstream_core::{Stream, Trimmed};
use std::time::{Duration, Instant};

const QUESTION: Question = Question {
    name: "trim",
    path: "trim 1 million",
    yardstick: "one XTRIM MINID, and its connection",
    unit: "messages/s",
    measure: Measure::Rate,
    floor: 0.8,
    aim: 0.95,
};

const STREAM: &str = "trimmed";

/// `run_once`: connects, acquires the lock, sweeps, releases it.
pub(crate) async fn rows(place: &Place) -> Result<Vec<Row>> {
    let count = place.scaled(1_000_000);
    let limit = async || {
        committed(place, count).await?;
        let mut trim = redis::cmd("XTRIM");
        trim.arg(format!("redstream:stream:{STREAM}")).arg("MINID").arg("=").arg("9999999999999-0");
        let begun = Instant::now();
        let mut raw = place.raw().await?;
        let removed: usize = trim.query_async(&mut raw).await?;
        let took = begun.elapsed();
        ensure!(removed == count, "{removed} of {count} messages were trimmed");
        Ok(count as f64 / took.as_secs_f64())
    };
    let ours = async || {
        let stream = committed(place, count).await?;
        let begun = Instant::now();
        let trimmed = stream.trimmer().run_once().await?;
        let took = begun.elapsed();
        ensure!(trimmed == Trimmed::Removed(count as u64), "{trimmed:?}");
        Ok((count as f64 / took.as_secs_f64(), None))
    };
    Ok(vec![QUESTION.answer(&in_turns(place.rounds(), limit, ours).await?)])
}

/// A stream whose one consumer has committed all.
async fn committed(place: &Place, count: usize) -> Result<Stream> {
    let redstream = place.fresh().await?;
    let stream = redstream.stream(STREAM)?;
    fill::main(&redstream, &stream, count).await?;
    let guard = stream.lock("reader", Duration::from_secs(5))?.try_acquire().await?.context("the lock is not free")?;
    stream.offsets().commit(&guard, stream.last_id().await?).await?;
    guard.release().await?;
    Ok(stream)
}
