//! One stops, the other takes over at once.

use super::standby::Standby;
use crate::key::Id;
use crate::place::Place;
use crate::rounds::Rounds;
use crate::row::{Measure, Question, Row};
use crate::statistics::percentile;
use anyhow::Result;
use redstream_core::WorkerState;
use std::time::{Duration, Instant};

const QUESTION: Question = Question {
    name: "hand_over",
    path: "hand-over on release, p99: told to stop → the standby's handler called",
    yardstick: "0",
    unit: "ms",
    measure: Measure::Beyond,
    floor: 5.0,
    aim: 1.0,
};

const TTL: Duration = Duration::from_secs(5);

pub(super) async fn rows(place: &Place) -> Result<Vec<Row>> {
    let mut rounds = Rounds::default();
    for _ in 0..place.rounds() {
        let redstream = place.fresh().await?;
        let stream = redstream.stream("handed-over")?;
        let producer = redstream.producer();
        let mut at_work = Standby::start(&stream, TTL);
        at_work.is(WorkerState::Idle).await?;
        let mut took = Vec::new();
        for _ in 0..place.scaled(100).max(20) {
            let mut next = Standby::start(&stream, TTL);
            next.is(WorkerState::Standby).await?;
            // It has begun to wait when this reply comes from its own loop of commands.
            tokio::time::sleep(Duration::from_millis(5)).await;
            let told = Instant::now();
            at_work.stop();
            producer.queue(stream.name(), &Id { id: 1 }).await?;
            took.push(next.called().await?.duration_since(told).as_secs_f64() * 1e3);
            at_work.ended().await?;
            at_work = next;
        }
        at_work.stop();
        at_work.ended().await?;
        rounds.add(percentile(took, 0.99), 0.0, None);
    }
    Ok(vec![QUESTION.answer(&rounds)])
}
