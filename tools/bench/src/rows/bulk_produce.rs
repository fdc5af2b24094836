//! Many messages at once.

use crate::cost::{Cost, Meter};
use crate::fill;
use crate::key::{SAMPLE, messages};
use crate::place::Place;
use crate::rounds::in_turns;
use crate::row::{Measure, Question, Row};
use crate::yardstick::xadd;
use anyhow::Result;
use std::time::Instant;
use tokio::sync::mpsc;

const QUESTION: Question = Question {
    name: "bulk_produce",
    path: "bulk produce, payload `{\"id\":N}`",
    yardstick: "redis-benchmark XADD -P 250",
    unit: "messages/s",
    measure: Measure::Rate,
    floor: 8.0,
    aim: 15.0,
};

/// How many are passed at once.
const BATCH: usize = 10_000;

pub(crate) async fn rows(place: &Place) -> Result<Vec<Row>> {
    let count = place.scaled(250_000);
    let limit = async || {
        place.flush().await?;
        xadd(place, count, &["-P", "250"], SAMPLE).await
    };
    let ours = async || ours(place).await.map(|(rate, cost)| (rate, Some(cost)));
    Ok(vec![QUESTION.answer(&in_turns(place.many_rounds(), limit, ours).await?)])
}

/// `queue_all` of batches; the payloads of the next are encoded while Redis processes one. Messages a second.
pub(crate) async fn ours(place: &Place) -> Result<(f64, Cost)> {
    // Ten times as many as one by one in the same time.
    let count = place.scaled(2_500_000);
    let redstream = place.fresh().await?;
    let stream = redstream.stream("produced")?;
    fill::readers(&stream).await?;
    let (meter, begun) = (Meter::start(), Instant::now());
    let (encoded, mut batches) = mpsc::channel(1);
    let encoding = tokio::spawn(async move {
        for first in (0..count).step_by(BATCH) {
            encoded.send(messages(stream.name(), first..count.min(first + BATCH))?).await?;
        }
        anyhow::Ok(())
    });
    let adding = tokio::spawn(async move {
        while let Some(batch) = batches.recv().await {
            redstream.producer().queue_all(&batch).await?;
        }
        anyhow::Ok(())
    });
    adding.await??;
    encoding.await??;
    Ok((count as f64 / begun.elapsed().as_secs_f64(), meter.per(count)))
}
