//! Many messages at once.

use crate::cost::Meter;
use crate::key::{SAMPLE, messages};
use crate::place::Place;
use crate::rounds::in_turns;
use crate::row::{Measure, Question, Row};
use crate::yardstick::xadd;
use anyhow::Result;
use std::time::Instant;

const QUESTION: Question = Question {
    name: "bulk_produce",
    path: "bulk produce, payload `{\"id\":N}`",
    yardstick: "redis-benchmark XADD -P 250",
    unit: "messages/s",
    measure: Measure::Rate,
    floor: 1.0,
    aim: 1.4,
};

/// `queue_all`, payloads encoded on the way.
pub(crate) async fn rows(place: &Place) -> Result<Vec<Row>> {
    let count = place.scaled(500_000);
    let limit = async || {
        place.flush().await?;
        xadd(place.redis_port(), count, &["-P", "250"], SAMPLE).await
    };
    let ours = async || {
        let redstream = place.fresh().await?;
        let stream = redstream.stream("produced")?;
        let (meter, begun) = (Meter::start(), Instant::now());
        let adding = tokio::spawn(async move {
            let messages = messages(stream.name(), count)?;
            redstream.producer().queue_all(&messages).await
        });
        adding.await??;
        Ok((count as f64 / begun.elapsed().as_secs_f64(), Some(meter.per(count))))
    };
    Ok(vec![QUESTION.answer(&in_turns(place.rounds(), limit, ours).await?)])
}
