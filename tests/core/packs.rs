//! Packs: entries that hold several messages, read and written.

mod moved;
mod parts;
mod poison;
mod read;

use std::ops::Range;
use std::time::Duration;

use redis::aio::MultiplexedConnection;
use redstream_core::{CancellationToken, Consumer, MessageId, Redstream, Result, Stream};
use tokio::task::JoinHandle;

use super::SOON;
use crate::support::{namespace, raw_redis, redis_url, redstream_at};

/// A stream, and a connection that adds entries as another program would.
struct Stage {
    namespace: String,
    redstream: Redstream,
    products: Stream,
    raw: MultiplexedConnection,
}

impl Stage {
    async fn new() -> Self {
        let namespace = namespace();
        let redstream = redstream_at(&redis_url(), &namespace).await;
        let products = redstream.stream("products").unwrap();
        Self { namespace, redstream, products, raw: raw_redis(&redis_url()).await }
    }

    fn key(&self, stream: &str) -> String {
        format!("{}:redstream:stream:{stream}", self.namespace)
    }

    async fn add(&mut self, id: &str, field: &str, value: &str) -> MessageId {
        self.add_to("products", id, field, value).await
    }

    async fn add_to(&mut self, stream: &str, id: &str, field: &str, value: &str) -> MessageId {
        let xadd = redis::cmd("XADD").arg(self.key(stream)).arg(id).arg(field).arg(value).to_owned();
        let id: String = xadd.query_async(&mut self.raw).await.unwrap();
        id.parse().unwrap()
    }

    /// One entry with these numbers.
    async fn pack(&mut self, numbers: Range<u64>) -> MessageId {
        self.add("*", "payloads", &lines(numbers)).await
    }

    async fn offset(&self) -> Option<MessageId> {
        self.products.offsets().get("search").await.unwrap()
    }
}

fn lines(numbers: Range<u64>) -> String {
    numbers.map(|number| number.to_string()).collect::<Vec<_>>().join("\n")
}

/// A consumer at work; stopped by the token.
fn start(consumer: Consumer) -> (CancellationToken, JoinHandle<Result<()>>) {
    let (consumer, shutdown) = (quick(consumer), CancellationToken::new());
    let token = shutdown.clone();
    (shutdown, tokio::spawn(async move { consumer.run(token).await }))
}

async fn stop((shutdown, running): (CancellationToken, JoinHandle<Result<()>>)) {
    shutdown.cancel();
    tokio::time::timeout(SOON, running).await.expect("it stops").expect("it does not panic").unwrap();
}

fn quick(consumer: Consumer) -> Consumer {
    consumer.backoff(Duration::from_millis(5), Duration::from_millis(20)).attempts(2)
}
