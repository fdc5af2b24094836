//! Pause, resume, abort, and several processes.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use redstream_core::{CancellationToken, Error, ReindexProgress, ReindexState};

use super::source::{Numbers, keys};
use super::{Running, consume, numbers_of, sorted, state};
use crate::core::SOON;
use crate::core::recorder::Recorder;
use crate::support::eventually;

/// So many keys that a test that waits for the end would not end in time.
const MANY: u64 = 2_000_000;

/// How often a walk has reported that it is paused, and the callback that counts it.
fn paused_reports() -> (Arc<AtomicUsize>, impl Fn(&ReindexProgress) + Send + Sync + 'static) {
    let told = Arc::new(AtomicUsize::new(0));
    let counted = told.clone();
    (told, move |progress| _ = counted.fetch_add((progress.state == ReindexState::Paused).into(), Ordering::SeqCst))
}

/// Waits until a walk that is paused has looked at its record and the consumers again, and found nothing to do.
async fn looks_three_times_more(told: &AtomicUsize) {
    let before = told.load(Ordering::SeqCst);
    eventually(SOON, "it looks again", async || told.load(Ordering::SeqCst) >= before + 3).await;
}

#[tokio::test]
async fn a_paused_walk_queues_nothing_until_it_is_resumed() {
    let stream = numbers_of("search").await;
    let (told, tell) = paused_reports();
    let walk = Running::start(stream.reindex(Numbers::to(1000)).on_progress(tell));
    eventually(SOON, "two chunks", async || stream.len().await.unwrap() == 2).await;
    let reindexes = stream.reindexes();
    assert_eq!(reindexes.pause("numbers").await.unwrap(), ReindexState::Paused);
    let seen = Recorder::default();
    let _search = consume(&stream, "search", &seen);
    // Chunks may be queued before the walk notices, and none after that.
    eventually(SOON, "it notices", async || told.load(Ordering::SeqCst) > 0).await;
    let before = stream.last_id().await.unwrap();
    eventually(SOON, "what was queued is handled", async || stream.lag("search").await.unwrap() == 0).await;
    looks_three_times_more(&told).await;
    assert_eq!((stream.last_id().await.unwrap(), state(&stream).await), (before, Some(ReindexState::Paused)));
    assert!(seen.len() < 1000, "{}", seen.len());
    assert!(!walk.task.is_finished());

    assert_eq!(reindexes.resume("numbers").await.unwrap(), ReindexState::Running);
    assert!(walk.report().await.is_done());
    assert_eq!(seen.payloads(), keys(1..=1000));
    assert_eq!(reindexes.pause("numbers").await.unwrap(), ReindexState::CaughtUp, "it is done");
}

#[tokio::test]
async fn a_consumer_that_is_paused_is_waited_for() {
    let stream = numbers_of("search").await;
    let seen = Recorder::default();
    let _search = consume(&stream, "search", &seen);
    assert!(stream.pause("search", SOON).await.unwrap());
    let walk = Running::start(stream.reindex(Numbers::to(1000)));
    eventually(SOON, "it waits", async || state(&stream).await == Some(ReindexState::WaitingForLag)).await;
    assert_eq!((stream.len().await.unwrap(), seen.len()), (2, 0));
    stream.resume("search").await.unwrap();
    assert!(walk.report().await.is_done());
    assert_eq!(seen.payloads(), keys(1..=1000));
}

#[tokio::test]
async fn a_pause_outlives_the_process() {
    let stream = numbers_of("search").await;
    let first = Running::start(stream.reindex(Numbers::to(1000)));
    eventually(SOON, "two chunks", async || stream.len().await.unwrap() == 2).await;
    stream.reindexes().pause("numbers").await.unwrap();
    first.shutdown.cancel();
    let report = first.report().await;
    assert!(!report.is_done(), "{report:?}");

    let seen = Recorder::default();
    let _search = consume(&stream, "search", &seen);
    let (told, tell) = paused_reports();
    let second = Running::start(stream.reindex(Numbers::to(1000)).on_progress(tell));
    eventually(SOON, "what was queued is handled", async || seen.len() == 2).await;
    looks_three_times_more(&told).await;
    assert_eq!(stream.len().await.unwrap(), 2);
    stream.reindexes().resume("numbers").await.unwrap();
    assert!(second.report().await.is_done());
    assert_eq!(seen.payloads(), keys(1..=1000));
}

#[tokio::test]
async fn an_aborted_walk_ends_and_the_next_one_begins_anew() {
    let stream = numbers_of("search").await;
    let seen = Recorder::default();
    let _search = consume(&stream, "search", &seen);
    let walk = Running::start(stream.reindex(Numbers::to(MANY)));
    eventually(SOON, "some keys", async || seen.len() > 100).await;
    assert_eq!(stream.reindexes().abort("numbers").await.unwrap(), ReindexState::Aborted);
    let report = walk.report().await;
    assert_eq!(report.state, ReindexState::Aborted);
    assert!(report.queued < MANY, "{report:?}");
    assert_eq!(stream.reindexes().resume("numbers").await.unwrap(), ReindexState::Aborted, "it has ended");

    let report = Running::start(stream.reindex(Numbers::to(300))).report().await;
    assert!(report.is_done() && report.queued == 300, "{report:?}");
}

#[tokio::test]
async fn a_walk_without_a_record_is_told() {
    let stream = numbers_of("search").await;
    let reindexes = stream.reindexes();
    for error in [
        reindexes.pause("nmubers").await.unwrap_err(),
        reindexes.resume("nmubers").await.unwrap_err(),
        reindexes.abort("nmubers").await.unwrap_err(),
        reindexes.forget("nmubers").await.unwrap_err(),
    ] {
        assert!(matches!(&error, Error::NoSuchReindex { id, .. } if id == "nmubers"), "{error}");
    }
    assert_eq!(reindexes.list().await.unwrap(), []);
    assert_eq!(reindexes.get("nmubers").await.unwrap(), None);
}

#[tokio::test]
async fn only_the_record_of_a_finished_walk_is_forgotten() {
    let stream = numbers_of("search").await;
    let walk = Running::start(stream.reindex(Numbers::to(1000)));
    eventually(SOON, "two chunks", async || stream.len().await.unwrap() == 2).await;
    assert!(!stream.reindexes().forget("numbers").await.unwrap());
    stream.reindexes().abort("numbers").await.unwrap();
    assert_eq!(walk.report().await.state, ReindexState::Aborted);
    assert!(stream.reindexes().forget("numbers").await.unwrap());
    assert_eq!(stream.reindexes().list().await.unwrap(), []);
}

#[tokio::test]
async fn an_unfinished_walk_of_other_rows_is_not_continued() {
    let stream = numbers_of("search").await;
    let walk = Running::start(stream.reindex(Numbers::to(1000)));
    eventually(SOON, "two chunks", async || stream.len().await.unwrap() == 2).await;
    walk.shutdown.cancel();
    assert_eq!(walk.report().await.queued, 2);
    let filtered = || Numbers::to(10).filter_text("WHERE id < 11");
    let error = stream.reindex(filtered()).run(CancellationToken::new()).await.unwrap_err();
    assert!(matches!(&error, Error::InvalidOption { option: "id", .. }), "{error}");

    let _search = consume(&stream, "search", &Recorder::default());
    assert!(Running::start(stream.reindex(filtered()).id("small")).report().await.is_done());
    let ids: Vec<String> = stream.reindexes().list().await.unwrap().into_iter().map(|record| record.id).collect();
    assert_eq!(ids, ["numbers", "small"]);
}

#[tokio::test]
async fn a_second_run_stands_by_and_returns_the_report_of_the_first() {
    let stream = numbers_of("search").await;
    let seen = Recorder::default();
    let (first, second) =
        (Running::start(stream.reindex(Numbers::to(1000))), Running::start(stream.reindex(Numbers::to(1000))));
    eventually(SOON, "two chunks", async || stream.len().await.unwrap() == 2).await;
    let _search = consume(&stream, "search", &seen);
    let reports = (first.report().await, second.report().await);
    assert_eq!(reports.0, reports.1);
    assert!(reports.0.is_done());
    assert_eq!(seen.payloads(), keys(1..=1000), "each once");
    // One that is asked for after that walks again.
    assert!(Running::start(stream.reindex(Numbers::to(1000))).report().await.is_done());
    assert_eq!(seen.len(), 2000);
}

#[tokio::test]
async fn a_run_that_begins_anew_neither_continues_a_walk_nor_returns_the_report_of_another() {
    let stream = numbers_of("search").await;
    let seen = Recorder::default();
    let first = Running::start(stream.reindex(Numbers::to(1000)));
    eventually(SOON, "two chunks", async || stream.len().await.unwrap() == 2).await;
    let anew = Running::start(stream.reindex(Numbers::to(1000)).anew());
    let _search = consume(&stream, "search", &seen);
    assert!(first.report().await.is_done() && anew.report().await.is_done());
    assert_eq!(seen.len(), 2000, "both walked");

    stream.pause("search", SOON).await.unwrap();
    let left = Running::start(stream.reindex(Numbers::to(1000)));
    eventually(SOON, "two chunks", async || stream.lag("search").await.unwrap() == 2).await;
    left.shutdown.cancel();
    assert!(!left.report().await.is_done());
    stream.resume("search").await.unwrap();
    let anew = Running::start(stream.reindex(Numbers::to(1000)).anew()).report().await;
    assert!(anew.is_done() && anew.queued == 1000, "{anew:?}");
    assert_eq!(seen.len(), 3002);
}

#[tokio::test]
async fn a_standby_continues_what_a_process_left() {
    let stream = numbers_of("search").await;
    let seen = Recorder::default();
    let first = Running::start(stream.reindex(Numbers::to(1000)));
    let recorded = async || stream.reindexes().get("numbers").await.unwrap().is_some_and(|record| record.queued == 2);
    eventually(SOON, "two chunks", recorded).await;
    let second = Running::start(stream.reindex(Numbers::to(1000)));
    first.task.abort();
    let _search = consume(&stream, "search", &seen);
    let report = second.report().await;
    assert!(report.is_done(), "{report:?}");
    assert_eq!(report.queued, 1000, "both chunks were recorded");
    assert_eq!(sorted(seen.payloads()), keys(1..=1000));
}
