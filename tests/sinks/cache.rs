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
use redstream_seaorm::{Changes, ConnectOptions, Failures, HandlerError, Key, Sink};
use redstream_sinks::cache::{Cache, Error, EvictingSink, LoadError, WritingSink};
use serde_json::{Value as Json, json};

use crate::support::{namespace, raw_redis, redis_url};

/// The bound on every wait that should end by itself.
const SOON: Duration = Duration::from_secs(20);

mod city {
    use redstream_seaorm::Streamed;
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, DeriveEntityModel, Streamed, serde::Serialize, serde::Deserialize)]
    #[sea_orm(table_name = "cities")]
    pub(super) struct Model {
        #[sea_orm(primary_key)]
        pub(super) id: i64,
        pub(super) name: String,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub(super) enum Relation {}
}

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

fn changes<R>(version: u64, upserts: impl IntoIterator<Item = (i64, R)>, deletes: &[i64]) -> Changes<city::Entity, R> {
    Changes {
        upserts: upserts.into_iter().map(|(id, record)| (Key::new(id), record)).collect(),
        deletes: deletes.iter().map(|id| Key::new(*id)).collect(),
        respelled: Vec::new(),
        version,
    }
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
    let source = result.unwrap_err().into_source();
    *source.downcast::<Error>().unwrap_or_else(|error| panic!("not an error of the sink: {error:?}"))
}

/// The records that failed, in words, and the error of the first.
fn failures_of(result: Result<(), HandlerError>) -> (String, String) {
    let source = result.unwrap_err().into_source();
    let failures = source.downcast::<Failures<city::Entity>>().unwrap_or_else(|error| panic!("no failures: {error:?}"));
    let first = std::error::Error::source(&*failures).map(ToString::to_string);
    (failures.to_string(), first.unwrap_or_default())
}
