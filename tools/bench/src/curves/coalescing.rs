//! Hot keys: how many writes the indexer saves its sink.

use crate::city::streamed;
use crate::curve::{Curve, percent, whole};
use crate::database::{Backend, Database};
use crate::key::Id;
use crate::place::Place;
use anyhow::{Result, ensure};
use redstream_core::{CancellationToken, NewMessage, Payload};
use redstream_seaorm::{Changes, HandlerError, Indexer, Sink};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

/// Counts its records.
struct Counting(Arc<AtomicU64>);

impl Sink<streamed::Entity> for Counting {
    async fn write(&self, changes: Changes<streamed::Entity>) -> Result<(), HandlerError> {
        self.0.fetch_add(changes.len() as u64, Relaxed);
        Ok(())
    }
}

pub(crate) async fn curve(place: &Place) -> Result<Curve> {
    let mut curve = Curve::new("coalescing", &["messages", "among so many keys", "records written", "work saved"]);
    let count = place.scaled(50_000) as u64;
    for keys in [10, 100, 1_000, 10_000] {
        let redstream = place.fresh().await?;
        let database = Database::new(place, Backend::Sqlite, &redstream).await?;
        database.fill(10_000).await?;
        let stream = redstream.stream("cities")?;
        let mut random = 1_u64;
        let mut messages = Vec::new();
        for _ in 0..count {
            // Knuth's generator: the same keys in every run.
            random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            let payload = Payload::encode(&Id { id: (random >> 33) % keys + 1 })?;
            messages.push(NewMessage::new(stream.name().clone(), payload));
        }
        redstream.producer().queue_all(&messages).await?;
        let written = Arc::new(AtomicU64::new(0));
        let indexer = Indexer::new(database.plain.clone(), Counting(written.clone()));
        let (consumer, stop) = (stream.consumer("index", indexer), CancellationToken::new());
        let stopping = stop.clone();
        let running = tokio::spawn(async move { consumer.run(stopping).await });
        while stream.lag("index").await? > 0 {
            ensure!(!running.is_finished(), "the consumer ended by itself");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        stop.cancel();
        running.await??;
        let written = written.load(Relaxed);
        let saved = 1.0 - written as f64 / count as f64;
        curve.point([whole(count as f64), whole(keys as f64), whole(written as f64), percent(saved)]);
    }
    Ok(curve)
}
