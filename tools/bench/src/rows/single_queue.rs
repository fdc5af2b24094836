//! One message per call, from a hundred tasks at once.

use crate::cost::{Cost, Meter};
use crate::key::{SAMPLE, keys};
use crate::place::Place;
use crate::rounds::in_turns;
use crate::row::{Measure, Question, Row};
use crate::yardstick::xadd;
use anyhow::Result;
use redstream_core::Redstream;
use std::time::Instant;
use tokio::task::JoinSet;

const QUESTION: Question = Question {
    name: "single_queue",
    path: "single `queue`, 100 tasks at once",
    yardstick: "redis-benchmark XADD -c 100",
    unit: "messages/s",
    measure: Measure::Rate,
    floor: 0.8,
    aim: 1.0,
};

const TASKS: usize = 100;

pub(crate) async fn rows(place: &Place) -> Result<Vec<Row>> {
    let count = place.scaled(2000) * TASKS;
    let limit = async || {
        place.flush().await?;
        xadd(place, count, &["-c", "100"], SAMPLE).await
    };
    let ours = async || ours(place).await.map(|(rate, cost)| (rate, Some(cost)));
    Ok(vec![QUESTION.answer(&in_turns(place.rounds(), limit, ours).await?)])
}

/// Messages a second.
pub(crate) async fn ours(place: &Place) -> Result<(f64, Cost)> {
    let each = place.scaled(2000);
    let redstream = place.fresh().await?;
    let (meter, begun) = (Meter::start(), Instant::now());
    let mut tasks = JoinSet::new();
    for _ in 0..TASKS {
        tasks.spawn(queue(redstream.clone(), each));
    }
    while let Some(done) = tasks.join_next().await {
        done??;
    }
    let count = each * TASKS;
    Ok((count as f64 / begun.elapsed().as_secs_f64(), meter.per(count)))
}

async fn queue(redstream: Redstream, count: usize) -> redstream_core::Result<()> {
    let (producer, stream) = (redstream.producer(), redstream.stream("queued")?);
    for key in keys(0..count) {
        producer.queue(stream.name(), &key).await?;
    }
    Ok(())
}
