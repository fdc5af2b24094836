//! The memory that Redis uses for a waiting message.

use crate::fill;
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
        // A key takes part of the memory: names of equal length.
        let stream = redstream.stream(format!("ours-{round}"))?;
        fill::main(&redstream, &stream, count).await?;
        let (key, bare) = (format!("redstream:stream:ours-{round}"), format!("redstream:stream:bare-{round}"));
        copy(&mut raw, &key, &bare).await?;
        let ours = memory(&mut raw, &key).await?;
        let limit = memory(&mut raw, &bare).await?;
        rounds.add(ours / count as f64, limit / count as f64, None);
    }
    Ok(vec![QUESTION.answer(&rounds)])
}

/// Adds an entry with the same id and payload for each of a stream: ids take memory by how far they are apart.
async fn copy(raw: &mut MultiplexedConnection, from: &str, to: &str) -> Result<()> {
    let mut after = "0".to_owned();
    loop {
        let mut xrange = redis::cmd("XRANGE");
        xrange.arg(from).arg(format!("({after}")).arg("+").arg("COUNT").arg(1000);
        let entries: Vec<(String, (String, String))> = xrange.query_async(raw).await?;
        let Some((last, _)) = entries.last() else { return Ok(()) };
        after.clone_from(last);
        let mut pipeline = redis::pipe();
        for (id, (field, payload)) in entries {
            pipeline.cmd("XADD").arg(to).arg(id).arg(field).arg(payload).ignore();
        }
        pipeline.exec_async(raw).await?;
    }
}

pub(crate) async fn memory(raw: &mut MultiplexedConnection, key: &str) -> Result<f64> {
    let bytes: u64 = redis::cmd("MEMORY").arg("USAGE").arg(key).arg("SAMPLES").arg(0).query_async(raw).await?;
    Ok(bytes as f64)
}
