//! If the waiting future is dropped just when the lock was acquired, the lock is released.

use std::time::Duration;

use redstream_core::{CancellationToken, Redstream, Stream};
use redstream_proxy::{Fault, Proxy};

use super::super::SOON;
use super::TTL;
use crate::support::{eventually, private_redis, raw_redis};

/// A Redis whose reply to the acquisition of the consumer's lock comes late.
struct Stage {
    redis: redstream_servers::Redis,
    proxy: Proxy,
    /// Through the proxy.
    products: Stream,
    /// Past it.
    truth: Stream,
}

impl Stage {
    async fn new() -> Self {
        let redis = private_redis().await;
        let proxy = Proxy::start(redis.port()).await.unwrap();
        let products = Redstream::connect(proxy.url()).await.unwrap().stream("products").unwrap();
        let truth = Redstream::connect(redis.url()).await.unwrap().stream("products").unwrap();
        let stage = Self { redis, proxy, products, truth };
        // From now on Redis knows the script.
        assert!(stage.is_free().await);
        stage.proxy.strike("redstream:lock:consumer:products:search\r\n", Fault::Late, 1);
        stage
    }

    async fn taken(&self) {
        let mut raw = raw_redis(&self.redis.url()).await;
        let exists = redis::cmd("EXISTS").arg("redstream:lock:consumer:products:search").to_owned();
        eventually(SOON, "the lock to be taken", async || exists.query_async::<bool>(&mut raw).await.unwrap()).await;
    }

    async fn is_free(&self) -> bool {
        match self.truth.lock("search", TTL).unwrap().try_acquire().await.unwrap() {
            Some(guard) => guard.release().await.is_ok(),
            None => false,
        }
    }
}

/// All tasks of a test share its thread: a task that stops at once has done so after it.
async fn others_had_their_turn() {
    for _ in 0..100 {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn a_worker_that_is_stopped_just_then_gives_it_back() {
    let stage = Stage::new().await;
    let consumer = stage.products.consumer("search", async |_| Ok(())).lock_ttl(TTL);
    let stop = CancellationToken::new();
    let running = tokio::spawn({
        let stop = stop.clone();
        async move { consumer.run(stop).await }
    });
    stage.taken().await;
    stop.cancel();
    others_had_their_turn().await;
    stage.proxy.let_go();
    tokio::time::timeout(SOON, running).await.expect("it stops").unwrap().unwrap();
    assert!(stage.is_free().await);
}

#[tokio::test]
async fn a_wait_that_ends_just_then_ends_with_the_lock() {
    let stage = Stage::new().await;
    let lock = stage.products.lock("search", TTL).unwrap();
    let waiting = tokio::spawn(async move { lock.acquire_within(Duration::ZERO).await });
    stage.taken().await;
    others_had_their_turn().await;
    stage.proxy.let_go();
    let guard = tokio::time::timeout(SOON, waiting).await.expect("it ends").unwrap().unwrap();
    guard.expect("it was taken").release().await.unwrap();
    assert!(stage.is_free().await);
}
