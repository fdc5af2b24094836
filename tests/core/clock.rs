//! Redis's clock steps back, or forward: locks, heartbeats of hosts, and delay messages last no longer than they
//! should.

use std::time::Duration;

use redis::aio::MultiplexedConnection;
use redstream_core::{CancellationToken, Stream, Supervisor};
use serde_json::json;

use super::SOON;
use super::recorder::Recorder;
use crate::support::{Logs, eventually, namespace, raw_redis, redis_url, redstream_at};

const TTL: Duration = Duration::from_millis(500);

/// What a step back leaves: a key that expires at the time of the clock as it was.
async fn step_back(raw: &mut MultiplexedConnection, key: &str, by: Duration) {
    let left: i64 = redis::cmd("PTTL").arg(key).query_async(raw).await.unwrap();
    let left = left + i64::try_from(by.as_millis()).unwrap();
    redis::cmd("PEXPIRE").arg(key).arg(left).exec_async(raw).await.unwrap();
}

async fn stage() -> (String, Stream, MultiplexedConnection) {
    let namespace = namespace();
    let products = redstream_at(&redis_url(), &namespace).await.stream("products").unwrap();
    (namespace, products, raw_redis(&redis_url()).await)
}

const HOUR: Duration = Duration::from_secs(3600);

#[tokio::test]
async fn a_dead_holders_lock_falls_free_after_its_ttl_though_the_clock_stepped_back() {
    let (namespace, products, mut raw) = stage().await;
    let key = format!("{namespace}:redstream:lock:consumer:products:search");
    let dead = products.lock("search", TTL).unwrap().try_acquire().await.unwrap().unwrap();
    // It dies: the lock is neither renewed nor released.
    std::mem::forget(dead);
    let holder: String = redis::cmd("GET").arg(&key).query_async(&mut raw).await.unwrap();
    let dead = format!("{}x{}", &holder[..31], &holder[32..]);
    redis::cmd("SET").arg(&key).arg(&dead).arg("PX").arg(500).exec_async(&mut raw).await.unwrap();
    step_back(&mut raw, &key, HOUR).await;
    let logs = Logs::capture();
    // A standby with another TTL than the holder's.
    let lock = products.lock("search", Duration::from_secs(5)).unwrap();
    assert!(lock.acquire_within(SOON).await.unwrap().is_some(), "it is taken over");
    assert!(logs.has(&["WARN", "clock went back", &key]), "{}", logs.text());
}

#[tokio::test]
async fn a_living_holder_keeps_its_lock_when_the_clock_steps_back() {
    let (namespace, products, mut raw) = stage().await;
    let key = format!("{namespace}:redstream:lock:consumer:products:search");
    let lock = products.lock("search", TTL).unwrap();
    let holder = lock.try_acquire().await.unwrap().unwrap();
    for _ in 0..3 {
        step_back(&mut raw, &key, HOUR).await;
        assert!(lock.acquire_within(TTL * 3).await.unwrap().is_none(), "it is held");
        assert!(!holder.is_lost());
    }
}

#[tokio::test]
async fn a_lock_of_another_kind_is_left_alone() {
    let (namespace, products, mut raw) = stage().await;
    let key = format!("{namespace}:redstream:lock:consumer:products:search");
    // As the Ruby gem, or an earlier version, writes it.
    let set = redis::cmd("SET").arg(&key).arg("68d9b1a0-0000-4000-8000-000000000001").arg("PX").arg(60_000).to_owned();
    set.exec_async(&mut raw).await.unwrap();
    assert!(products.lock("search", TTL).unwrap().try_acquire().await.unwrap().is_none());
    let left: u64 = redis::cmd("PTTL").arg(&key).query_async(&mut raw).await.unwrap();
    assert!(left > 50_000, "{left}");
}

#[tokio::test]
async fn shards_of_a_dead_host_are_taken_though_the_clock_stepped_back() {
    let namespace = namespace();
    let redstream = redstream_at(&redis_url(), &namespace).await;
    let mut raw = raw_redis(&redis_url()).await;
    let shards = redstream.shards("products", 4).unwrap();
    let hosts = format!("{namespace}:redstream:hosts:consumer:products:search");
    // The heartbeat of a host that died before the step expires in an hour.
    let (seconds, _): (u64, u64) = redis::cmd("TIME").query_async(&mut raw).await.unwrap();
    redis::cmd("ZADD").arg(&hosts).arg((seconds + 3600) * 1000).arg("dead").exec_async(&mut raw).await.unwrap();
    // So does a lock that it held.
    let lock = format!("{namespace}:redstream:lock:consumer:products-1:search");
    let token = format!("{}/500", "d".repeat(32));
    redis::cmd("SET").arg(&lock).arg(token).arg("PX").arg(3_600_000).exec_async(&mut raw).await.unwrap();
    for id in 0..40 {
        shards.queue(&json!({ "id": id })).await.unwrap();
    }
    let seen = Recorder::default();
    let consumer = shards.consumer("search", seen.clone()).each(|consumer| consumer.lock_ttl(TTL));
    let all = async { eventually(SOON, "all shards", async || seen.len() == 40).await };
    Supervisor::new().with(consumer).run_until(all).await.unwrap();
}

#[tokio::test]
async fn the_delayer_tells_of_messages_that_wait_for_longer_than_the_delay() {
    let (namespace, products, mut raw) = stage().await;
    let key = format!("{namespace}:redstream:stream:products.delay");
    // Added before the clock stepped back by an hour.
    let (seconds, _): (u64, u64) = redis::cmd("TIME").query_async(&mut raw).await.unwrap();
    let id = format!("{}-0", (seconds + 3600) * 1000);
    redis::cmd("XADD").arg(&key).arg(id).arg("payload").arg(1).exec_async(&mut raw).await.unwrap();
    let logs = Logs::capture();
    let shutdown = CancellationToken::new();
    let delayer = products.delayer(Duration::from_secs(60));
    let running = tokio::spawn({
        let shutdown = shutdown.clone();
        async move { delayer.run(shutdown).await }
    });
    eventually(SOON, "the warning", async || logs.has(&["WARN", "clock", "products", "later"])).await;
    shutdown.cancel();
    running.await.unwrap().unwrap();
}
