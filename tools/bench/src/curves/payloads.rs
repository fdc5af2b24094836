//! Payloads of growing size.

use crate::curve::{Curve, whole};
use crate::fill;
use crate::place::Place;
use anyhow::Result;
use redstream_core::{Batch, CancellationToken, NewMessage, Payload};
use serde::de::IgnoredAny;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::time::Instant;

/// About this much is written at each size, in bytes; of small messages fewer.
const ALL: usize = 64 << 20;
const MOST: usize = 200_000;

pub(crate) async fn curve(place: &Place) -> Result<Curve> {
    let mut curve = Curve::new("payloads", &["payload", "added/s", "MiB/s", "consumed/s", "MiB/s"]);
    for (name, size) in [
        ("10 B", 10),
        ("100 B", 100),
        ("1 KiB", 1 << 10),
        ("10 KiB", 10 << 10),
        ("100 KiB", 100 << 10),
        ("1 MiB", 1 << 20),
    ] {
        let count = place.scaled((ALL / size).min(MOST)).max(8);
        let redstream = place.fresh().await?;
        let stream = redstream.stream("growing")?;
        fill::readers(&stream).await?;
        // A text of that length with its quotes.
        let payload = Payload::encode(&"x".repeat(size - 2))?;
        let messages = vec![NewMessage::new(stream.name().clone(), payload); count];
        let begun = Instant::now();
        for messages in messages.chunks(MOST.min((16 << 20) / size)) {
            redstream.producer().queue_all(messages).await?;
        }
        let added = count as f64 / begun.elapsed().as_secs_f64();

        let (seen, done) = (Arc::new(AtomicUsize::new(0)), CancellationToken::new());
        let enough = done.clone();
        let handler = move |batch: Batch| {
            let (seen, enough) = (seen.clone(), enough.clone());
            async move {
                for payload in batch.payloads::<IgnoredAny>() {
                    payload?;
                }
                if seen.fetch_add(batch.len(), Relaxed) + batch.len() >= count {
                    enough.cancel();
                }
                Ok(())
            }
        };
        let consumer = stream.consumer("reader", handler);
        let begun = Instant::now();
        tokio::spawn(async move { consumer.run(done).await }).await??;
        let consumed = count as f64 / begun.elapsed().as_secs_f64();
        let mib = |rate: f64| format!("{:.0}", rate * size as f64 / f64::from(1 << 20));
        curve.point([name.to_owned(), whole(added), mib(added), whole(consumed), mib(consumed)]);
    }
    place.flush().await?;
    Ok(curve)
}
