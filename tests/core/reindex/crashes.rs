//! Dropped futures, lost locks, and a Redis that is restarted or has lost messages.

use std::time::Duration;

use redstream_core::{CancellationToken, ReindexState, Start};
use serde_json::Value;

use super::source::{Numbers, keys};
use super::{Running, consume, numbers_of, sorted, state};
use crate::core::SOON;
use crate::core::recorder::Recorder;
use crate::support::{Logs, cut, eventually, namespace, private_redis, raw_redis, redis_url, redstream_at};

fn distinct(payloads: Vec<Value>) -> Vec<Value> {
    let mut payloads = sorted(payloads);
    payloads.dedup();
    payloads
}

#[tokio::test]
async fn a_run_that_is_dropped_at_any_point_is_continued() {
    let stream = numbers_of("search").await;
    let seen = Recorder::default();
    let _search = consume(&stream, "search", &seen);
    // The longer a run may go on, the more steps it takes before it is dropped.
    for pending in 1..200 {
        // Many ranges: each page is a step.
        let walk = stream.reindex(Numbers::to(3000).ranges(&[10, 20, 500])).lock_ttl(Duration::from_millis(500));
        if let Some(report) = cut(walk.run(CancellationToken::new()), pending).await {
            assert!(report.unwrap().is_done());
            assert!(pending > 3, "it was dropped a few times");
            assert_eq!(distinct(seen.payloads()), keys(1..=3000));
            return;
        }
    }
    panic!("it never came to its end");
}

#[tokio::test]
async fn a_former_walker_cannot_overwrite_the_record() {
    let (url, namespace) = (redis_url(), namespace());
    let redstream = redstream_at(&url, &namespace).await;
    let stream = redstream.stream("numbers").unwrap();
    stream.register("search", Start::Earliest).await.unwrap();
    let logs = Logs::capture();
    let walk = Running::start(stream.reindex(Numbers::to(1000)).lock_ttl(Duration::from_secs(3)));
    eventually(SOON, "two chunks", async || stream.len().await.unwrap() == 200).await;

    // Another process takes the lock, and goes on: it is far ahead.
    let mut raw = raw_redis(&url).await;
    let (lock, records) =
        (format!("{namespace}:redstream:lock:reindex:numbers"), format!("{namespace}:redstream:reindexes:numbers"));
    let text: String = redis::cmd("HGET").arg(&records).arg("numbers").query_async(&mut raw).await.unwrap();
    let ahead = text.replace("\"queued\":200", "\"queued\":900").replace("\"after\":200", "\"after\":900");
    assert_ne!(ahead, text);
    let taken: String =
        redis::cmd("SET").arg(&lock).arg("another/60000").arg("PX").arg(60_000).query_async(&mut raw).await.unwrap();
    assert_eq!(taken, "OK");
    let _: u64 = redis::cmd("HSET").arg(&records).arg("numbers").arg(&ahead).query_async(&mut raw).await.unwrap();

    let seen = Recorder::default();
    let _search = consume(&stream, "search", &seen);
    eventually(SOON, "it notices", async || logs.has(&["WARN", "a reindex is interrupted"])).await;
    let stored: String = redis::cmd("HGET").arg(&records).arg("numbers").query_async(&mut raw).await.unwrap();
    assert_eq!(stored, ahead, "nothing of it is written");
    assert!(stream.len().await.unwrap() <= 300, "a chunk at most before it was refused");

    let _: u64 = redis::cmd("DEL").arg(&lock).query_async(&mut raw).await.unwrap();
    assert!(walk.report().await.is_done());
    let payloads = distinct(seen.payloads());
    assert!(payloads.ends_with(&keys(901..=1000)), "it goes on behind what the other one recorded");
    assert!(payloads.len() <= 400, "{}", payloads.len());
}

#[tokio::test]
async fn a_walk_outlives_a_restart_of_redis() {
    let mut server = private_redis().await;
    let redstream = redstream_at(&server.url(), &namespace()).await;
    let stream = redstream.stream("numbers").unwrap();
    stream.register("search", Start::Earliest).await.unwrap();
    let walk = Running::start(stream.reindex(Numbers::to(1000)));
    eventually(SOON, "two chunks", async || stream.len().await.unwrap() == 200).await;
    server.kill().unwrap();
    server.restart().unwrap();
    let seen = Recorder::default();
    let _search = consume(&stream, "search", &seen);
    let report = tokio::time::timeout(SOON * 3, walk.task).await.unwrap().unwrap().unwrap();
    assert!(report.is_done(), "{report:?}");
    assert_eq!(distinct(seen.payloads()), keys(1..=1000));
}

#[tokio::test]
async fn a_walk_whose_messages_redis_has_lost_starts_over() {
    let (url, namespace) = (redis_url(), namespace());
    let stream = redstream_at(&url, &namespace).await.stream("numbers").unwrap();
    stream.register("search", Start::Earliest).await.unwrap();
    let logs = Logs::capture();
    let walk = Running::start(stream.reindex(Numbers::to(1000)));
    eventually(SOON, "two chunks", async || state(&stream).await == Some(ReindexState::WaitingForLag)).await;
    let key = format!("{namespace}:redstream:stream:numbers");
    let _: u64 = redis::cmd("DEL").arg(&key).query_async(&mut raw_redis(&url).await).await.unwrap();
    eventually(SOON, "it notices", async || logs.has(&["WARN", "it starts over"])).await;
    let seen = Recorder::default();
    let _search = consume(&stream, "search", &seen);
    assert!(walk.report().await.is_done());
    assert_eq!(seen.payloads(), keys(1..=1000));
}

#[tokio::test]
async fn messages_that_were_trimmed_unread_are_not_waited_for() {
    let (url, namespace) = (redis_url(), namespace());
    let stream = redstream_at(&url, &namespace).await.stream("numbers").unwrap();
    stream.register("search", Start::Earliest).await.unwrap();
    let walk = Running::start(stream.reindex(Numbers::to(150)));
    eventually(SOON, "all keys", async || stream.len().await.unwrap() == 150).await;
    let key = format!("{namespace}:redstream:stream:numbers");
    let mut raw = raw_redis(&url).await;
    let _: u64 = redis::cmd("XTRIM").arg(&key).arg("MAXLEN").arg(0).query_async(&mut raw).await.unwrap();
    assert!(walk.report().await.is_done());
}

#[tokio::test]
async fn a_shutdown_ends_the_run_and_the_next_one_continues() {
    let stream = numbers_of("search").await;
    let walk = Running::start(stream.reindex(Numbers::to(1000)));
    eventually(SOON, "two chunks", async || stream.len().await.unwrap() == 200).await;
    walk.shutdown.cancel();
    let report = walk.report().await;
    assert!(!report.is_done() && report.queued == 200, "{report:?}");
    let seen = Recorder::default();
    let _search = consume(&stream, "search", &seen);
    let report = Running::start(stream.reindex(Numbers::to(1000))).report().await;
    assert!(report.is_done() && report.queued == 1000, "{report:?}");
    assert_eq!(seen.payloads(), keys(1..=1000), "each once");
}
