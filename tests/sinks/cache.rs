//! The cache in Redis: its sinks, and its readers.

mod faults;
mod pipeline;
mod properties;
mod readers;
mod scan;
mod versions;

use std::convert::Infallible;
use std::time::Duration;

use redis::aio::MultiplexedConnection;
use redstream_core::RedisClient;
use redstream_seaorm::{Changes, ConnectOptions, HandlerError, Key, Sink};
use redstream_sinks::cache::{Cache, Error, EvictingSink, LoadError, WritingSink};
use serde_json::{Value as Json, json};

use super::city::{self, changes};
use super::outcome::{self, failures_of};
use crate::support::{namespace, raw_redis, redis_url};

/// The bound on every wait that should end by itself.
const SOON: Duration = Duration::from_secs(20);

type Cities = Cache<city::Entity, Json>;

/// A cache of its own, with a plain connection to its Redis.
struct Place {
    cache: Cities,
    raw: MultiplexedConnection,
    name: String,
}

impl Place {
    async fn new() -> Self {
        Self::at(&redis_url()).await
    }

    async fn at(url: &str) -> Self {
        Self::with(ConnectOptions::new(url), url).await
    }

    async fn with(options: ConnectOptions, url: &str) -> Self {
        let name = namespace();
        let client = RedisClient::connect(options).await.unwrap();
        // A busy machine must not make a reader load what the cache has.
        let cache = Cities::new(client, &name).patience(SOON);
        Self { cache, raw: raw_redis(url).await, name }
    }

    fn entry(&self, id: i64) -> String {
        format!("{}:{id}", self.name)
    }

    /// The fields of an entry, in no order.
    async fn fields(&self, id: i64) -> Vec<String> {
        let mut raw = self.raw.clone();
        redis::cmd("HKEYS").arg(self.entry(id)).query_async(&mut raw).await.unwrap()
    }

    async fn remove(&self, id: i64) {
        redis::cmd("DEL").arg(self.entry(id)).exec_async(&mut self.raw.clone()).await.unwrap();
    }

    /// Milliseconds.
    async fn ttl(&self, id: i64) -> i64 {
        redis::cmd("PTTL").arg(self.entry(id)).query_async(&mut self.raw.clone()).await.unwrap()
    }

    async fn get(&self, id: i64) -> Option<Json> {
        self.cache.get(&Key::new(id)).await.unwrap()
    }

    async fn fill(&self, id: i64, record: Json) -> Option<Json> {
        let Ok(found) = self.cache.get_or_load(&Key::new(id), async || Ok::<_, Infallible>(Some(record))).await;
        found
    }
}

fn named(name: &str) -> Json {
    json!({ "name": name })
}

async fn write(cache: &Cities, changes: Changes<city::Entity, Json>) -> Result<(), HandlerError> {
    WritingSink::new(cache.clone()).write(changes).await
}

async fn evict(cache: &Cities, ids: &[i64]) -> Result<(), HandlerError> {
    let upserts = ids.iter().map(|id| (*id, ()));
    EvictingSink::new(cache.clone()).write(changes(1, upserts, &[])).await
}

/// The sink's own error of a write that failed as a whole.
fn error_of(result: Result<(), HandlerError>) -> Error {
    outcome::error_of(result)
}
