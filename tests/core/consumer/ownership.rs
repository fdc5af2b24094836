//! Of several hosts one is at work: the owner of the lock.

use std::sync::Arc;
use std::time::Duration;

use redstream_core::{Batch, Error, Progress};

use super::{add, keys, start, stop};
use crate::core::recorder::Recorder;
use crate::core::waiting_handler::Held;
use crate::core::{AT_ONCE, SOON};
use crate::support::{eventually, raw_redis, redis_url, redstream};

#[tokio::test]
async fn a_handler_slower_than_the_ttl_keeps_its_lock() {
    let redstream = redstream().await;
    let products = redstream.stream("products").unwrap();
    add(&redstream, &products, 0..1).await;
    let ttl = Duration::from_millis(200);
    let held = Held::default();
    let owner = start(products.consumer("search", held.clone()).lock_ttl(ttl));
    held.begun().await;
    // A standby would get it after one TTL if it were not renewed; here it waits for five.
    let lock = products.lock("search", ttl).unwrap();
    assert!(lock.acquire_within(ttl * 5).await.unwrap().is_none());

    held.go_on();
    eventually(SOON, "the commit", async || products.lag("search").await.unwrap() == 0).await;
    stop(owner).await;
}

#[tokio::test]
async fn a_standby_takes_over_at_once_when_the_owner_stops() {
    let redstream = redstream().await;
    let products = redstream.stream("products").unwrap();
    let ttl = Duration::from_secs(60);
    let (first, second) = (Recorder::default(), Recorder::default());
    let owner = start(products.consumer("search", first.clone()).lock_ttl(ttl));
    add(&redstream, &products, 0..1).await;
    eventually(SOON, "the owner at work", async || first.len() == 1).await;
    let standby = start(products.consumer("search", second.clone()).lock_ttl(ttl));

    stop(owner).await;
    add(&redstream, &products, 1..2).await;
    // The TTL of a minute is far off, and so are the five seconds after which a standby checks by itself.
    eventually(AT_ONCE, "the standby at work", async || second.len() == 1).await;
    stop(standby).await;
    assert_eq!((first.payloads(), second.payloads()), (keys(0..1), keys(1..2)));
}

#[tokio::test]
async fn an_owner_that_lost_its_lock_commits_nothing_and_the_messages_come_again() {
    let redstream = redstream().await;
    let products = redstream.stream("products").unwrap();
    add(&redstream, &products, 0..2).await;
    let lock = products.lock("search", Duration::from_secs(60)).unwrap();
    let thief = Arc::new(tokio::sync::Mutex::new(None));
    let handler = {
        let (lock, thief) = (lock.clone(), thief.clone());
        move |_: Batch| {
            let (lock, thief) = (lock.clone(), thief.clone());
            async move {
                let mut raw = raw_redis(&redis_url()).await;
                let () = redis::cmd("DEL").arg(lock.key()).query_async(&mut raw).await?;
                *thief.lock().await = lock.try_acquire().await?;
                Ok(())
            }
        }
    };
    let error = products.consumer("search", handler).run_once().await.unwrap_err();
    assert!(matches!(error, Error::LockLost { .. }), "{error}");
    assert_eq!(products.offsets().get("search").await.unwrap(), None);

    thief.lock().await.take().expect("it was taken").release().await.unwrap();
    let seen = Recorder::default();
    products.consumer("search", seen.clone()).run_once().await.unwrap();
    assert_eq!(seen.payloads(), keys(0..2));
}

#[tokio::test]
async fn run_once_leaves_the_work_to_the_holder_of_the_lock() {
    let redstream = redstream().await;
    let products = redstream.stream("products").unwrap();
    add(&redstream, &products, 0..1).await;
    let _guard = products.lock("search", Duration::from_secs(60)).unwrap().try_acquire().await.unwrap();
    let seen = Recorder::default();
    assert_eq!(products.consumer("search", seen.clone()).run_once().await.unwrap(), Progress::Standby);
    assert_eq!(seen.len(), 0);
}
