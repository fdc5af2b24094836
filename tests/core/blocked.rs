//! Handlers that block their thread, hang or never return: the lock is kept, the log says so, and health sees it.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use redstream_core::{Batch, Consumer, Supervisor};

use super::SOON;
use crate::support::{Logs, eventually, namespace, raw_redis, redis_url, redstream, redstream_at};

const TTL: Duration = Duration::from_millis(300);

/// Long enough for a busy machine to renew the lock in time.
const LONG: Duration = Duration::from_secs(1);

fn quick(consumer: Consumer) -> Consumer {
    consumer.backoff(Duration::from_millis(5), Duration::from_millis(20)).lock_ttl(TTL)
}

/// Whether another host gets the consumer's lock within `bound`. It has a thread of its own, for which the caller's
/// waits.
fn a_rival_gets_the_lock(namespace: &str, bound: Duration) -> bool {
    let namespace = namespace.to_owned();
    let rival = std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let products = redstream_at(&redis_url(), &namespace).await.stream("products").unwrap();
            products.lock("search", LONG).unwrap().acquire_within(bound).await.unwrap().is_some()
        })
    });
    rival.join().unwrap()
}

/// All tasks of this test share one thread, as with `#[tokio::main(flavor = "current_thread")]`.
#[tokio::test]
async fn a_handler_that_blocks_its_thread_past_the_ttl_keeps_its_lock_and_its_batch_comes_once() {
    let (logs, namespace) = (Logs::capture(), namespace());
    let redstream = redstream_at(&redis_url(), &namespace).await;
    let products = redstream.stream("products").unwrap();
    let calls = Arc::new(AtomicUsize::new(0));
    let handler = {
        let calls = calls.clone();
        move |_: Batch| {
            calls.fetch_add(1, Ordering::SeqCst);
            let namespace = namespace.clone();
            async move {
                assert!(!a_rival_gets_the_lock(&namespace, LONG * 2), "the lock was not renewed");
                Ok(())
            }
        }
    };
    let supervisor = Supervisor::new().with(quick(products.consumer("search", handler)).lock_ttl(LONG));
    let story = async {
        redstream.producer().queue(products.name(), &1).await.unwrap();
        eventually(SOON, "the commit", async || products.lag("search").await.is_ok_and(|lag| lag == 0)).await;
        redstream.producer().queue(products.name(), &2).await.unwrap();
        eventually(SOON, "the next commit", async || products.lag("search").await.is_ok_and(|lag| lag == 0)).await;
    };
    supervisor.run_until(story).await.unwrap();
    assert_eq!(calls.load(Ordering::SeqCst), 2, "{}", logs.text());
    let told = logs.text().lines().filter(|line| line.contains("handler blocked its thread for 2.")).count();
    assert_eq!(told, 1, "once a minute: {}", logs.text());
    assert!(logs.has(&["WARN", "handler blocked its thread", "spawn_blocking", "products", "search"]));
}

#[tokio::test]
async fn a_handler_that_never_returns_is_told_with_its_first_message() {
    let logs = Logs::capture();
    let redstream = redstream().await;
    let products = redstream.stream("products").unwrap();
    let supervisor = Supervisor::new()
        .with(quick(products.consumer("search", async |_: Batch| std::future::pending().await)))
        .patience(Duration::from_millis(100))
        .grace(Duration::from_millis(10));
    let story = async {
        let first = redstream.producer().queue(products.name(), &1).await.unwrap();
        let first = format!("first={first}");
        eventually(SOON, "the warning", async || {
            logs.has(&["WARN", "the handler has not returned", "products", "search", &first, "handler_timeout"])
        })
        .await;
    };
    supervisor.run_until(story).await.unwrap_err();
}

#[tokio::test]
async fn a_handler_that_hangs_is_given_up_after_its_timeout_and_tried_again() {
    let logs = Logs::capture();
    let redstream = redstream().await;
    let products = redstream.stream("products").unwrap();
    let calls = Arc::new(AtomicUsize::new(0));
    let handler = {
        let calls = calls.clone();
        move |_: Batch| {
            let hangs = calls.fetch_add(1, Ordering::SeqCst) == 0;
            async move {
                if hangs {
                    std::future::pending::<()>().await;
                }
                Ok(())
            }
        }
    };
    let bound = Duration::from_millis(50);
    let supervisor = Supervisor::new().with(quick(products.consumer("search", handler)).handler_timeout(bound));
    let story = async {
        redstream.producer().queue(products.name(), &1).await.unwrap();
        eventually(SOON, "the commit", async || products.lag("search").await.unwrap() == 0).await;
    };
    supervisor.run_until(story).await.unwrap();
    assert!(logs.has(&["WARN", "the handler did not return within 50ms, its handler_timeout"]), "{}", logs.text());
}

/// Its thread may never come back; without a timeout the lock is kept, since it cannot be distinguished from slow work.
#[tokio::test]
async fn a_handler_that_blocks_for_longer_than_its_timeout_loses_its_lock_to_another_host() {
    let (logs, namespace) = (Logs::capture(), namespace());
    let redstream = redstream_at(&redis_url(), &namespace).await;
    let products = redstream.stream("products").unwrap();
    redstream.producer().queue(products.name(), &1).await.unwrap();
    let handler = move |_: Batch| {
        let namespace = namespace.clone();
        async move {
            assert!(a_rival_gets_the_lock(&namespace, SOON), "the lock was kept");
            Ok(())
        }
    };
    let consumer = quick(products.consumer("search", handler)).handler_timeout(Duration::from_millis(50));
    let error = consumer.run_once().await.unwrap_err();
    assert!(matches!(error, redstream_core::Error::LockLost { .. }), "{error:?}");
    assert!(logs.has(&["ERROR", "outlasted its handler_timeout", "search"]), "{}", logs.text());
}

#[tokio::test]
async fn a_handler_timeout_of_zero_is_refused() {
    let products = redstream().await.stream("products").unwrap();
    let consumer = products.consumer("search", async |_: Batch| Ok(())).handler_timeout(Duration::ZERO);
    let error = consumer.run_once().await.unwrap_err();
    assert!(matches!(error, redstream_core::Error::InvalidOption { option: "handler_timeout", .. }), "{error:?}");
}

/// As if something else keeps taking the lock while the handler works.
#[tokio::test]
async fn a_consumer_that_only_takes_its_lock_and_loses_it_is_not_alive() {
    let namespace = namespace();
    let redstream = redstream_at(&redis_url(), &namespace).await;
    let products = redstream.stream("products").unwrap();
    let lock = products.lock("search", TTL).unwrap().key().to_owned();
    let handler = move |_: Batch| {
        let lock = lock.clone();
        async move {
            let mut raw = raw_redis(&redis_url()).await;
            let robbed = redis::cmd("SET").arg(lock).arg("f".repeat(32)).arg("PX").arg(250).to_owned();
            robbed.exec_async(&mut raw).await?;
            Ok(())
        }
    };
    let patience = Duration::from_millis(600);
    let supervisor = Supervisor::new().with(quick(products.consumer("search", handler))).patience(patience);
    let health = supervisor.health();
    let story = async {
        eventually(SOON, "it to be ready", async || health.is_ready()).await;
        redstream.producer().queue(products.name(), &1).await.unwrap();
        eventually(SOON, "it not to be alive", async || !health.is_live()).await;
        products.rewind("search", redstream_core::Start::Latest).await.unwrap();
        eventually(SOON, "it to be alive again", async || health.is_live()).await;
    };
    supervisor.run_until(story).await.unwrap();
}
