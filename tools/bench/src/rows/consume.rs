//! A backlog is read, decoded and committed.

use crate::consuming::consume;
use crate::cost::{Cost, Meter};
use crate::fill;
use crate::key::SAMPLE;
use crate::place::Place;
use crate::rounds::in_turns;
use crate::row::{Measure, Question, Row};
use crate::yardstick::{KEY, redis_benchmark, xadd};
use anyhow::Result;
use redstream_core::Stream;

const QUESTION: Question = Question {
    name: "consume",
    path: "consume in batches of 1000, payloads decoded, offset committed per batch",
    yardstick: "redis-benchmark XREAD COUNT 1000",
    unit: "messages/s",
    measure: Measure::Rate,
    floor: 2.0,
    aim: 3.5,
};

const BATCH: usize = 1000;

pub(crate) async fn rows(place: &Place) -> Result<Vec<Row>> {
    let count = place.scaled(500_000);
    let stream = filled(place, count).await?;
    xadd(place, BATCH, &["-P", "100"], SAMPLE).await?;
    let limit = async || {
        let read = ["XREAD", "COUNT", "1000", "STREAMS", KEY, "0"];
        let reads = redis_benchmark(place, count / BATCH, &[], &read).await?;
        Ok(reads * BATCH as f64)
    };
    let mut round = 0;
    let ours = async || {
        round += 1;
        ours(&stream, round, count).await.map(|(rate, cost)| (rate, Some(cost)))
    };
    Ok(vec![QUESTION.answer(&in_turns(place.rounds(), limit, ours).await?)])
}

/// A stream with so many messages.
pub(crate) async fn filled(place: &Place, count: usize) -> Result<Stream> {
    let redstream = place.fresh().await?;
    let stream = redstream.stream("consumed")?;
    fill::readers(&stream).await?;
    fill::main(&redstream, &stream, count).await?;
    Ok(stream)
}

/// Messages a second, by a new consumer.
pub(crate) async fn ours(stream: &Stream, round: usize, count: usize) -> Result<(f64, Cost)> {
    let meter = Meter::start();
    let took = consume(stream, &format!("consumer-{round}"), count).await?;
    Ok((count as f64 / took.as_secs_f64(), meter.per(count)))
}
