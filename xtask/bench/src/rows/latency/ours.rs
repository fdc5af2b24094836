//! A producer and a consumer.

use super::Pace;
use crate::cost::{Cost, Meter};
use crate::key::Id;
use crate::place::Place;
use anyhow::{Context, Result};
use redstream_core::{Batch, CancellationToken};
use std::time::{Duration, Instant};
use tokio::sync::mpsc;
use tokio::task::JoinSet;

/// In microseconds.
pub(super) async fn latencies(place: &Place, pace: Pace) -> Result<(Vec<f64>, Cost)> {
    let redstream = place.fresh().await?;
    let stream = redstream.stream("awaited")?;
    let epoch = Instant::now();
    let (seen, mut latencies) = mpsc::unbounded_channel();
    let handler = move |batch: Batch| {
        let (now, seen) = (epoch.elapsed(), seen.clone());
        async move {
            for sent in batch.payloads::<Id>() {
                let latency = now.saturating_sub(Duration::from_nanos(sent?.id));
                seen.send(latency.as_secs_f64() * 1e6)?;
            }
            Ok(())
        }
    };
    let stop = CancellationToken::new();
    let consumer = stream.consumer("waiting", handler);
    let running = tokio::spawn({
        let stop = stop.clone();
        async move { consumer.run(stop).await }
    });
    let producer = redstream.producer();
    // The first message finds a consumer that has begun to wait.
    producer.queue(stream.name(), &Id { id: 0 }).await?;
    latencies.recv().await.context("the consumer ended")?;
    let meter = Meter::start();
    let sending = tokio::spawn(async move {
        let (mut ticks, mut sends) = (pace.ticks(), JoinSet::new());
        while ticks.recv().await.is_some() {
            let (producer, stream) = (producer.clone(), stream.name().clone());
            sends.spawn(async move {
                let now = Id { id: u64::try_from(epoch.elapsed().as_nanos())? };
                producer.queue(&stream, &now).await?;
                anyhow::Ok(())
            });
            while let Some(sent) = sends.try_join_next() {
                sent??;
            }
        }
        while let Some(sent) = sends.join_next().await {
            sent??;
        }
        anyhow::Ok(())
    });
    let count = pace.messages;
    let mut all = Vec::with_capacity(count);
    while all.len() < count {
        all.push(latencies.recv().await.context("the consumer ended")?);
    }
    let cost = meter.per(count);
    sending.await??;
    stop.cancel();
    running.await??;
    Ok((all, cost))
}
