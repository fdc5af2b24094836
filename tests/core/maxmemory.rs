//! A Redis that has reached `maxmemory` and evicts nothing: operations that free memory work, and so do those that keep
//! consumers running.

use std::time::Duration;

use redis::aio::MultiplexedConnection;
use redstream_core::{Error, MessageId, Redstream, Start, Stream, Supervisor, WorkerState};
use redstream_servers::{Redis, RedisEdition, RedisOptions};
use serde_json::json;

use super::SOON;
use super::recorder::Recorder;
use crate::support::{eventually, raw_redis, redis_code};

/// A server, and a stream with a backlog: main messages that no consumer has read, and delay messages.
struct Full {
    server: Redis,
    raw: MultiplexedConnection,
    redstream: Redstream,
    products: Stream,
    queued: usize,
}

impl Full {
    async fn on(edition: RedisEdition) -> Self {
        let options = RedisOptions::new().edition(edition);
        let server = tokio::task::spawn_blocking(|| options.start()).await.unwrap().unwrap();
        let redstream = Redstream::connect(server.url()).await.unwrap();
        let products = redstream.stream("products").unwrap();
        let raw = raw_redis(&server.url()).await;
        products.register("search", Start::Earliest).await.unwrap();
        products.register("idle", Start::Latest).await.unwrap();
        redstream.producer().delay(products.name(), &json!("delayed")).await.unwrap();
        Self { server, raw, redstream, products, queued: 0 }
    }

    async fn config(&mut self, option: &str, value: &str) {
        redis::cmd("CONFIG").arg("SET").arg(option).arg(value).exec_async(&mut self.raw).await.unwrap();
    }

    async fn used(&mut self) -> u64 {
        let info: String = redis::cmd("INFO").arg("memory").query_async(&mut self.raw).await.unwrap();
        let used = info.lines().find_map(|line| line.strip_prefix("used_memory:")).unwrap();
        used.trim().parse().unwrap()
    }

    /// Fills Redis until it refuses, and then a mebibyte more, so that no released buffer makes room by chance.
    async fn fill(&mut self) {
        let limit = self.used().await + (4 << 20);
        self.config("maxmemory-policy", "noeviction").await;
        self.config("maxmemory", &limit.to_string()).await;
        let payload = json!("x".repeat(10_000));
        while self.redstream.producer().queue(self.products.name(), &payload).await.is_ok() {
            self.queued += 1;
            assert!(self.queued < 10_000, "it is full long before");
        }
        let limit = self.used().await - (1 << 20);
        self.config("maxmemory", &limit.to_string()).await;
        self.is_full().await;
    }

    async fn is_full(&self) {
        let error = self.redstream.producer().queue(self.products.name(), &json!(1)).await.unwrap_err();
        assert!(matches!(error, Error::Redis { .. }) && redis_code(&error).as_deref() == Some("OOM"), "{error:?}");
    }
}

/// A deployment while Redis is full: new processes acquire the locks, and drain it.
async fn a_full_redis_drains(edition: RedisEdition) {
    let mut full = Full::on(edition).await;
    // It has committed nothing, and would prevent trimming.
    full.products.forget("idle").await.unwrap();
    full.fill().await;
    // As a new process does.
    let products = Redstream::connect(full.server.url()).await.unwrap().stream("products").unwrap();
    let (seen, late) = (Recorder::default(), Recorder::default());
    let supervisor = Supervisor::new()
        .with(products.consumer("search", seen.clone()))
        .with(products.consumer("late", late.clone()))
        .with(products.delayer(Duration::from_millis(1)))
        .with(products.trimmer().interval(Duration::from_millis(50)))
        .patience(Duration::from_millis(1));
    let health = supervisor.health();
    let drained = async {
        eventually(SOON, "all workers to take their locks", async || health.is_ready()).await;
        eventually(SOON, "the backlog and what was delayed", async || {
            // The delay message is moved while Redis is full, too.
            seen.len() == full.queued + 1 && late.len() == full.queued + 1
        })
        .await;
        eventually(SOON, "the trimmer", async || products.is_empty().await.unwrap()).await;
        eventually(SOON, "room for a new message", async || {
            full.redstream.producer().queue(products.name(), &json!("new")).await.is_ok()
        })
        .await;
        eventually(SOON, "the new message", async || seen.payloads().contains(&json!("new"))).await;
    };
    supervisor.run_until(drained).await.unwrap();
}

#[tokio::test]
async fn a_full_redis_7_0_drains() {
    a_full_redis_drains(RedisEdition::System).await;
}

#[tokio::test]
async fn a_full_redis_6_2_drains() {
    a_full_redis_drains(RedisEdition::Redis6_2).await;
}

#[tokio::test]
async fn a_full_valkey_drains() {
    a_full_redis_drains(RedisEdition::Valkey).await;
}

/// Each operation of an operator, on a Redis that stays full.
async fn a_full_redis_can_be_operated(edition: RedisEdition) {
    let mut full = Full::on(edition).await;
    let picky = full.products.consumer("picky", Recorder::default());
    full.redstream.producer().queue(full.products.name(), &json!("first")).await.unwrap();
    picky.run_once().await.unwrap();
    let first = full.products.messages(MessageId::MIN, 1).await.unwrap()[0].id();
    // A dead letter, as a consumer writes it.
    let letter = redis::cmd("XADD")
        .arg("redstream:stream:products.dead.picky")
        .arg("*")
        .arg(&["payload", "1", "message_id", "1-1", "error", "none", "attempts", "5"])
        .to_owned();
    let letter: String = letter.query_async(&mut full.raw).await.unwrap();
    full.fill().await;
    let products = full.products.clone();
    assert!(!products.register("search", Start::Earliest).await.unwrap());
    assert!(products.register("new", Start::Latest).await.unwrap(), "it is small");
    let guard = products.lock("search", SOON).unwrap().try_acquire().await.unwrap().expect("it is free");
    assert!(products.offsets().commit(&guard, first).await.unwrap().stored);
    guard.release().await.unwrap();
    assert_eq!(picky.run_once().await.unwrap(), redstream_core::Progress::Handled(full.queued));
    assert!(products.pause("search", SOON).await.unwrap());
    products.resume("search").await.unwrap();
    products.rewind("search", Start::After(first)).await.unwrap();
    let letters = products.dead_letters("picky").unwrap();
    assert!(letters.redrive(letter.parse().unwrap()).await.unwrap());
    assert_eq!(letters.count().await.unwrap(), 0);
    assert!(products.lag_time("search").await.unwrap() > Duration::ZERO);
    let shards = full.redstream.shards("lines", 2).unwrap();
    let seen = Recorder::default();
    let supervisor = Supervisor::new().with(shards.consumer("search", seen.clone()));
    let health = supervisor.health();
    supervisor.run_until(eventually(SOON, "the shards", async || health.is_ready())).await.unwrap();
    full.is_full().await;
    products.forget("new").await.unwrap();
    products.forget("idle").await.unwrap();
    let trimmed = products.trimmer().expire_after(Duration::from_millis(1)).run_once().await.unwrap();
    assert!(matches!(trimmed, redstream_core::Trimmed::Removed(1..)), "{trimmed:?}");
    full.redstream.producer().queue(products.name(), &json!("new")).await.unwrap();
}

#[tokio::test]
async fn a_full_redis_7_0_can_be_operated() {
    a_full_redis_can_be_operated(RedisEdition::System).await;
}

#[tokio::test]
async fn a_full_redis_6_2_can_be_operated() {
    a_full_redis_can_be_operated(RedisEdition::Redis6_2).await;
}

#[tokio::test]
async fn a_full_valkey_can_be_operated() {
    a_full_redis_can_be_operated(RedisEdition::Valkey).await;
}

/// A restart frees no memory, so a probe must not cause one.
#[tokio::test]
async fn workers_that_redis_refuses_are_alive_and_not_ready() {
    let mut full = Full::on(RedisEdition::System).await;
    full.config("min-replicas-to-write", "1").await;
    let ttl = Duration::from_millis(300);
    let supervisor = Supervisor::new()
        .with(full.products.consumer("search", Recorder::default()).lock_ttl(ttl))
        .with(full.redstream.shards("lines", 2).unwrap().consumer("search", Recorder::default()))
        .patience(Duration::from_millis(1));
    let health = supervisor.health();
    let story = async {
        eventually(SOON, "the refusals", async || {
            health.workers().iter().all(|worker| worker.state == WorkerState::Refused)
        })
        .await;
        assert!(health.is_live() && !health.is_ready());
        full.config("min-replicas-to-write", "0").await;
        eventually(SOON, "work", async || health.is_ready() && health.is_live()).await;
    };
    supervisor.run_until(story).await.unwrap();
}

/// Operations that use memory permanently are refused at once.
#[tokio::test]
async fn new_messages_are_refused_by_a_full_redis() {
    let mut full = Full::on(RedisEdition::System).await;
    full.fill().await;
    let error = full.redstream.producer().delay(full.products.name(), &json!(1)).await.unwrap_err();
    assert!(matches!(error, Error::Redis { .. }) && !error.is_transient(), "{error:?}");
}
