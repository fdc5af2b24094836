//! Reads which host holds which shard of the consumer `search`, and runs hosts that can die.

use std::collections::BTreeMap;
use std::time::Duration;

use redstream_core::{CancellationToken, Consumer, Handler, Sharded, Shards, Supervisor};
use tokio::task::JoinHandle;

use crate::support::{raw_redis, redis_url, redstream_at};

/// Reads the keys in Redis.
pub(super) struct Hosts {
    url: String,
    heartbeats: String,
    locks: Vec<String>,
}

impl Hosts {
    pub(super) fn of(shards: &Shards) -> Self {
        let ttl = Duration::from_secs(5);
        let locks: Vec<String> =
            shards.streams().iter().map(|stream| stream.lock("search", ttl).unwrap().key().to_owned()).collect();
        let heartbeats = locks[0].replace(":lock:consumer:", ":hosts:consumer:").replace("-0:search", ":search");
        Self { url: redis_url(), heartbeats, locks }
    }

    /// How many hosts have a heartbeat.
    pub(super) async fn alive(&self) -> usize {
        let mut raw = raw_redis(&self.url).await;
        redis::cmd("ZCARD").arg(&self.heartbeats).query_async(&mut raw).await.unwrap()
    }

    /// The current heartbeats.
    pub(super) async fn heartbeats(&self) -> Vec<String> {
        let mut raw = raw_redis(&self.url).await;
        let all = redis::cmd("ZRANGE").arg(&self.heartbeats).arg(0).arg(-1).arg("WITHSCORES").take();
        all.query_async(&mut raw).await.unwrap()
    }

    /// Makes this the last version of every shard.
    pub(super) async fn set_version(&self, version: u64) {
        let mut raw = raw_redis(&self.url).await;
        for lock in &self.locks {
            let key = lock.replace(":lock:consumer:", ":version:");
            let () = redis::cmd("SET").arg(key).arg(version).query_async(&mut raw).await.unwrap();
        }
    }

    /// How many shards each owner holds, in ascending order.
    pub(super) async fn loads(&self) -> Vec<usize> {
        let mut raw = raw_redis(&self.url).await;
        let owners: Vec<Option<String>> = redis::cmd("MGET").arg(&self.locks).query_async(&mut raw).await.unwrap();
        let mut loads: BTreeMap<String, usize> = BTreeMap::new();
        for token in owners.into_iter().flatten() {
            let (id, rest) = token.split_once('@').expect("a token names its process");
            let (_, ttl) = rest.split_once('/').expect("a token ends with the TTL");
            assert!(id.len() == 32 && id.bytes().all(|b| b.is_ascii_hexdigit()), "{token} is as any token");
            assert!(ttl.parse::<u64>().is_ok(), "{token} is as any token");
            *loads.entry(token[..16].to_owned()).or_default() += 1;
        }
        let mut loads: Vec<usize> = loads.into_values().collect();
        loads.sort_unstable();
        loads
    }
}

/// A host: a runtime and connections of its own, running all shards of the consumer `search`.
pub(super) struct Host {
    runtime: Option<tokio::runtime::Runtime>,
    running: Option<JoinHandle<()>>,
    stop: CancellationToken,
}

impl Host {
    pub(super) fn start(namespace: &str, shards: u32, handler: impl Handler) -> Self {
        Self::with(namespace, shards, handler, |consumer| {
            consumer.each(|consumer| consumer.lock_ttl(Duration::from_secs(1))).round(Duration::from_millis(200))
        })
    }

    /// The same with other options.
    pub(super) fn with(
        namespace: &str,
        shards: u32,
        handler: impl Handler,
        options: impl FnOnce(Sharded<Consumer>) -> Sharded<Consumer> + Send + 'static,
    ) -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let (namespace, stop) = (namespace.to_owned(), CancellationToken::new());
        let stopped = stop.clone();
        let running = runtime.spawn(async move {
            let shards = redstream_at(&redis_url(), &namespace).await.shards("products", shards).unwrap();
            let consumer = options(shards.consumer("search", handler).each(|consumer| consumer.batch_size(10)));
            Supervisor::new().with(consumer).run_until(stopped.cancelled_owned()).await.unwrap();
        });
        Self { runtime: Some(runtime), running: Some(running), stop }
    }

    /// Finishes what it has begun.
    pub(super) async fn stop(mut self) {
        self.stop.cancel();
        if let Some(running) = self.running.take() {
            running.await.unwrap();
        }
    }
}

/// Dies at once: nothing is committed, no lock released, the membership not ended.
impl Drop for Host {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}
