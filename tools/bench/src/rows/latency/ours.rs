//! A producer and a consumer.

use super::Pace;
use crate::cost::{Cost, Meter};
use crate::key::Id;
use crate::place::Place;
use anyhow::{Result, ensure};
use futures_util::stream::{FuturesUnordered, StreamExt};
use redstream_core::{Batch, CancellationToken, Producer, StreamName};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use tokio::task::JoinHandle;

/// In microseconds.
pub(super) async fn latencies(place: &Place, pace: Pace) -> Result<(Vec<f64>, Cost)> {
    let redstream = place.fresh().await?;
    let stream = redstream.stream("awaited")?;
    let (epoch, seen) = (Instant::now(), Seen::default());
    let handler = {
        let seen = seen.clone();
        move |batch: Batch| {
            let (now, seen) = (epoch.elapsed(), seen.clone());
            async move {
                for sent in batch.payloads::<Id>() {
                    seen.add(now.saturating_sub(Duration::from_nanos(sent?.id)));
                }
                Ok(())
            }
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
    seen.take(1, &running).await?;
    let meter = Meter::start();
    tokio::spawn(send(producer, stream.name().clone(), pace, epoch)).await??;
    let all = seen.take(pace.messages, &running).await?;
    let cost = meter.per(pace.messages);
    stop.cancel();
    running.await??;
    Ok((all, cost))
}

/// A message per tick, whether or not the last one is acknowledged.
async fn send(producer: Producer, stream: StreamName, pace: Pace, epoch: Instant) -> Result<()> {
    let send = async || {
        let now = Id { id: u64::try_from(epoch.elapsed().as_nanos())? };
        producer.queue(&stream, &now).await?;
        anyhow::Ok(())
    };
    let (mut ticks, mut sends) = (pace.ticks(), FuturesUnordered::new());
    loop {
        tokio::select! {
            Some(sent) = sends.next() => sent?,
            tick = ticks.recv() => match tick {
                Some(()) => sends.push(send()),
                None => break,
            },
        }
    }
    while let Some(sent) = sends.next().await {
        sent?;
    }
    Ok(())
}

/// Latencies in microseconds. No task is woken for each, as with the raw sockets.
#[derive(Clone, Debug, Default)]
struct Seen(Arc<Mutex<Vec<f64>>>);

impl Seen {
    fn add(&self, latency: Duration) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(latency.as_secs_f64() * 1e6);
    }

    /// Waits for this many, and takes them.
    async fn take<T>(&self, count: usize, running: &JoinHandle<T>) -> Result<Vec<f64>> {
        loop {
            {
                let mut seen = self.0.lock().unwrap_or_else(PoisonError::into_inner);
                if seen.len() >= count {
                    return Ok(std::mem::take(&mut *seen));
                }
            }
            ensure!(!running.is_finished(), "the consumer ended by itself");
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }
}
