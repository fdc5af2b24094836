//! One stream cut into shards, on one Redis.

use crate::consuming::consume;
use crate::curve::{Curve, percent, whole};
use crate::key::keys;
use crate::load::Load;
use crate::place::Place;
use anyhow::Result;
use redstream_core::{NewMessage, Payload, Redstream, Shards};
use std::time::Instant;
use tokio::task::JoinSet;

/// How many messages are added at once.
const AT_ONCE: usize = 50_000;

pub(crate) async fn curve(place: &Place) -> Result<Curve> {
    let columns = &["shards", "added/s", "Redis busy", "consumed/s, a consumer a shard", "Redis busy"];
    let mut curve = Curve::new("shards", columns);
    for count in [1, 2, 4, 8] {
        let redstream = place.fresh().await?;
        let shards = redstream.shards("sharded", count)?;
        let all = place.scaled(400_000);
        let load = Load::watch(place.raw().await?).await?;
        let added = add(&redstream, &shards, all).await?;
        let adding = load.share().await?;
        let load = Load::watch(place.raw().await?).await?;
        let consumed = consume_all(&shards).await?;
        let consuming = load.share().await?;
        curve.point([count.to_string(), whole(added), percent(adding), whole(consumed), percent(consuming)]);
    }
    Ok(curve)
}

/// Two tasks that add; messages a second.
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

/// A consumer a shard, all at once; messages a second.
pub(crate) async fn consume_all(shards: &Shards) -> Result<f64> {
    let mut lengths = Vec::new();
    for stream in shards.streams() {
        lengths.push(usize::try_from(stream.len().await?)?);
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
