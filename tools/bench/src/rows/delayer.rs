//! Delay messages are moved to their main stream.

use crate::cost::{Cost, Meter};
use crate::fill;
use crate::key::SAMPLE;
use crate::place::Place;
use crate::rounds::in_turns;
use crate::row::{Measure, Question, Row};
use crate::yardstick::xadd;
use anyhow::{Result, ensure};
use redstream_core::CancellationToken;
use std::time::{Duration, Instant};

const QUESTION: Question = Question {
    name: "delayer",
    path: "delayer move",
    yardstick: "redis-benchmark XADD -P 1000",
    unit: "messages/s",
    measure: Measure::Rate,
    floor: 3.0,
    aim: 6.0,
};

/// A running delayer sleeps until the next message is due; all of these are due.
const DELAY: Duration = Duration::from_millis(1);

pub(crate) async fn rows(place: &Place) -> Result<Vec<Row>> {
    let count = place.scaled(400_000);
    let limit = async || {
        place.flush().await?;
        xadd(place, count, &["-P", "1000"], SAMPLE).await
    };
    let ours = async || ours(place).await.map(|(rate, cost)| (rate, Some(cost)));
    Ok(vec![QUESTION.answer(&in_turns(place.many_rounds(), limit, ours).await?)])
}

/// Messages a second.
pub(crate) async fn ours(place: &Place) -> Result<(f64, Cost)> {
    let count = place.scaled(400_000);
    let redstream = place.fresh().await?;
    let stream = redstream.stream("delayed")?;
    fill::readers(&stream).await?;
    fill::delayed(&redstream, &stream, count).await?;
    let stop = CancellationToken::new();
    let delayer = stream.delayer(DELAY);
    let (meter, begun) = (Meter::start(), Instant::now());
    let working = tokio::spawn({
        let stop = stop.clone();
        async move { delayer.run(stop).await }
    });
    while stream.delay_len().await? > 0 {
        ensure!(!working.is_finished(), "the delayer ended by itself");
        // Each check is one more command for Redis.
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let (took, cost) = (begun.elapsed(), meter.per(count));
    stop.cancel();
    working.await??;
    ensure!(stream.lag("bench").await? == count as u64, "messages are missing in the main stream");
    Ok((count as f64 / took.as_secs_f64(), cost))
}
