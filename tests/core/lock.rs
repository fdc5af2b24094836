//! Locks and the commits they fence.

mod taking;

use std::time::Duration;

use redstream_core::{Error, MessageId, Redstream, Stream};

use super::{AT_ONCE, SOON};
use crate::support::{Logs, eventually, namespace, raw_redis, redis_url, redstream, redstream_at};

const TTL: Duration = Duration::from_secs(60);

/// Another owner holds the lock now.
async fn give_away(lock: &str) {
    let mut raw = raw_redis(&redis_url()).await;
    let set = redis::cmd("SET").arg(lock).arg("f".repeat(32)).arg("PX").arg(60_000).to_owned();
    let () = set.query_async(&mut raw).await.unwrap();
}

/// As after expiry or deletion by an operator: the lock has no owner.
async fn take_away(lock: &str) {
    let mut raw = raw_redis(&redis_url()).await;
    let () = redis::cmd("DEL").arg(lock).query_async(&mut raw).await.unwrap();
}

/// Waits until a client has begun to wait.
async fn waits_for_a_lock() {
    let mut raw = raw_redis(&redis_url()).await;
    eventually(SOON, "somebody to wait for a lock", async || {
        let clients: String = redis::cmd("CLIENT").arg("LIST").query_async(&mut raw).await.unwrap();
        clients.contains("cmd=brpop")
    })
    .await;
}

fn products(redstream: &Redstream) -> Stream {
    redstream.stream("products").unwrap()
}

#[tokio::test]
async fn only_one_holds_it_and_a_release_hands_it_over() {
    let products = products(&redstream().await);
    let lock = products.lock("search", TTL).unwrap();
    let guard = lock.try_acquire().await.unwrap().expect("free");
    assert!(lock.try_acquire().await.unwrap().is_none(), "held");
    assert!(lock.acquire_within(Duration::from_millis(50)).await.unwrap().is_none(), "still held");

    let standby = tokio::spawn(async move { lock.acquire_within(AT_ONCE).await.unwrap() });
    waits_for_a_lock().await;
    guard.release().await.unwrap();
    // The TTL of a minute is far off: the release woke it.
    assert!(standby.await.unwrap().is_some());
}

#[tokio::test]
async fn a_dropped_guard_hands_over_too() {
    let products = products(&redstream().await);
    let lock = products.lock("search", TTL).unwrap();
    drop(lock.try_acquire().await.unwrap().expect("free"));
    assert!(lock.acquire_within(SOON).await.unwrap().is_some());
}

#[tokio::test]
async fn a_holder_that_lives_keeps_it_past_its_ttl() {
    let products = products(&redstream().await);
    let lock = products.lock("search", Duration::from_millis(300)).unwrap();
    let guard = lock.try_acquire().await.unwrap().expect("free");
    // Four times the TTL.
    assert!(lock.acquire_within(Duration::from_millis(1200)).await.unwrap().is_none());
    assert!(!guard.is_lost());
}

#[tokio::test]
async fn one_that_is_not_renewed_falls_to_a_standby() {
    let namespace = namespace();
    let products = products(&redstream_at(&redis_url(), &namespace).await);
    let lock = products.lock("search", TTL).unwrap();
    // The lock of a process that has died.
    let mut raw = raw_redis(&redis_url()).await;
    let () =
        redis::cmd("SET").arg(lock.key()).arg("0".repeat(32)).arg("PX").arg(300).query_async(&mut raw).await.unwrap();
    assert!(lock.try_acquire().await.unwrap().is_none());
    assert!(lock.acquire_within(SOON).await.unwrap().is_some());
}

#[tokio::test]
async fn a_stale_owners_commit_is_refused() {
    let products = products(&redstream().await);
    let lock = products.lock("search", TTL).unwrap();
    let stale = lock.try_acquire().await.unwrap().expect("free");
    take_away(lock.key()).await;
    let owner = lock.try_acquire().await.unwrap().expect("free");

    products.offsets().commit(&owner, MessageId::new(5, 0)).await.unwrap();
    let error = products.offsets().commit(&stale, MessageId::new(9, 0)).await.unwrap_err();
    assert!(matches!(&error, Error::LockLost { lock: lost } if lost == lock.key()), "{error:?}");
    assert!(stale.is_lost() && !owner.is_lost());
    assert_eq!(products.offsets().get("search").await.unwrap(), Some(MessageId::new(5, 0)));
}

#[tokio::test]
async fn a_stale_owners_release_leaves_the_new_owner_alone() {
    let products = products(&redstream().await);
    let lock = products.lock("search", TTL).unwrap();
    let stale = lock.try_acquire().await.unwrap().expect("free");
    take_away(lock.key()).await;
    let owner = lock.try_acquire().await.unwrap().expect("free");
    stale.release().await.unwrap();
    assert!(lock.try_acquire().await.unwrap().is_none(), "the new owner still holds it");
    products.offsets().commit(&owner, MessageId::new(1, 0)).await.unwrap();
}

#[tokio::test]
async fn a_holder_learns_that_it_lost_the_lock() {
    let products = products(&redstream().await);
    let lock = products.lock("search", Duration::from_millis(300)).unwrap();
    let guard = lock.try_acquire().await.unwrap().expect("free");
    give_away(lock.key()).await;
    tokio::time::timeout(SOON, guard.lost()).await.expect("the renewal finds out");
}

#[tokio::test]
async fn offsets_move_forward_only_and_by_number() {
    let products = products(&redstream().await);
    let guard = products.lock("search", TTL).unwrap().try_acquire().await.unwrap().expect("free");
    let offsets = products.offsets();
    for (id, stored) in [
        (MessageId::new(5, 9), true),
        (MessageId::new(5, 10), true),
        (MessageId::new(5, 9), false),
        (MessageId::new(4, 99), false),
        (MessageId::new(5, 10), false),
        (MessageId::new(10, 0), true),
        (MessageId::new(u64::MAX - 1, 0), true),
        (MessageId::new(u64::MAX, 0), true),
        (MessageId::new(u64::MAX - 1, 5), false),
    ] {
        assert_eq!(offsets.commit(&guard, id).await.unwrap().stored, stored, "{id}");
    }
    assert_eq!(offsets.get("search").await.unwrap(), Some(MessageId::new(u64::MAX, 0)));
}

#[tokio::test]
async fn the_lock_of_another_streams_consumer_does_not_commit_here() {
    let redstream = redstream().await;
    let (products, orders) = (products(&redstream), redstream.stream("orders").unwrap());
    let guard = orders.lock("search", TTL).unwrap().try_acquire().await.unwrap().expect("free");
    let error = products.offsets().commit(&guard, MessageId::new(1, 0)).await.unwrap_err();
    assert!(matches!(error, Error::InvalidOption { option: "guard", .. }), "{error}");
}

#[tokio::test]
async fn a_forgotten_consumer_commits_nothing() {
    let namespace = namespace();
    let products = products(&redstream_at(&redis_url(), &namespace).await);
    let lock = products.lock("search", TTL).unwrap();
    let guard = lock.try_acquire().await.unwrap().expect("free");
    let error = products.forget("search").await.unwrap_err();
    assert!(matches!(error, Error::StillRunning { .. }), "{error}");

    let mut raw = raw_redis(&redis_url()).await;
    let registry = format!("{namespace}:redstream:consumers:products");
    let () = redis::cmd("HDEL").arg(registry).arg("search").query_async(&mut raw).await.unwrap();
    let error = products.offsets().commit(&guard, MessageId::new(1, 0)).await.unwrap_err();
    assert!(matches!(error, Error::Forgotten { .. }), "{error}");

    guard.release().await.unwrap();
    eventually(SOON, "the lock to be free", async || {
        matches!(products.forget("search").await, Err(Error::NoSuchConsumer { .. }))
    })
    .await;
}

#[tokio::test]
async fn a_ttl_too_short_to_be_renewed_is_refused() {
    let products = products(&redstream().await);
    for ttl in [Duration::ZERO, Duration::from_millis(99)] {
        let error = products.lock("search", ttl).unwrap_err();
        assert!(matches!(error, Error::InvalidOption { option: "lock_ttl", .. }), "{error}");
    }
}

#[tokio::test]
async fn the_lock_of_a_consumer_that_is_not_there_is_warned_of() {
    let products = products(&redstream().await);
    let logs = Logs::capture();
    let lock = products.lock("serach", TTL).unwrap();
    lock.try_acquire().await.unwrap().expect("free").release().await.unwrap();
    assert!(logs.has(&["WARN", "was not registered", "serach", "products", "mistyped"]), "{}", logs.text());
    lock.acquire_within(SOON).await.unwrap().expect("free").release().await.unwrap();
    assert_eq!(logs.text().matches("was not registered").count(), 1, "it is now");
}
