//! A producer and a consumer.

use super::Pace;
use crate::cost::{Cost, Meter};
use crate::key::Id;
use crate::place::Place;
use anyhow::{Context, Result};
use futures_util::future::try_join_all;
use redstream_core::{Batch, CancellationToken};
use std::time::{Duration, Instant};
use tokio::sync::mpsc;
use tokio::time::interval;

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
        let mut ticks = interval(pace.every);
        for _ in 0..pace.ticks {
            ticks.tick().await;
            let now = Id { id: u64::try_from(epoch.elapsed().as_nanos())? };
            try_join_all((0..pace.at_once).map(|_| producer.queue(stream.name(), &now))).await?;
        }
        anyhow::Ok(())
    });
    let count = pace.ticks * pace.at_once;
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
