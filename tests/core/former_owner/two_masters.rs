//! Two masters at once: the old owner is still at the old one, which does not know that it was replaced.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use redstream_core::{Batch, CancellationToken, Redstream, Stream};
use redstream_servers::{Redis, RedisOptions};

use super::{KEY, Primary, Sink, within};
use crate::core::SOON;
use crate::support::{eventually, raw_redis};

/// A master, and its replica, which was promoted and has all that the master had by then.
struct Masters {
    old: Redis,
    new: Redis,
}

impl Masters {
    async fn split(old: Redis) -> Self {
        let port = old.port().to_string();
        let new = start(RedisOptions::new().arg("--replicaof").arg("127.0.0.1").arg(port)).await;
        let mut raw = raw_redis(&new.url()).await;
        eventually(SOON * 3, "the replica to be in step", async || {
            let info: String = redis::cmd("INFO").arg("replication").query_async(&mut raw).await.unwrap();
            info.contains("master_link_status:up")
        })
        .await;
        redis::cmd("REPLICAOF").arg("NO").arg("ONE").exec_async(&mut raw).await.unwrap();
        Self { old, new }
    }

    async fn stream(redis: &Redis) -> (Redstream, Stream) {
        let redstream = Redstream::connect(redis.url()).await.unwrap();
        let products = redstream.stream("products").unwrap();
        (redstream, products)
    }
}

async fn start(redis: RedisOptions) -> Redis {
    tokio::task::spawn_blocking(move || redis.start()).await.unwrap().unwrap()
}

/// N acquires the lock of the new master and idles. The old owner, still at the old master, reads v1 there with a
/// version of that moment, and writes it. v2 is committed, and N writes it, with a version that it requests then, or
/// with one from when it acquired the lock. Returns what the sink has in the end.
async fn an_owner_at_the_old_master(early: bool) -> Option<&'static str> {
    let old = start(RedisOptions::new().arg("--repl-diskless-sync-delay").arg("0")).await;
    let (_, products) = Masters::stream(&old).await;
    products.register("search", redstream_core::Start::Earliest).await.unwrap();
    let masters = Masters::split(old).await;
    let ((old_writer, old_products), (new_writer, new_products)) =
        (Masters::stream(&masters.old).await, Masters::stream(&masters.new).await);
    let (primary, sink) = (Primary::default(), Sink::new(true));

    let mut raw = raw_redis(&masters.new.url()).await;
    let taken_at = super::clock(&mut raw).await;
    let (shutdown, refused) = (CancellationToken::new(), Arc::new(Mutex::new(0)));
    let owner = new_products.consumer("search", {
        let (primary, sink, refused) = (primary.clone(), sink.clone(), refused.clone());
        move |batch: Batch| {
            let (primary, sink, refused) = (primary.clone(), sink.clone(), refused.clone());
            async move {
                let version = if early { taken_at } else { batch.version().await? };
                if !sink.write(version, primary.read()) {
                    *refused.lock().unwrap() += 1;
                }
                Ok(())
            }
        }
    });
    let running = tokio::spawn({
        let shutdown = shutdown.clone();
        async move { owner.run(shutdown).await }
    });
    let lock = new_products.lock("search", Duration::from_secs(5)).unwrap();
    eventually(SOON, "N to hold the lock", async || lock.try_acquire().await.unwrap().is_none()).await;

    primary.commit("v1");
    old_writer.producer().queue(old_products.name(), &KEY).await.unwrap();
    let late = old_products.consumer("search", {
        let (primary, sink) = (primary.clone(), sink.clone());
        move |batch: Batch| {
            let (primary, sink) = (primary.clone(), sink.clone());
            async move {
                assert!(sink.write(batch.version().await?, primary.read()));
                Ok(())
            }
        }
    });
    within(late.run_once()).await.unwrap();
    assert_eq!(sink.value(), Some("v1"));

    primary.commit("v2");
    new_writer.producer().queue(new_products.name(), &KEY).await.unwrap();
    eventually(SOON, "N to commit", async || new_products.lag("search").await.unwrap() == 0).await;
    assert_eq!(*refused.lock().unwrap(), u32::from(early));
    shutdown.cancel();
    within(running).await.unwrap().unwrap();
    sink.value()
}

#[tokio::test]
async fn a_version_asked_for_at_the_new_master_is_newer_than_what_the_old_one_issued_before() {
    assert_eq!(Box::pin(an_owner_at_the_old_master(false)).await, Some("v2"));
}

#[tokio::test]
async fn a_version_from_when_the_lock_was_taken_would_lose_to_the_old_master() {
    assert_eq!(Box::pin(an_owner_at_the_old_master(true)).await, Some("v1"));
}
