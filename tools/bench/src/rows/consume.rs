//! A backlog is read, decoded and committed.

use crate::consuming::consume;
use crate::cost::Meter;
use crate::fill;
use crate::key::SAMPLE;
use crate::place::Place;
use crate::rounds::in_turns;
use crate::row::{Measure, Question, Row};
use crate::yardstick::{KEY, redis_benchmark, xadd};
use anyhow::Result;

const QUESTION: Question = Question {
    name: "consume",
    path: "consume in batches of 1000, payloads decoded, offset committed per batch",
    yardstick: "redis-benchmark XREAD COUNT 1000",
    unit: "messages/s",
    measure: Measure::Rate,
    floor: 0.5,
    aim: 0.9,
};

const BATCH: usize = 1000;

pub(crate) async fn rows(place: &Place) -> Result<Vec<Row>> {
    let count = place.scaled(500_000);
    let redstream = place.fresh().await?;
    xadd(place.redis_port(), BATCH, &["-P", "100"], SAMPLE).await?;
    let stream = redstream.stream("consumed")?;
    fill::main(&redstream, &stream, count).await?;
    let limit = async || {
        let read = ["XREAD", "COUNT", "1000", "STREAMS", KEY, "0"];
        let reads = redis_benchmark(place.redis_port(), count / BATCH, &[], &read).await?;
        Ok(reads * BATCH as f64)
    };
    let mut round = 0;
    let ours = async || {
        round += 1;
        let meter = Meter::start();
        let took = consume(&stream, &format!("consumer-{round}"), count).await?;
        Ok((count as f64 / took.as_secs_f64(), Some(meter.per(count))))
    };
    Ok(vec![QUESTION.answer(&in_turns(place.rounds(), limit, ours).await?)])
}
