//! Consumers: every message handled, in order, committed or replayed.

mod failures;
mod ownership;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use redstream_core::{
    Batch, CancellationToken, Consumer, Error, MessageId, Progress, Redstream, Result, Start, Stream,
};
use serde_json::{Value, json};
use tokio::task::JoinHandle;

use super::SOON;
use super::recorder::Recorder;
use super::waiting_handler::Held;
use crate::support::{eventually, private_redis, raw_redis, redstream};

async fn add(redstream: &Redstream, stream: &Stream, ids: std::ops::Range<usize>) {
    for id in ids {
        redstream.producer().queue(stream.name(), &json!({ "id": id })).await.unwrap();
    }
}

fn keys(ids: std::ops::Range<usize>) -> Vec<Value> {
    ids.map(|id| json!({ "id": id })).collect()
}

/// A consumer at work; stopped by the token.
pub(super) fn start(consumer: Consumer) -> (CancellationToken, JoinHandle<Result<()>>) {
    let shutdown = CancellationToken::new();
    let token = shutdown.clone();
    (shutdown, tokio::spawn(async move { consumer.run(token).await }))
}

pub(super) async fn stop((shutdown, running): (CancellationToken, JoinHandle<Result<()>>)) {
    shutdown.cancel();
    tokio::time::timeout(SOON, running).await.expect("it stops").expect("it does not panic").unwrap();
}

fn quick(consumer: Consumer) -> Consumer {
    consumer.backoff(Duration::from_millis(10), Duration::from_millis(50))
}

#[tokio::test]
async fn run_once_handles_one_batch_and_commits_it() {
    let redstream = redstream().await;
    let products = redstream.stream("products").unwrap();
    let seen = Recorder::default();
    let consumer = products.consumer("search", seen.clone()).batch_size(2);
    assert_eq!(consumer.run_once().await.unwrap(), Progress::Idle);

    add(&redstream, &products, 0..3).await;
    assert_eq!(products.lag("search").await.unwrap(), 3);
    assert_eq!(consumer.run_once().await.unwrap(), Progress::Handled(2));
    assert_eq!(products.lag("search").await.unwrap(), 1);
    assert_eq!(consumer.run_once().await.unwrap(), Progress::Handled(1));
    assert_eq!(consumer.run_once().await.unwrap(), Progress::Idle);

    assert_eq!(seen.payloads(), keys(0..3));
    assert_eq!(products.offsets().get("search").await.unwrap(), seen.ids().last().copied());
    assert_eq!(products.lag("search").await.unwrap(), 0);
}

#[tokio::test]
async fn run_handles_what_is_there_and_what_comes_in_order() {
    let redstream = redstream().await;
    let products = redstream.stream("products").unwrap();
    let seen = Recorder::default();
    add(&redstream, &products, 0..250).await;
    let running = start(products.consumer("search", seen.clone()).batch_size(100));
    eventually(SOON, "the backlog", async || seen.len() == 250).await;
    add(&redstream, &products, 250..260).await;
    eventually(SOON, "what came later", async || seen.len() == 260).await;
    stop(running).await;

    assert_eq!(seen.payloads(), keys(0..260));
    assert!(seen.batches().iter().all(|batch| batch.len() <= 100));
    assert_eq!(products.lag("search").await.unwrap(), 0, "the last batch is committed before it stops");
}

#[tokio::test]
async fn each_consumer_has_its_own_place() {
    let redstream = redstream().await;
    let products = redstream.stream("products").unwrap();
    let (search, cache) = (Recorder::default(), Recorder::default());
    add(&redstream, &products, 0..3).await;
    products.consumer("search", search.clone()).run_once().await.unwrap();
    products.consumer("cache", cache.clone()).batch_size(1).run_once().await.unwrap();
    assert_eq!((search.len(), cache.len()), (3, 1));
}

#[tokio::test]
async fn a_new_consumer_begins_where_it_was_told() {
    let redstream = redstream().await;
    let products = redstream.stream("products").unwrap();
    add(&redstream, &products, 0..2).await;
    let middle = products.last_id().await.unwrap();
    add(&redstream, &products, 2..4).await;

    let begin = async |name: &str, start| {
        let seen = Recorder::default();
        let consumer = products.consumer(name, seen.clone()).start(start);
        consumer.run_once().await.unwrap();
        (consumer, seen)
    };
    let (_, earliest) = begin("earliest", Start::Earliest).await;
    let (_, after) = begin("after", Start::After(middle)).await;
    let (consumer, latest) = begin("latest", Start::Latest).await;
    assert_eq!((earliest.payloads(), after.payloads(), latest.len()), (keys(0..4), keys(2..4), 0));

    add(&redstream, &products, 4..5).await;
    consumer.run_once().await.unwrap();
    assert_eq!(latest.payloads(), keys(4..5));
    // It has an offset now, so the start of a new consumer no longer matters.
    let (_, again) = begin("earliest", Start::Latest).await;
    assert_eq!(again.payloads(), keys(4..5));
}

#[tokio::test]
async fn latest_counts_from_registration_not_from_the_first_read() {
    let redstream = redstream().await;
    let products = redstream.stream("products").unwrap();
    add(&redstream, &products, 0..1).await;
    assert!(products.register("search", Start::Latest).await.unwrap());
    assert!(!products.register("search", Start::Latest).await.unwrap());
    add(&redstream, &products, 1..2).await;
    let seen = Recorder::default();
    products.consumer("search", seen.clone()).start(Start::Latest).run_once().await.unwrap();
    assert_eq!(seen.payloads(), keys(1..2));
}

#[tokio::test]
async fn shutdown_waits_for_the_handler_and_commits_its_batch() {
    let redstream = redstream().await;
    let products = redstream.stream("products").unwrap();
    add(&redstream, &products, 0..5).await;
    let held = Held::default();
    let (shutdown, running) = start(products.consumer("search", held.clone()).batch_size(2));
    held.begun().await;
    shutdown.cancel();
    tokio::task::yield_now().await;
    assert!(!running.is_finished(), "it waits for the handler");
    held.go_on();
    stop((shutdown, running)).await;

    assert_eq!(held.seen.payloads(), keys(0..2), "the batch at hand, and no other");
    assert_eq!(products.lag("search").await.unwrap(), 3);
    let rest = Recorder::default();
    products.consumer("search", rest.clone()).run_once().await.unwrap();
    assert_eq!(rest.payloads(), keys(2..5), "nothing is skipped");
}

#[tokio::test]
async fn reads_the_next_batch_while_the_handler_works() {
    let server = private_redis().await;
    let redstream = Redstream::connect(server.url()).await.unwrap();
    let products = redstream.stream("products").unwrap();
    add(&redstream, &products, 0..4).await;
    let held = Held::default();
    let running = start(products.consumer("search", held.clone()).batch_size(2));
    held.begun().await;
    let mut raw = raw_redis(&server.url()).await;
    eventually(SOON, "the second batch to be read while the first is at work", async || {
        let stats: String = redis::cmd("INFO").arg("commandstats").query_async(&mut raw).await.unwrap();
        stats.contains("cmdstat_xread:calls=2,")
    })
    .await;
    assert_eq!(held.seen.len(), 2);
    held.go_on();
    eventually(SOON, "both batches", async || held.seen.len() == 4).await;
    held.go_on();
    stop(running).await;
    assert_eq!(held.seen.payloads(), keys(0..4));
}

#[tokio::test]
async fn options_that_cannot_work_are_refused() {
    let products = redstream().await.stream("products").unwrap();
    let consumer = || products.consumer("search", Recorder::default());
    for (consumer, option) in [
        (consumer().batch_size(0), "batch_size"),
        (consumer().lock_ttl(Duration::ZERO), "lock_ttl"),
        (consumer().backoff(Duration::ZERO, SOON), "backoff"),
        (consumer().backoff(SOON, Duration::from_secs(1)), "backoff"),
    ] {
        let error = consumer.run(CancellationToken::new()).await.unwrap_err();
        assert!(matches!(&error, Error::InvalidOption { option: named, .. } if *named == option), "{error}");
    }
    assert!(products.consumers().await.unwrap().is_empty(), "nothing was started");
}

#[tokio::test]
async fn a_batch_tells_its_place() {
    let redstream = redstream().await;
    let products = redstream.stream("products").unwrap();
    add(&redstream, &products, 0..2).await;
    let told = Arc::new(std::sync::Mutex::new(None));
    let handler = {
        let told = told.clone();
        move |batch: Batch| {
            let told = told.clone();
            async move {
                assert_eq!((batch.stream().as_str(), batch.consumer()), ("products", "search"));
                assert!(batch.len() == 2 && !batch.is_empty());
                *told.lock().unwrap() = Some((batch.first_id(), batch.last_id()));
                Ok(())
            }
        }
    };
    products.consumer("search", handler).run_once().await.unwrap();
    let (first, last): (MessageId, MessageId) = told.lock().unwrap().unwrap();
    assert!(first < last && last == products.last_id().await.unwrap());
}

#[tokio::test]
async fn replays_a_batch_whose_handler_failed() {
    let redstream = redstream().await;
    let products = redstream.stream("products").unwrap();
    add(&redstream, &products, 0..3).await;
    let attempts = Arc::new(AtomicUsize::new(0));
    let seen = Recorder::default();
    let handler = {
        let (attempts, seen) = (attempts.clone(), seen.clone());
        move |batch: Batch| {
            let (attempts, seen) = (attempts.clone(), seen.clone());
            async move {
                if attempts.fetch_add(1, Ordering::SeqCst) < 2 {
                    return Err("the index is on fire".into());
                }
                redstream_core::Handler::handle(&seen, batch).await
            }
        }
    };
    let error = products.consumer("search", handler.clone()).run_once().await.unwrap_err();
    assert!(matches!(&error, Error::Handler { source, .. } if source.to_string() == "the index is on fire"), "{error}");
    assert_eq!(products.offsets().get("search").await.unwrap(), None, "nothing is committed");

    let running = start(quick(products.consumer("search", handler)));
    eventually(SOON, "the third attempt", async || seen.len() == 3).await;
    stop(running).await;
    assert_eq!(seen.payloads(), keys(0..3));
    assert_eq!(attempts.load(Ordering::SeqCst), 3);
}
