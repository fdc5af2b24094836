//! The memory that Redis uses for a waiting message.

use crate::fill;
use crate::key::SAMPLE;
use crate::place::Place;
use crate::rounds::Rounds;
use crate::row::{Measure, Question, Row};
use crate::yardstick::{KEY, xadd};
use anyhow::Result;
use redis::aio::MultiplexedConnection;

const QUESTION: Question = Question {
    name: "memory",
    path: "Redis memory a pending message, payload `{\"id\":N}`",
    yardstick: "an entry each, redis-benchmark XADD -P 250",
    unit: "bytes",
    measure: Measure::Price,
    floor: 0.6,
    aim: 0.57,
};

pub(crate) async fn rows(place: &Place) -> Result<Vec<Row>> {
    let count = place.scaled(200_000);
    let mut raw = place.raw().await?;
    let mut rounds = Rounds::default();
    for _ in 0..place.rounds() {
        let redstream = place.fresh().await?;
        let stream = redstream.stream("pending")?;
        fill::readers(&stream).await?;
        fill::main(&redstream, &stream, count).await?;
        let ours = memory(&mut raw, "redstream:stream:pending").await?;
        xadd(place, count, &["-P", "250"], SAMPLE).await?;
        let limit = memory(&mut raw, KEY).await?;
        rounds.add(ours / count as f64, limit / count as f64, None);
    }
    Ok(vec![QUESTION.answer(&rounds)])
}

pub(crate) async fn memory(raw: &mut MultiplexedConnection, key: &str) -> Result<f64> {
    let bytes: u64 = redis::cmd("MEMORY").arg("USAGE").arg(key).arg("SAMPLES").arg(0).query_async(raw).await?;
    Ok(bytes as f64)
}
