//! Packs: entries that hold several messages, read and written.

mod announced;
mod bounds;
mod moved;
mod parts;
mod poison;
mod read;
mod readers;
mod synced;
mod written;

use std::ops::Range;
use std::time::Duration;

use redis::aio::MultiplexedConnection;
use redstream_core::{
    CancellationToken, ConnectOptions, Consumer, MessageId, NewMessage, Payload, Redstream, Result, Stream,
};
use serde_json::Value;
use tokio::task::JoinHandle;

use super::SOON;
use super::consumer::stop;
use super::recorder::Recorder;
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

    /// A process that has looked at nothing yet.
    async fn writer(&self, set: impl FnOnce(ConnectOptions) -> ConnectOptions) -> Redstream {
        Redstream::connect(set(ConnectOptions::new(redis_url()).namespace(&self.namespace))).await.unwrap()
    }

    /// Registers a consumer and the delayer, both of this version.
    async fn readers(&self) {
        self.products.consumer("search", Recorder::default()).run_once().await.unwrap();
        self.products.delayer(SOON * 30).run_once().await.unwrap().unwrap();
    }

    /// What a consumer of an earlier version, or its delayer, notes when it acquires its lock.
    async fn older_reader(&mut self, stream: &str, consumer: &str) {
        let note = r#"{"skips_repeats":false,"registered_at":1,"owner":"aaaa\/5000"}"#;
        let hset = redis::cmd("HSET").arg(self.registry(stream)).arg(consumer).arg(note).to_owned();
        hset.exec_async(&mut self.raw).await.unwrap();
    }

    fn registry(&self, stream: &str) -> String {
        format!("{}:redstream:consumers:{stream}", self.namespace)
    }

    /// The fields of each entry.
    async fn entries(&mut self, stream: &str) -> Vec<Vec<String>> {
        let xrange = redis::cmd("XRANGE").arg(self.key(stream)).arg("-").arg("+").to_owned();
        let entries: Vec<(String, Vec<String>)> = xrange.query_async(&mut self.raw).await.unwrap();
        entries.into_iter().map(|(_, fields)| fields).collect()
    }

    /// How many messages each entry has; zero for one with the field `payload`.
    async fn sizes(&mut self, stream: &str) -> Vec<usize> {
        let size = |fields: &Vec<String>| match fields[0].as_str() {
            "payloads" => fields[1].lines().count(),
            _ => 0,
        };
        self.entries(stream).await.iter().map(size).collect()
    }

    fn messages(&self, numbers: Range<u64>) -> Vec<NewMessage> {
        numbers.map(|number| message(&self.products, number)).collect()
    }

    async fn numbers(&self) -> Vec<u64> {
        let messages = self.products.messages(MessageId::MIN, 100_000).await.unwrap();
        messages.iter().map(|message| message.payload().unwrap()).collect()
    }

    async fn offset(&self) -> Option<MessageId> {
        self.products.offsets().get("search").await.unwrap()
    }
}

fn message(stream: &Stream, payload: impl Into<Value>) -> NewMessage {
    NewMessage::new(stream.name().clone(), Payload::encode(&payload.into()).unwrap())
}

fn lines(numbers: Range<u64>) -> String {
    numbers.map(|number| number.to_string()).collect::<Vec<_>>().join("\n")
}

/// A consumer at work; stopped by the token.
fn start(consumer: Consumer) -> (CancellationToken, JoinHandle<Result<()>>) {
    super::consumer::start(quick(consumer))
}

fn quick(consumer: Consumer) -> Consumer {
    consumer.backoff(Duration::from_millis(5), Duration::from_millis(20)).attempts(2)
}
