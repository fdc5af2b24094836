//! A backlog that grows.

use crate::consuming::consume;
use crate::curve::{Curve, whole};
use crate::fill;
use crate::place::Place;
use anyhow::Result;
use std::time::Instant;

/// The number of messages that are added, and read from the start.
const SOME: usize = 50_000;

pub(crate) async fn curve(place: &Place) -> Result<Curve> {
    let mut curve = Curve::new("backlog", &["messages that wait", "added/s on top", "consumed/s from the oldest"]);
    let redstream = place.fresh().await?;
    let stream = redstream.stream("piling-up")?;
    fill::readers(&stream).await?;
    let mut there = 0;
    for backlog in [1_000, 10_000, 100_000, 1_000_000, 5_000_000].map(|backlog| place.scaled(backlog)) {
        let missing = backlog.saturating_sub(there);
        fill::main(&redstream, &stream, missing).await?;
        let begun = Instant::now();
        fill::main(&redstream, &stream, SOME).await?;
        let added = SOME as f64 / begun.elapsed().as_secs_f64();
        there += missing + SOME;
        let took = consume(&stream, &format!("reader-{backlog}"), SOME).await?;
        curve.point([whole(backlog as f64), whole(added), whole(SOME as f64 / took.as_secs_f64())]);
    }
    place.flush().await?;
    Ok(curve)
}
