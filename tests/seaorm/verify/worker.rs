//! The worker that verifies again and again.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use ::metrics::set_default_local_recorder;
use metrics_util::debugging::{DebugValue, DebuggingRecorder, Snapshotter};
use redstream_seaorm::core::metrics as names;
use redstream_seaorm::{
    CancellationToken, RedstreamExt, Supervisor, Verify, VerifyState, VerifyWorker, Worker, WorkerState,
};
use serde_json::json;

use super::{BOUND, Memory, cities, consume};
use crate::seaorm::city;
use crate::seaorm::world::World;
use crate::support::{TestDb, eventually, raw_redis, redis_url};

fn worker(world: &World, index: &Memory<city::Entity>, every: Duration) -> Arc<VerifyWorker<city::Entity>> {
    let verify = Verify::<city::Entity>::new(&world.redstream, world.plain.clone(), index.clone());
    let verify = verify.consumer("search").repair(true).retry_for(Duration::from_millis(100)).page_size(10);
    Arc::new(verify.every(every).lock_ttl(Duration::from_secs(2)))
}

struct Running {
    stop: CancellationToken,
    task: tokio::task::JoinHandle<redstream_seaorm::core::Result<()>>,
}

impl Running {
    fn start(worker: &Arc<VerifyWorker<city::Entity>>) -> Self {
        let (worker, stop) = (worker.clone(), CancellationToken::new());
        let shutdown = stop.clone();
        Self { stop, task: tokio::spawn(async move { worker.run(shutdown).await }) }
    }

    async fn end(self) {
        self.stop.cancel();
        tokio::time::timeout(BOUND, self.task).await.expect("it ends").unwrap().unwrap();
    }
}

#[tokio::test]
async fn one_host_works_and_another_takes_over() {
    let db = TestDb::sqlite().await;
    let world = World::new(&db).await;
    let index = Memory::of(&cities(&world, 1..=50).await, true);
    let _search = consume(&world, index.clone()).await;
    index.put(7, "old".to_owned());
    let (one, other) =
        (worker(&world, &index, Duration::from_secs(3600)), worker(&world, &index, Duration::from_secs(3600)));
    assert_eq!(one.name(), "verify cities of cities");
    let first = Running::start(&one);
    // Its rate is ten keys a second at least, so that it is at work for seconds.
    eventually(BOUND, "the first at work", async || one.status().unwrap().state() == WorkerState::Working).await;
    let second = Running::start(&other);
    eventually(BOUND, "the second stands by", async || other.status().unwrap().state() == WorkerState::Standby).await;
    first.end().await;
    eventually(BOUND, "a pass of the second", async || other.last().is_some()).await;
    let report = other.last().unwrap();
    assert_eq!((report.stale, report.repaired, report.is_clean()), (1, 1, true), "{report:?}");
    assert!(one.last().is_none());
    second.end().await;
}

#[tokio::test]
async fn it_survives_failures_and_begins_anew() {
    let db = TestDb::sqlite().await;
    let world = World::new(&db).await;
    let index = Memory::of(&cities(&world, 1..=5).await, true);
    let _search = consume(&world, index.clone()).await;
    index.fails.store(u32::MAX, Ordering::SeqCst);
    let worker = worker(&world, &index, Duration::from_millis(200));
    let running = Running::start(&worker);
    eventually(BOUND, "a failure", async || worker.status().unwrap().state() == WorkerState::Failing).await;
    index.fails.store(0, Ordering::SeqCst);
    eventually(BOUND, "a pass", async || worker.last().is_some_and(|report| report.is_clean())).await;
    // A later pass finds what has changed since.
    index.remove(&3);
    eventually(BOUND, "a repair", async || worker.last().is_some_and(|report| report.repaired == 1)).await;
    running.end().await;
}

#[tokio::test]
async fn a_pass_that_cannot_finish_counts_as_failed() {
    let db = TestDb::sqlite().await;
    let world = World::new(&db).await;
    let index = Memory::of(&cities(&world, 1..=5).await, true);
    let search = consume(&world, index.clone()).await;
    drop(search);
    let cities = world.redstream.of::<city::Entity>().unwrap();
    let lock = cities.streams()[0].lock("search", Duration::from_secs(60)).unwrap();
    let held = lock.acquire_within(BOUND).await.unwrap().expect("the consumer has ended");
    index.remove(&3);
    world.redstream.producer().queue(cities.streams()[0].name(), &json!({ "id": 5 })).await.unwrap();
    let verify = Verify::<city::Entity>::new(&world.redstream, world.plain.clone(), index.clone());
    let verify = verify.consumer("search").patience(Duration::from_millis(100));
    let worker = Arc::new(verify.every(Duration::from_secs(3600)));
    let running = Running::start(&worker);
    eventually(BOUND, "a pass", async || worker.last().is_some()).await;
    assert_eq!(worker.last().unwrap().state, VerifyState::NotFinished);
    eventually(BOUND, "a failure", async || worker.status().unwrap().state() == WorkerState::Failing).await;
    held.release().await.unwrap();
    let _search = consume(&world, index.clone()).await;
    let is_done = async || worker.last().is_some_and(|report| report.state == VerifyState::Done);
    eventually(BOUND, "a pass that is begun anew", is_done).await;
    running.end().await;
}

#[tokio::test]
async fn options_that_cannot_work_are_refused_before_it_starts() {
    let db = TestDb::sqlite().await;
    let world = World::new(&db).await;
    let verify =
        || Verify::<city::Entity>::new(&world.redstream, world.plain.clone(), Memory::<city::Entity>::new(true));
    let check = |worker: VerifyWorker<city::Entity>| worker.check().unwrap_err().to_string();
    assert!(check(verify().every(Duration::ZERO)).contains("every"));
    assert!(check(verify().every(BOUND).lock_ttl(Duration::from_millis(1))).contains("lock_ttl"));
    assert!(check(verify().id("two words").every(BOUND)).contains("two words"));
    assert!(Supervisor::new().with(verify().every(Duration::ZERO)).start().is_err());
    assert!(world.redstream.of::<city::Entity>().is_ok());
}

/// The value of the gauge of drift, now.
fn drift(snapshotter: &Snapshotter) -> Option<f64> {
    let metrics = snapshotter.snapshot().into_vec();
    let mut found = metrics.into_iter().filter(|(key, ..)| key.key().name() == names::DRIFT);
    found.next().map(|(_, _, _, value)| match value {
        DebugValue::Gauge(value) => value.into_inner(),
        other => panic!("{other:?}"),
    })
}

#[tokio::test]
async fn what_was_found_counts_until_another_process_takes_over() {
    let recorder = DebuggingRecorder::new();
    // The recorder belongs to the test's thread, on which everything runs.
    let (_guard, snapshotter) = (set_default_local_recorder(&recorder), recorder.snapshotter());
    let db = TestDb::sqlite().await;
    let world = World::new(&db).await;
    let index = Memory::of(&cities(&world, 1..=5).await, true);
    let _search = consume(&world, index.clone()).await;
    index.put(3, "old".to_owned());
    let worker = worker(&world, &index, Duration::from_secs(3600));
    let running = Running::start(&worker);
    eventually(BOUND, "a pass", async || drift(&snapshotter) == Some(1.0)).await;
    // As another process takes it, for longer than the test.
    let lock = format!("{}:redstream:lock:work:cities:verify.cities", world.namespace());
    let set = redis::cmd("SET").arg(&lock).arg("f".repeat(32)).arg("PX").arg(600_000).arg("XX").to_owned();
    let taken: Option<String> = set.query_async(&mut raw_redis(&redis_url()).await).await.unwrap();
    assert!(taken.is_some(), "{lock} is held");
    eventually(BOUND, "the end of the gauge", async || drift(&snapshotter).is_some_and(f64::is_nan)).await;
    assert_eq!(worker.last().unwrap().found(), 1, "the report is there");
    running.end().await;
}
