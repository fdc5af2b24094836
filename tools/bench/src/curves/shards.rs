//! One stream split into shards, on one Redis.

use crate::consuming::consume;
use crate::curve::{Curve, percent, whole};
use crate::fill;
use crate::key::keys;
use crate::load::Load;
use crate::place::Place;
use crate::statistics::median;
use anyhow::Result;
use redstream_core::{NewMessage, Payload, Redstream, Shards};
use std::time::Instant;
use tokio::task::JoinSet;

const COUNTS: [u32; 4] = [1, 2, 4, 8];

/// How many messages are added at once.
const AT_ONCE: usize = 50_000;

pub(crate) async fn curve(place: &Place) -> Result<Curve> {
    let columns = &["shards", "added/s", "Redis busy", "consumed/s, a consumer a shard", "Redis busy"];
    let mut curve = Curve::new("shards", columns);
    // In turns, so that a busy moment of the machine affects all of them.
    let mut rounds = COUNTS.map(|_| Vec::new());
    for _ in 0..place.rounds() {
        for (count, round) in COUNTS.into_iter().zip(&mut rounds) {
            round.push(measure(place, count).await?);
        }
    }
    for (count, round) in COUNTS.into_iter().zip(rounds) {
        let [added, adding, consumed, consuming] =
            [0, 1, 2, 3].map(|at| median(round.iter().map(|figures| figures[at])));
        curve.point([count.to_string(), whole(added), percent(adding), whole(consumed), percent(consuming)]);
    }
    Ok(curve)
}

/// Messages added per second and the share of Redis's core that they took, and the same of those consumed.
async fn measure(place: &Place, shards: u32) -> Result<[f64; 4]> {
    let redstream = place.fresh().await?;
    let shards = redstream.shards("sharded", shards)?;
    readers(&shards).await?;
    let load = Load::watch(place.raw().await?).await?;
    let added = add(&redstream, &shards, place.scaled(400_000)).await?;
    let adding = load.share().await?;
    let load = Load::watch(place.raw().await?).await?;
    let consumed = consume_all(&shards).await?;
    Ok([added, adding, consumed, load.share().await?])
}

/// Each shard has [readers](fill::readers).
pub(crate) async fn readers(shards: &Shards) -> Result<()> {
    for stream in shards.streams() {
        fill::readers(stream).await?;
    }
    Ok(())
}

/// Two tasks that add; messages per second.
pub(crate) async fn add(redstream: &Redstream, shards: &Shards, count: usize) -> Result<f64> {
    let mut batches = [Vec::new(), Vec::new()];
    for (n, key) in keys(0..count).enumerate() {
        let message: NewMessage = shards.message(Payload::encode(&key)?);
        batches[n / AT_ONCE % 2].push(message);
    }
    let begun = Instant::now();
    let mut adding = JoinSet::new();
    for batch in batches {
        let producer = redstream.producer();
        adding.spawn(async move { producer.queue_all(&batch).await });
    }
    while let Some(added) = adding.join_next().await {
        added??;
    }
    Ok(count as f64 / begun.elapsed().as_secs_f64())
}

/// A consumer per shard, all at once; messages per second.
pub(crate) async fn consume_all(shards: &Shards) -> Result<f64> {
    let mut lengths = Vec::new();
    for stream in shards.streams() {
        lengths.push(usize::try_from(stream.lag("reader").await?)?);
    }
    let count: usize = lengths.iter().sum();
    let begun = Instant::now();
    let mut consuming = JoinSet::new();
    for (stream, length) in shards.streams().iter().cloned().zip(lengths) {
        if length > 0 {
            consuming.spawn(async move { consume(&stream, "reader", length).await });
        }
    }
    while let Some(consumed) = consuming.join_next().await {
        consumed??;
    }
    Ok(count as f64 / begun.elapsed().as_secs_f64())
}
