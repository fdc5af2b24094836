//! A Redis that answers, and refuses: read-only, without its replicas, out of memory, still loading; and one that was
//! flushed.

use std::time::{Duration, Instant};

use redis::aio::MultiplexedConnection;
use redstream_core::{CancellationToken, Error, Redstream, Stream, Supervisor};
use redstream_servers::{Redis, RedisEdition, RedisOptions};
use serde_json::json;

use super::{BACK, GIVES_UP, PAUSES};
use crate::core::SOON;
use crate::core::recorder::Recorder;
use crate::support::{eventually, private_redis, raw_redis, redis_code};

fn is_refused(error: &Error, code: &str) {
    let is_of_redis = matches!(error, Error::Redis { .. } | Error::GaveUp { .. });
    assert!(is_of_redis && redis_code(error).as_deref() == Some(code), "{error:?}");
}

/// A Redis and its three workers, each of which runs without a supervisor: it must survive transient failures.
struct Stage {
    redstream: Redstream,
    products: Stream,
    raw: MultiplexedConnection,
    seen: Recorder,
    shutdown: CancellationToken,
    running: Vec<(&'static str, tokio::task::JoinHandle<redstream_core::Result<()>>)>,
}

impl Stage {
    async fn on(redis: &Redis) -> Self {
        let redstream = Redstream::connect(redis.url()).await.unwrap();
        let products = redstream.stream("products").unwrap();
        let (seen, shutdown) = (Recorder::default(), CancellationToken::new());
        let ttl = Duration::from_secs(1);
        let consumer = products.consumer("search", seen.clone()).lock_ttl(ttl).backoff(PAUSES.0, PAUSES.1);
        let delayer = products.delayer(Duration::from_millis(20)).lock_ttl(ttl);
        let trimmer = products.trimmer().interval(Duration::from_millis(20)).lock_ttl(ttl);
        let token = || shutdown.clone();
        let running = vec![
            (
                "consumer",
                tokio::spawn({
                    let t = token();
                    async move { consumer.run(t).await }
                }),
            ),
            (
                "delayer",
                tokio::spawn({
                    let t = token();
                    async move { delayer.run(t).await }
                }),
            ),
            (
                "trimmer",
                tokio::spawn({
                    let t = token();
                    async move { trimmer.run(t).await }
                }),
            ),
        ];
        let mut stage = Self { raw: raw_redis(&redis.url()).await, redstream, products, seen, shutdown, running };
        stage.works("before").await;
        stage
    }

    /// The producer is acknowledged; the consumer, the delayer and the trimmer do their work.
    async fn works(&mut self, when: &str) {
        let (main, delayed) = (json!(format!("main {when}")), json!(format!("delayed {when}")));
        eventually(BACK, "a main message to be acknowledged", async || {
            self.redstream.producer().queue(self.products.name(), &main).await.is_ok()
        })
        .await;
        eventually(BACK, "a delay message to be acknowledged", async || {
            self.redstream.producer().delay(self.products.name(), &delayed).await.is_ok()
        })
        .await;
        for (payload, worker) in [(&main, "the consumer"), (&delayed, "the delayer")] {
            eventually(BACK, worker, async || {
                self.alive().await;
                self.seen.payloads().contains(payload)
            })
            .await;
        }
        eventually(BACK, "the trimmer", async || {
            self.alive().await;
            self.products.is_empty().await.unwrap_or(false)
        })
        .await;
    }

    /// No worker ended.
    async fn alive(&mut self) {
        for (worker, task) in &mut self.running {
            let ended = if task.is_finished() { Some(task.await) } else { None };
            assert!(ended.is_none(), "the {worker} ended: {ended:?}");
        }
    }

    async fn config(&mut self, option: &str, value: &str) {
        let set = redis::cmd("CONFIG").arg("SET").arg(option).arg(value).to_owned();
        set.exec_async(&mut self.raw).await.unwrap();
    }

    /// Both kinds of messages are refused within the bound, with this code; and for long enough that every worker
    /// meets the refusal.
    async fn is_refused(&mut self, code: &str) {
        // Workers that were working or asleep continue, and try to write.
        let kill = redis::cmd("CLIENT").arg("KILL").arg("TYPE").arg("normal").arg("SKIPME").arg("yes").to_owned();
        kill.exec_async(&mut self.raw).await.unwrap();
        let begun = Instant::now();
        while begun.elapsed() < Duration::from_secs(2) {
            let call = Instant::now();
            let error = self.redstream.producer().queue(self.products.name(), &json!("refused")).await.unwrap_err();
            assert!(call.elapsed() < GIVES_UP, "{:?}", call.elapsed());
            is_refused(&error, code);
            let error = self.redstream.producer().delay(self.products.name(), &json!("refused")).await.unwrap_err();
            is_refused(&error, code);
            tokio::task::yield_now().await;
        }
        self.alive().await;
    }

    async fn ends(self) {
        self.shutdown.cancel();
        for (worker, task) in self.running {
            let ended = tokio::time::timeout(SOON, task).await;
            ended.unwrap_or_else(|_| panic!("the {worker} stops")).unwrap().unwrap();
        }
    }
}

/// Blocking, 10 to 40 ms.
async fn start(start: impl FnOnce() -> redstream_servers::Result<Redis> + Send + 'static) -> Redis {
    tokio::task::spawn_blocking(start).await.unwrap().unwrap()
}

async fn read_only(redis: Redis) {
    let mut stage = Stage::on(&redis).await;
    let nobody = redstream_servers::free_port().unwrap();
    redis::cmd("REPLICAOF").arg("127.0.0.1").arg(nobody).exec_async(&mut stage.raw).await.unwrap();
    stage.is_refused("READONLY").await;
    redis::cmd("REPLICAOF").arg("NO").arg("ONE").exec_async(&mut stage.raw).await.unwrap();
    stage.works("after").await;
    stage.ends().await;
}

#[tokio::test]
async fn all_go_on_after_redis_was_read_only() {
    read_only(private_redis().await).await;
}

#[tokio::test]
async fn all_go_on_after_redis_6_2_was_read_only() {
    read_only(start(Redis::redis_6_2).await).await;
}

#[tokio::test]
async fn all_go_on_after_valkey_was_read_only() {
    read_only(start(Redis::valkey).await).await;
}

async fn without_replicas(redis: Redis) {
    let mut stage = Stage::on(&redis).await;
    stage.config("min-replicas-to-write", "1").await;
    stage.is_refused("NOREPLICAS").await;
    stage.config("min-replicas-to-write", "0").await;
    stage.works("after").await;
    stage.ends().await;
}

#[tokio::test]
async fn all_go_on_after_redis_missed_its_replicas() {
    without_replicas(private_redis().await).await;
}

#[tokio::test]
async fn all_go_on_after_redis_6_2_missed_its_replicas() {
    without_replicas(start(Redis::redis_6_2).await).await;
}

#[tokio::test]
async fn all_go_on_after_valkey_missed_its_replicas() {
    without_replicas(start(Redis::valkey).await).await;
}

async fn out_of_memory(redis: Redis) {
    let mut stage = Stage::on(&redis).await;
    stage.config("maxmemory-policy", "noeviction").await;
    stage.config("maxmemory", "100kb").await;
    stage.is_refused("OOM").await;
    stage.config("maxmemory", "0").await;
    stage.works("after").await;
    stage.ends().await;
}

#[tokio::test]
async fn all_go_on_after_redis_was_out_of_memory() {
    out_of_memory(private_redis().await).await;
}

#[tokio::test]
async fn all_go_on_after_redis_6_2_was_out_of_memory() {
    out_of_memory(start(Redis::redis_6_2).await).await;
}

#[tokio::test]
async fn all_go_on_after_valkey_was_out_of_memory() {
    out_of_memory(start(Redis::valkey).await).await;
}

#[tokio::test]
async fn all_go_on_after_redis_was_loading() {
    was_loading(answering_often(RedisOptions::new()), 100).await;
}

#[tokio::test]
async fn all_go_on_after_valkey_was_loading() {
    was_loading(answering_often(RedisOptions::new().edition(RedisEdition::Valkey)), 100).await;
}

#[tokio::test]
async fn all_go_on_after_redis_6_2_was_loading() {
    // It answers after every two megabytes only.
    let options = RedisOptions::new().edition(RedisEdition::Redis6_2).arg("--rdbcompression").arg("no");
    was_loading(options, 100_000).await;
}

fn answering_often(options: RedisOptions) -> RedisOptions {
    options.arg("--loading-process-events-interval-bytes").arg("1024")
}

/// It loads 300 keys, and takes 10 ms for each: three seconds in which it answers LOADING.
async fn was_loading(options: RedisOptions, ballast: usize) {
    let mut redis = start(move || options.append_only(true).arg("--key-load-delay").arg("10000").start()).await;
    let mut stage = Stage::on(&redis).await;
    for key in 0..300 {
        let set = redis::cmd("SET").arg(format!("ballast:{key}")).arg("x".repeat(ballast)).to_owned();
        set.exec_async(&mut stage.raw).await.unwrap();
    }
    redis::cmd("BGREWRITEAOF").exec_async(&mut stage.raw).await.unwrap();
    eventually(SOON, "the file to be written", async || {
        let info: String = redis::cmd("INFO").arg("persistence").query_async(&mut stage.raw).await.unwrap();
        info.contains("aof_rewrite_in_progress:0") && info.contains("aof_last_bgrewrite_status:ok")
    })
    .await;
    let url = redis.url();
    redis.kill().unwrap();
    let restarting = tokio::task::spawn_blocking(move || redis.restart().map(|()| redis));
    eventually(SOON, "Redis to be loading", async || {
        let Ok(client) = redis::Client::open(url.as_str()) else { return false };
        let Ok(mut raw) = client.get_multiplexed_async_connection().await else { return false };
        let outcome: redis::RedisResult<String> = redis::cmd("GET").arg("ballast:0").query_async(&mut raw).await;
        outcome.is_err_and(|error| error.code() == Some("LOADING"))
    })
    .await;
    eventually(SOON, "the producer", async || {
        let call = Instant::now();
        let outcome = stage.redstream.producer().queue(stage.products.name(), &json!("loading")).await;
        assert!(call.elapsed() < GIVES_UP, "{:?}", call.elapsed());
        outcome.is_ok()
    })
    .await;
    let _redis = restarting.await.unwrap().unwrap();
    stage.works("after").await;
    stage.ends().await;
}

#[tokio::test]
async fn all_go_on_after_everything_was_flushed_with_the_scripts_too() {
    let redis = private_redis().await;
    let mut stage = Stage::on(&redis).await;
    for round in 0..3 {
        // Some while working, some asleep.
        stage.redstream.producer().queue(stage.products.name(), &json!("gone, perhaps")).await.unwrap();
        redis::cmd("FLUSHALL").exec_async(&mut stage.raw).await.unwrap();
        redis::cmd("SCRIPT").arg("FLUSH").exec_async(&mut stage.raw).await.unwrap();
        stage.works(&format!("after flush {round}")).await;
    }
    stage.ends().await;
}

/// The clock of Redis stepped back: the new stream's ids are lower than those the consumer has read.
#[tokio::test]
async fn a_stream_that_began_again_with_lower_ids_is_read_from_its_beginning() {
    let redis = private_redis().await;
    let redstream = Redstream::connect(redis.url()).await.unwrap();
    let products = redstream.stream("products").unwrap();
    let mut raw = raw_redis(&redis.url()).await;
    let add = |id: &str, payload: u64| {
        let key = "redstream:stream:products";
        redis::cmd("XADD").arg(key).arg(id).arg("payload").arg(payload).to_owned()
    };
    let seen = Recorder::default();
    let consumer =
        products.consumer("search", seen.clone()).lock_ttl(Duration::from_millis(300)).backoff(PAUSES.0, PAUSES.1);
    add("4000000000000-0", 1).exec_async(&mut raw).await.unwrap();
    let story = async {
        eventually(SOON, "the first message", async || products.lag("search").await.unwrap() == 0).await;
        redis::cmd("FLUSHALL").exec_async(&mut raw).await.unwrap();
        add("5-1", 2).exec_async(&mut raw).await.unwrap();
        eventually(BACK, "the message with the lower id", async || seen.payloads().contains(&json!(2))).await;

        // Only the stream is lost, and the offset remains: a failover to a replica that lagged looks like this.
        redis::pipe().del("redstream:stream:products").exec_async(&mut raw).await.unwrap();
        add("3-1", 3).exec_async(&mut raw).await.unwrap();
        eventually(BACK, "a message below the stored offset", async || {
            add("*", 4).exec_async(&mut raw).await.unwrap();
            seen.payloads().contains(&json!(4))
        })
        .await;
    };
    Supervisor::new().with(consumer).run_until(story).await.unwrap();
}
