//! The sink for RediSearch, against Redis 8.2 with RediSearch 2.10 and RedisJSON 2.8.

mod escape;
mod faults;
mod indexing;
mod pipeline;
mod properties;
mod scan;
mod target;
mod versions;

use std::time::Duration;

use redis::Value;
use redis::aio::MultiplexedConnection;
use redstream_core::RedisClient;
use redstream_seaorm::{Changes, ConnectOptions, HandlerError, Key, Sink};
use redstream_servers::{Redis, RedisEdition, RedisOptions};
use redstream_sinks::redisearch::{Error, Field, Index, RediSearchSink};
use serde_json::{Value as Json, json};

use super::city::{self, changes};
use super::outcome::{self, failures_of};
use crate::support::raw_redis;

type Cities = RediSearchSink<city::Entity>;

/// Writes one test for each form of documents, as `name::hash` and `name::json`.
macro_rules! on_each_form {
    ($(async fn $name:ident($server:ident: Server) $body:block)+) => {$(
        mod $name {
            use super::*;

            async fn run($server: Server) $body

            #[tokio::test]
            async fn hash() {
                run(Server::start(Index::hash("cities", "city:")).await).await
            }

            #[tokio::test]
            async fn json() {
                run(Server::start(Index::json("cities", "city:")).await).await
            }
        }
    )+};
}
use on_each_form;

/// A private server, and the index that a sink is to write.
struct Server {
    redis: Redis,
    raw: MultiplexedConnection,
    index: Index,
}

impl Server {
    async fn start(index: Index) -> Self {
        let options = RedisOptions::new().edition(RedisEdition::RediSearch);
        let redis = tokio::task::spawn_blocking(move || options.start()).await.unwrap();
        let redis = redis.unwrap_or_else(|error| panic!("{}", error.in_words()));
        let raw = raw_redis(&redis.url()).await;
        let index =
            index.field(Field::numeric("id").sortable()).field(Field::text("name")).field(Field::numeric("size"));
        Self { redis, raw, index }
    }

    async fn hashes() -> Self {
        Self::start(Index::hash("cities", "city:")).await
    }

    async fn sink(&self) -> Cities {
        self.sink_at(ConnectOptions::new(self.redis.url())).await
    }

    async fn sink_at(&self, options: ConnectOptions) -> Cities {
        let options = options.response_timeout(Duration::from_secs(10)).give_up_after(Duration::from_secs(20));
        Cities::new(RedisClient::connect(options).await.unwrap(), self.index.clone())
    }

    async fn ask<T: redis::FromRedisValue>(&self, command: &str, arguments: &[&str]) -> T {
        let mut command = redis::cmd(command);
        command.arg(arguments);
        command.query_async(&mut self.raw.clone()).await.unwrap_or_else(|error| panic!("{arguments:?}: {error}"))
    }

    /// The keys that a search finds, in ascending order.
    async fn search(&self, query: &str) -> Vec<String> {
        let arguments = ["cities", query, "NOCONTENT", "LIMIT", "0", "1000", "DIALECT", "2"];
        let found: Vec<Value> = self.ask("FT.SEARCH", &arguments).await;
        let mut keys: Vec<String> = found.iter().skip(1).map(|key| redis::from_redis_value_ref(key).unwrap()).collect();
        keys.sort();
        keys
    }

    async fn has(&self, key: &str) -> bool {
        self.ask("EXISTS", &[key]).await
    }
}

/// All have the field by which a scan sorts.
fn named(id: i64, name: &str) -> (i64, Json) {
    (id, json!({ "id": id, "name": name }))
}

async fn write(sink: &Cities, changes: Changes<city::Entity, Json>) -> Result<(), HandlerError> {
    Sink::<city::Entity, Json>::write(sink, changes).await
}

/// The sink's own error of a write that failed as a whole.
fn error_of(result: Result<(), HandlerError>) -> Error {
    outcome::error_of(result)
}
