//! What Redis holds for a message that waits.

use crate::fill;
use crate::key::{SAMPLE, keys};
use crate::place::Place;
use crate::rounds::Rounds;
use crate::row::{Measure, Question, Row};
use anyhow::Result;
use redis::aio::MultiplexedConnection;

const QUESTION: Question = Question {
    name: "memory",
    path: "Redis memory a pending message",
    yardstick: "the bare entry, by XADD",
    unit: "bytes",
    measure: Measure::Price,
    floor: 1.0,
    aim: 1.0,
};

pub(crate) async fn rows(place: &Place) -> Result<Vec<Row>> {
    let count = place.scaled(200_000);
    let redstream = place.fresh().await?;
    let mut raw = place.raw().await?;
    let mut rounds = Rounds::default();
    for round in 0..place.rounds() {
        // A key takes part of the memory: names of one length.
        let stream = redstream.stream(format!("ours-{round}"))?;
        fill::main(&redstream, &stream, count).await?;
        let bare = format!("redstream:stream:bare-{round}");
        xadd(&mut raw, &bare, count).await?;
        let ours = memory(&mut raw, &format!("redstream:stream:{}", stream.name())).await?;
        let limit = memory(&mut raw, &bare).await?;
        rounds.add(ours / count as f64, limit / count as f64, None);
    }
    Ok(vec![QUESTION.answer(&rounds)])
}

async fn xadd(raw: &mut MultiplexedConnection, key: &str, count: usize) -> Result<()> {
    let keys: Vec<_> = keys(count).collect();
    for keys in keys.chunks(1000) {
        let mut pipeline = redis::pipe();
        for key_of in keys {
            let payload = serde_json::to_string(key_of)?;
            debug_assert_eq!(payload.len(), SAMPLE.len());
            pipeline.cmd("XADD").arg(key).arg("*").arg("payload").arg(payload).ignore();
        }
        pipeline.exec_async(raw).await?;
    }
    Ok(())
}

pub(crate) async fn memory(raw: &mut MultiplexedConnection, key: &str) -> Result<f64> {
    let bytes: u64 = redis::cmd("MEMORY").arg("USAGE").arg(key).arg("SAMPLES").arg(0).query_async(raw).await?;
    Ok(bytes as f64)
}
