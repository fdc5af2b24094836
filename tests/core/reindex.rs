//! Walks: every key of a source is queued, no more at once than consumers can take, and a crash is continued.

mod crashes;
mod operators;
mod property;
mod shards;
pub(super) mod source;

use std::sync::{Arc, Mutex};
use std::time::Duration;

use redstream_core::{
    Batch, CancellationToken, Error, HandlerError, ReindexProgress, ReindexReport, ReindexState, Start, Stream, Walk,
};
use serde_json::Value;
use tokio::task::JoinHandle;

use self::source::{Numbers, keys};
use super::SOON;
use super::recorder::Recorder;
use crate::support::{eventually, redstream};

/// A walk in a task of its own.
struct Running {
    shutdown: CancellationToken,
    task: JoinHandle<redstream_core::Result<ReindexReport>>,
}

impl Running {
    fn start(walk: Walk<Numbers>) -> Self {
        let shutdown = CancellationToken::new();
        let token = shutdown.clone();
        Self { shutdown, task: tokio::spawn(async move { walk.run(token).await }) }
    }

    async fn report(self) -> ReindexReport {
        tokio::time::timeout(SOON, self.task).await.expect("it ends").expect("it does not panic").unwrap()
    }
}

/// A consumer at work until it is dropped.
struct Consuming {
    _stop: tokio_util::sync::DropGuard,
}

fn consume(stream: &Stream, name: &str, seen: &Recorder) -> Consuming {
    let shutdown = CancellationToken::new();
    let consumer = stream.consumer(name, seen.clone());
    let stop = shutdown.clone().drop_guard();
    tokio::spawn(async move { consumer.run(shutdown).await });
    Consuming { _stop: stop }
}

async fn numbers_of(name: &str) -> Stream {
    let stream = redstream().await.stream("numbers").unwrap();
    stream.register(name, Start::Earliest).await.unwrap();
    stream
}

fn sorted(mut payloads: Vec<Value>) -> Vec<Value> {
    payloads.sort_unstable_by_key(|payload| payload["id"].as_u64());
    payloads
}

async fn state(stream: &Stream) -> Option<ReindexState> {
    stream.reindexes().get("numbers").await.unwrap().map(|record| record.state)
}

#[tokio::test]
async fn every_key_is_queued_once_and_the_consumer_has_passed_them_when_it_is_done() {
    let stream = numbers_of("search").await;
    let seen = Recorder::default();
    let _search = consume(&stream, "search", &seen);
    let reports = Arc::new(Mutex::new(Vec::<ReindexProgress>::new()));
    let told = reports.clone();
    let walk =
        stream.reindex(Numbers::to(2500)).on_progress(move |told_now| told.lock().unwrap().push(told_now.clone()));
    let report = Running::start(walk).report().await;
    assert!(report.is_done(), "{report:?}");
    assert_eq!((report.queued, report.dead_letters), (2500, 0));
    assert_eq!(seen.payloads(), keys(1..=2500), "in the order of the keys, and nothing is left");
    assert_eq!(stream.lag("search").await.unwrap(), 0);

    let record = stream.reindexes().get("numbers").await.unwrap().unwrap();
    assert_eq!(record.state, ReindexState::CaughtUp);
    assert_eq!((record.queued, record.estimate), (2500, 2500));
    assert_eq!(record.consumers, ["search"]);
    assert_eq!(record.last[stream.name()], stream.last_id().await.unwrap());
    assert!(record.ranges.iter().all(|range| range.done));
    assert_eq!(stream.reindexes().list().await.unwrap(), [record]);
    let last = reports.lock().unwrap().last().cloned().unwrap();
    assert_eq!((last.queued, last.lag, last.state), (2500, 0, ReindexState::CaughtUp));
}

#[tokio::test]
async fn several_ranges_are_walked_at_once_and_each_key_is_queued_once() {
    let stream = numbers_of("search").await;
    let seen = Recorder::default();
    let _search = consume(&stream, "search", &seen);
    let report = Running::start(stream.reindex(Numbers::to(2500).ranges(&[300, 301, 2000]))).report().await;
    assert!(report.is_done() && report.queued == 2500, "{report:?}");
    assert_eq!(sorted(seen.payloads()), keys(1..=2500));
}

#[tokio::test]
async fn a_source_without_keys_is_done_at_once() {
    let stream = numbers_of("search").await;
    let report = Running::start(stream.reindex(Numbers::to(0))).report().await;
    assert!(report.is_done() && report.queued == 0, "{report:?}");
    assert_eq!(stream.len().await.unwrap(), 0);
}

#[tokio::test]
async fn no_more_than_two_chunks_wait_for_a_consumer_that_does_not_run() {
    let stream = numbers_of("search").await;
    let walk = Running::start(stream.reindex(Numbers::to(1000)));
    eventually(SOON, "it waits", async || state(&stream).await == Some(ReindexState::WaitingForLag)).await;
    assert_eq!(stream.len().await.unwrap(), 200, "two chunks of the first size");
    assert!(!walk.task.is_finished());

    let seen = Recorder::default();
    let _search = consume(&stream, "search", &seen);
    assert!(walk.report().await.is_done());
    assert_eq!(seen.payloads(), keys(1..=1000));
}

#[tokio::test]
async fn a_backlog_is_passed_before_anything_is_queued() {
    let redstream = redstream().await;
    let stream = redstream.stream("numbers").unwrap();
    stream.register("search", Start::Earliest).await.unwrap();
    for change in keys(5..=7) {
        redstream.producer().queue(stream.name(), &change).await.unwrap();
    }
    let walk = Running::start(stream.reindex(Numbers::to(10)));
    eventually(SOON, "it waits", async || state(&stream).await == Some(ReindexState::WaitingForLag)).await;
    assert_eq!(stream.len().await.unwrap(), 3);
    let seen = Recorder::default();
    let _search = consume(&stream, "search", &seen);
    assert!(walk.report().await.is_done());
    assert_eq!(seen.len(), 13);
}

#[tokio::test]
async fn only_the_named_consumers_are_waited_for() {
    let stream = numbers_of("search").await;
    stream.register("idle", Start::Earliest).await.unwrap();
    let seen = Recorder::default();
    let _search = consume(&stream, "search", &seen);
    let report = Running::start(stream.reindex(Numbers::to(1000)).consumer("search")).report().await;
    assert!(report.is_done(), "{report:?}");
    assert_eq!(stream.lag("idle").await.unwrap(), 1000);
}

#[tokio::test]
async fn a_message_that_becomes_a_dead_letter_is_passed_and_counted() {
    let stream = numbers_of("search").await;
    let fails = async |batch: Batch| {
        for message in batch.messages() {
            if message.payload::<Value>()?["id"] == 7 {
                return Err(HandlerError::permanent(message.id(), "seven"));
            }
        }
        Ok(())
    };
    let shutdown = CancellationToken::new();
    let _stop = shutdown.clone().drop_guard();
    let consumer = stream.consumer("search", fails);
    tokio::spawn(async move { consumer.run(shutdown).await });
    let report = Running::start(stream.reindex(Numbers::to(50))).report().await;
    assert!(report.is_done(), "{report:?}");
    assert_eq!(report.dead_letters, 1);
    assert_eq!(stream.reindexes().get("numbers").await.unwrap().unwrap().dead_letters, 1);
}

#[tokio::test]
async fn a_walk_that_no_consumer_reads_is_refused() {
    let stream = redstream().await.stream("numbers").unwrap();
    let run = |walk: Walk<Numbers>| async move { walk.run(CancellationToken::new()).await.unwrap_err() };
    let error = run(stream.reindex(Numbers::to(3))).await;
    assert!(
        matches!(&error, Error::InvalidOption { option: "consumer", reason } if reason.contains("register")),
        "{error}"
    );
    stream.register("search", Start::Earliest).await.unwrap();
    let error = run(stream.reindex(Numbers::to(3)).consumer("serach")).await;
    assert!(matches!(&error, Error::NoSuchConsumer { consumer, .. } if consumer == "serach"), "{error}");
    for id in [String::new(), "x".repeat(256)] {
        let error = run(stream.reindex(Numbers::to(3)).id(id)).await;
        assert!(matches!(&error, Error::InvalidOption { option: "id", .. }), "{error}");
    }
    let error = run(stream.reindex(Numbers::to(3)).target(Duration::ZERO)).await;
    assert!(matches!(&error, Error::InvalidOption { option: "target", .. }), "{error}");
    assert_eq!(stream.len().await.unwrap(), 0);
}

#[tokio::test]
async fn a_message_for_another_stream_is_refused_before_it_is_queued() {
    let stream = numbers_of("search").await;
    let walk = stream.reindex(Numbers::to(3).on("others"));
    let error = walk.run(CancellationToken::new()).await.unwrap_err();
    assert!(matches!(&error, Error::InvalidOption { option: "source", .. }), "{error}");
    assert_eq!(stream.len().await.unwrap(), 0);
}

#[tokio::test]
async fn an_error_of_the_source_ends_the_run_and_the_next_one_continues() {
    let stream = numbers_of("search").await;
    let seen = Recorder::default();
    let _search = consume(&stream, "search", &seen);
    let error = stream.reindex(Numbers::to(500).failing_behind(250)).run(CancellationToken::new()).await.unwrap_err();
    assert!(matches!(&error, Error::KeySource { id, .. } if id == "numbers"), "{error}");
    assert!(error.to_string().contains("could not read keys"), "{error}");
    let before = stream.reindexes().get("numbers").await.unwrap().unwrap();
    assert!(before.queued > 0 && before.queued < 500 && before.state == ReindexState::Running, "{before:?}");

    let report = Running::start(stream.reindex(Numbers::to(500))).report().await;
    assert!(report.is_done(), "{report:?}");
    assert_eq!(report.queued, 500, "it goes on behind what was queued");
    assert_eq!(seen.payloads(), keys(1..=500));
}

#[tokio::test]
async fn a_forgotten_consumer_is_no_longer_waited_for_unless_it_was_named() {
    let stream = numbers_of("search").await;
    stream.register("retired", Start::Earliest).await.unwrap();
    let seen = Recorder::default();
    let _search = consume(&stream, "search", &seen);
    let all = Running::start(stream.reindex(Numbers::to(1000)));
    eventually(SOON, "it waits", async || state(&stream).await == Some(ReindexState::WaitingForLag)).await;
    stream.forget("retired").await.unwrap();
    assert!(all.report().await.is_done());

    stream.register("retired", Start::Latest).await.unwrap();
    let named = Running::start(stream.reindex(Numbers::to(1000)).consumer("retired"));
    eventually(SOON, "it waits", async || state(&stream).await == Some(ReindexState::WaitingForLag)).await;
    stream.forget("retired").await.unwrap();
    let error = tokio::time::timeout(SOON, named.task).await.unwrap().unwrap().unwrap_err();
    assert!(matches!(&error, Error::NoSuchConsumer { consumer, .. } if consumer == "retired"), "{error}");
}
