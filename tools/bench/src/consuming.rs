//! A consumer that decodes its messages, and runs until it has handled a given number.

use crate::key::Id;
use anyhow::Result;
use redstream_core::{Batch, CancellationToken, Consumer, Stream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::time::{Duration, Instant};

/// A consumer of that name, whose token is cancelled once it has handled this many messages.
pub(crate) fn consumer(stream: &Stream, name: &str, until: usize) -> (Consumer, CancellationToken) {
    let (seen, done) = (Arc::new(AtomicUsize::new(0)), CancellationToken::new());
    let enough = done.clone();
    let handler = move |batch: Batch| {
        let (seen, enough) = (seen.clone(), enough.clone());
        async move {
            for key in batch.payloads::<Id>() {
                std::hint::black_box(key?);
            }
            if seen.fetch_add(batch.len(), Relaxed) + batch.len() >= until {
                enough.cancel();
            }
            Ok(())
        }
    };
    (stream.consumer(name, handler), done)
}

/// The time from connecting to the last commit.
pub(crate) async fn consume(stream: &Stream, name: &str, until: usize) -> Result<Duration> {
    let (consumer, done) = consumer(stream, name, until);
    let begun = Instant::now();
    tokio::spawn(async move { consumer.run(done).await }).await??;
    Ok(begun.elapsed())
}
