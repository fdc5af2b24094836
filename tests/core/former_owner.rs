//! The paused former owner: it continues late and believes that it still holds the lock. Its commit is refused by the
//! lock, its writes by their version. Each scenario is run twice: with all rules, and with a rule left out, which shows
//! that the harm is real and that the rule prevents it.

mod expired;
mod late;
mod operators;
mod two_masters;
mod versions;

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use redis::aio::MultiplexedConnection;
use redstream_core::{Batch, Consumer, Handler, HandlerError, MessageId, Progress, Redstream, Stream};
use serde_json::json;
use tokio::sync::Notify;

use super::SOON;
use crate::support::{namespace, raw_redis, redis_url, redstream_at};

/// No renewal comes within a test: a paused process renews nothing.
const TTL: Duration = Duration::from_secs(60);

const KEY: u64 = 1;

/// The primary database.
#[derive(Clone, Default)]
struct Primary(Arc<Mutex<BTreeMap<u64, &'static str>>>);

impl Primary {
    fn commit(&self, value: &'static str) {
        self.0.lock().unwrap().insert(KEY, value);
    }

    fn delete(&self) {
        self.0.lock().unwrap().remove(&KEY);
    }

    fn read(&self) -> Option<&'static str> {
        self.0.lock().unwrap().get(&KEY).copied()
    }
}

/// Its version, and the value; `None` for a tombstone.
type Record = (u64, Option<&'static str>);

/// The secondary datastore. It accepts an equal version and refuses an older one; what is deleted leaves a
/// tombstone with its version.
#[derive(Clone)]
struct Sink {
    records: Arc<Mutex<BTreeMap<u64, Record>>>,
    refused: Arc<AtomicUsize>,
    versioned: bool,
}

impl Sink {
    fn new(versioned: bool) -> Self {
        Self { records: Arc::default(), refused: Arc::default(), versioned }
    }

    /// Returns whether it was accepted.
    fn write(&self, version: u64, value: Option<&'static str>) -> bool {
        let mut records = self.records.lock().unwrap();
        if self.versioned && records.get(&KEY).is_some_and(|(stored, _)| version < *stored) {
            self.refused.fetch_add(1, Ordering::SeqCst);
            return false;
        }
        records.insert(KEY, (version, value));
        true
    }

    fn forget_tombstones(&self) {
        self.records.lock().unwrap().retain(|_, (_, value)| value.is_some());
    }

    fn value(&self) -> Option<&'static str> {
        self.records.lock().unwrap().get(&KEY).and_then(|(_, value)| *value)
    }
}

/// The source of its versions.
#[derive(Clone)]
enum Versions {
    /// As the library issues them.
    Batch,
    /// Only the clock of Redis.
    Clock(MultiplexedConnection),
    /// A version that was requested before the batch had arrived.
    Early(u64),
}

/// Takes a version, reads the row, and writes it; if it is held, it pauses just before the write.
#[derive(Clone)]
struct Carrier {
    primary: Primary,
    sink: Sink,
    versions: Versions,
    hold: Option<Hold>,
}

#[derive(Clone, Default)]
struct Hold {
    reached: Arc<Notify>,
    go_on: Arc<Notify>,
}

#[async_trait]
impl Handler for Carrier {
    async fn handle(&self, batch: Batch) -> Result<(), HandlerError> {
        let version = match &self.versions {
            Versions::Batch => batch.version().await?,
            Versions::Clock(raw) => clock(&mut raw.clone()).await,
            Versions::Early(version) => *version,
        };
        let row = self.primary.read();
        if let Some(hold) = &self.hold {
            hold.reached.notify_one();
            hold.go_on.notified().await;
        }
        if self.sink.write(version, row) {
            Ok(())
        } else {
            Err(HandlerError::new("refused: a newer version stands there"))
        }
    }
}

/// Microseconds.
async fn clock(raw: &mut MultiplexedConnection) -> u64 {
    let (seconds, micros): (u64, u64) = redis::cmd("TIME").query_async(raw).await.unwrap();
    seconds * 1_000_000 + micros
}

/// One Redis, one primary, one sink, and the consumer `search` on any number of hosts.
struct Stage {
    namespace: String,
    redstream: Redstream,
    products: Stream,
    raw: MultiplexedConnection,
    primary: Primary,
    sink: Sink,
}

impl Stage {
    async fn new(versioned: bool) -> Self {
        let namespace = namespace();
        let redstream = redstream_at(&redis_url(), &namespace).await;
        let products = redstream.stream("products").unwrap();
        let raw = raw_redis(&redis_url()).await;
        Self { namespace, redstream, products, raw, primary: Primary::default(), sink: Sink::new(versioned) }
    }

    fn key(&self, rest: &str) -> String {
        format!("{}:redstream:{rest}", self.namespace)
    }

    async fn announce(&self) -> MessageId {
        self.redstream.producer().queue(self.products.name(), &json!({ "id": KEY })).await.unwrap()
    }

    fn carrier(&self) -> Carrier {
        Carrier { primary: self.primary.clone(), sink: self.sink.clone(), versions: Versions::Batch, hold: None }
    }

    /// A host: handles of its own, so that it shares nothing with the others but Redis.
    async fn host(&self, handler: impl Handler) -> Consumer {
        let products = redstream_at(&redis_url(), &self.namespace).await.stream("products").unwrap();
        products.consumer("search", handler).lock_ttl(TTL).backoff(Duration::from_millis(5), Duration::from_millis(20))
    }

    /// A host that has read the row and pauses just before it writes. Returns the result of `run_once`.
    async fn zombie(&self) -> (Hold, tokio::task::JoinHandle<redstream_core::Result<Progress>>) {
        let hold = Hold::default();
        let consumer = self.host(Carrier { hold: Some(hold.clone()), ..self.carrier() }).await;
        let running = tokio::spawn(async move { consumer.run_once().await });
        within(hold.reached.notified()).await;
        (hold, running)
    }

    /// As expiry does.
    async fn take_the_lock_away(&mut self) {
        let key = self.key("lock:consumer:products:search");
        let taken: u8 = redis::cmd("DEL").arg(key).query_async(&mut self.raw).await.unwrap();
        assert_eq!(taken, 1, "it was held");
    }

    async fn offset(&self) -> Option<MessageId> {
        self.products.offsets().get("search").await.unwrap()
    }
}

async fn within<T>(work: impl Future<Output = T>) -> T {
    tokio::time::timeout(SOON, work).await.expect("in time")
}
