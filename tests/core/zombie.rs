//! The paused former owner: it wakes up late and believes that it still holds the lock. Its commit is refused by the
//! lock, its writes by their version. Each story is told twice: as the rules have it, and with a rule left out, which
//! shows that the harm is real and that the rule is what prevents it.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use redis::aio::MultiplexedConnection;
use redstream_core::{
    Batch, CancellationToken, Consumer, Error, Handler, HandlerError, MessageId, Progress, Redstream, Start, Stream,
    Trimmed,
};
use serde_json::json;
use tokio::sync::Notify;

use super::SOON;
use super::recorder::Recorder;
use crate::support::{eventually, namespace, raw_redis, redis_url, redstream_at};

/// No renewal comes within a test: a paused process renews nothing.
const TTL: Duration = Duration::from_secs(60);

const KEY: u64 = 1;

/// The primary database: what is true.
#[derive(Clone, Default)]
struct Primary(Arc<Mutex<BTreeMap<u64, &'static str>>>);

impl Primary {
    fn commit(&self, value: &'static str) {
        self.0.lock().unwrap().insert(KEY, value);
    }

    fn delete(&self) {
        self.0.lock().unwrap().remove(&KEY);
    }

    fn read(&self) -> Option<&'static str> {
        self.0.lock().unwrap().get(&KEY).copied()
    }
}

/// Its version, and the value; `None` for a tombstone.
type Record = (u64, Option<&'static str>);

/// The secondary datastore. It accepts an equal version and refuses an older one; what is deleted leaves a
/// tombstone with its version.
#[derive(Clone)]
struct Sink {
    records: Arc<Mutex<BTreeMap<u64, Record>>>,
    refused: Arc<AtomicUsize>,
    versioned: bool,
}

impl Sink {
    fn new(versioned: bool) -> Self {
        Self { records: Arc::default(), refused: Arc::default(), versioned }
    }

    /// Whether it was accepted.
    fn write(&self, version: u64, value: Option<&'static str>) -> bool {
        let mut records = self.records.lock().unwrap();
        if self.versioned && records.get(&KEY).is_some_and(|(stored, _)| version < *stored) {
            self.refused.fetch_add(1, Ordering::SeqCst);
            return false;
        }
        records.insert(KEY, (version, value));
        true
    }

    fn forget_tombstones(&self) {
        self.records.lock().unwrap().retain(|_, (_, value)| value.is_some());
    }

    fn value(&self) -> Option<&'static str> {
        self.records.lock().unwrap().get(&KEY).and_then(|(_, value)| *value)
    }
}

/// Where its versions come from.
#[derive(Clone)]
enum Versions {
    /// As the library gives them.
    Batch,
    /// The clock of Redis alone.
    Clock(MultiplexedConnection),
    /// One that was asked for before the batch had arrived.
    Early(u64),
}

/// Takes a version, reads the row, and writes it; where it is held, it stops for a while just before the write.
#[derive(Clone)]
struct Carrier {
    primary: Primary,
    sink: Sink,
    versions: Versions,
    hold: Option<Hold>,
}

#[derive(Clone, Default)]
struct Hold {
    reached: Arc<Notify>,
    go_on: Arc<Notify>,
}

#[async_trait]
impl Handler for Carrier {
    async fn handle(&self, batch: Batch) -> Result<(), HandlerError> {
        let version = match &self.versions {
            Versions::Batch => batch.version().await?,
            Versions::Clock(raw) => clock(&mut raw.clone()).await,
            Versions::Early(version) => *version,
        };
        let row = self.primary.read();
        if let Some(hold) = &self.hold {
            hold.reached.notify_one();
            hold.go_on.notified().await;
        }
        if self.sink.write(version, row) {
            Ok(())
        } else {
            Err(HandlerError::new("refused: a newer version stands there"))
        }
    }
}

/// Microseconds.
async fn clock(raw: &mut MultiplexedConnection) -> u64 {
    let (seconds, micros): (u64, u64) = redis::cmd("TIME").query_async(raw).await.unwrap();
    seconds * 1_000_000 + micros
}

/// One Redis, one primary, one sink, and the consumer `search` of as many hosts as it takes.
struct Stage {
    namespace: String,
    redstream: Redstream,
    products: Stream,
    raw: MultiplexedConnection,
    primary: Primary,
    sink: Sink,
}

impl Stage {
    async fn new(versioned: bool) -> Self {
        let namespace = namespace();
        let redstream = redstream_at(&redis_url(), &namespace).await;
        let products = redstream.stream("products").unwrap();
        let raw = raw_redis(&redis_url()).await;
        Self { namespace, redstream, products, raw, primary: Primary::default(), sink: Sink::new(versioned) }
    }

    fn key(&self, rest: &str) -> String {
        format!("{}:redstream:{rest}", self.namespace)
    }

    async fn announce(&self) -> MessageId {
        self.redstream.producer().queue(self.products.name(), &json!({ "id": KEY })).await.unwrap()
    }

    fn carrier(&self) -> Carrier {
        Carrier { primary: self.primary.clone(), sink: self.sink.clone(), versions: Versions::Batch, hold: None }
    }

    /// A host: handles of its own, so that it shares nothing with the others but Redis.
    async fn host(&self, handler: impl Handler) -> Consumer {
        let products = redstream_at(&redis_url(), &self.namespace).await.stream("products").unwrap();
        products.consumer("search", handler).lock_ttl(TTL).backoff(Duration::from_millis(5), Duration::from_millis(20))
    }

    /// A host that has read the row and pauses just before it writes. Ends with what `run_once` says.
    async fn zombie(&self) -> (Hold, tokio::task::JoinHandle<redstream_core::Result<Progress>>) {
        let hold = Hold::default();
        let consumer = self.host(Carrier { hold: Some(hold.clone()), ..self.carrier() }).await;
        let running = tokio::spawn(async move { consumer.run_once().await });
        within(hold.reached.notified()).await;
        (hold, running)
    }

    /// As expiry does.
    async fn take_the_lock_away(&mut self) {
        let key = self.key("lock:consumer:products:search");
        let taken: u8 = redis::cmd("DEL").arg(key).query_async(&mut self.raw).await.unwrap();
        assert_eq!(taken, 1, "it was held");
    }

    async fn offset(&self) -> Option<MessageId> {
        self.products.offsets().get("search").await.unwrap()
    }
}

async fn within<T>(work: impl Future<Output = T>) -> T {
    tokio::time::timeout(SOON, work).await.expect("in time")
}

/// Z reads v0 and pauses; v1 is committed, and N writes it; Z writes late. What the sink has in the end.
async fn a_late_write(versioned: bool) -> Option<&'static str> {
    let mut stage = Stage::new(versioned).await;
    stage.primary.commit("v0");
    stage.announce().await;
    let (hold, zombie) = stage.zombie().await;
    stage.take_the_lock_away().await;
    stage.primary.commit("v1");
    let last = stage.announce().await;

    assert_eq!(stage.host(stage.carrier()).await.run_once().await.unwrap(), Progress::Handled(2));
    assert_eq!(stage.sink.value(), Some("v1"));
    hold.go_on.notify_one();
    let error = within(zombie).await.unwrap().unwrap_err();
    if versioned {
        assert!(matches!(error, Error::Handler { .. }), "its write is refused: {error}");
    } else {
        assert!(matches!(error, Error::LockLost { .. }), "only its commit is refused: {error}");
    }
    assert_eq!(stage.offset().await, Some(last));
    stage.sink.value()
}

#[tokio::test]
async fn a_late_write_of_a_former_owner_is_refused_by_its_version() {
    assert_eq!(a_late_write(true).await, Some("v1"));
}

#[tokio::test]
async fn without_versions_a_late_write_leaves_the_sink_stale() {
    assert_eq!(a_late_write(false).await, Some("v0"));
}

#[tokio::test]
async fn a_former_owner_that_was_refused_stands_by_and_takes_over_again() {
    let mut stage = Stage::new(true).await;
    stage.primary.commit("v0");
    stage.announce().await;
    let hold = Hold::default();
    let zombie = stage.host(Carrier { hold: Some(hold.clone()), ..stage.carrier() }).await;
    let shutdown = CancellationToken::new();
    let token = shutdown.clone();
    let running = tokio::spawn(async move { zombie.run(token).await });
    within(hold.reached.notified()).await;
    stage.take_the_lock_away().await;
    stage.primary.commit("v1");
    stage.announce().await;
    stage.host(stage.carrier()).await.run_once().await.unwrap();

    // It wakes up, is refused, learns that it lost the lock, takes it anew, and finds nothing left to do.
    hold.go_on.notify_one();
    stage.primary.commit("v2");
    let last = stage.announce().await;
    eventually(SOON, "the newest row in the sink", async || {
        hold.go_on.notify_one();
        stage.offset().await == Some(last)
    })
    .await;
    assert_eq!(stage.sink.value(), Some("v2"));
    shutdown.cancel();
    within(running).await.unwrap().unwrap();
}

/// N holds the lock and waits for messages. A rival that does not know that it lost it writes v1 meanwhile, with a
/// version of that moment. v2 is committed, and N carries it. What the sink has in the end.
async fn a_rival_while_the_owner_waits(early: bool) -> Option<&'static str> {
    let mut stage = Stage::new(true).await;
    stage.primary.commit("v0");
    stage.announce().await;
    let versions = if early { Versions::Early(clock(&mut stage.raw).await) } else { Versions::Batch };
    let owner = stage.host(Carrier { versions, ..stage.carrier() }).await;
    let shutdown = CancellationToken::new();
    let token = shutdown.clone();
    let running = tokio::spawn(async move { owner.run(token).await });
    // It has handled one batch, whose commit brought a version; that one is too old for the next batch.
    eventually(SOON, "the owner to wait", async || stage.products.lag("search").await.unwrap() == 0).await;

    stage.primary.commit("v1");
    let rival = clock(&mut stage.raw).await;
    assert!(stage.sink.write(rival, stage.primary.read()));
    stage.primary.commit("v2");
    stage.announce().await;
    if early {
        // For as long as it insists on its version.
        eventually(SOON, "the owner to be refused", async || stage.sink.refused.load(Ordering::SeqCst) > 1).await;
    } else {
        eventually(SOON, "the second message", async || stage.products.lag("search").await.unwrap() == 0).await;
    }
    shutdown.cancel();
    within(running).await.unwrap().unwrap();
    stage.sink.value()
}

#[tokio::test]
async fn a_version_is_newer_than_what_a_rival_wrote_before_the_batch_arrived() {
    assert_eq!(a_rival_while_the_owner_waits(false).await, Some("v2"));
}

#[tokio::test]
async fn a_version_from_before_the_batch_arrived_would_lose_to_the_rival() {
    assert_eq!(a_rival_while_the_owner_waits(true).await, Some("v1"));
}

/// The owner writes; the clock of Redis steps back by an hour; the next row comes. What the sink has in the end.
async fn a_clock_that_steps_back(by_the_clock_alone: bool) -> Option<&'static str> {
    let mut stage = Stage::new(true).await;
    // To the scripts a version that was issued in the future is the same as a clock that was set back since.
    let hour = Duration::from_secs(3600).as_micros().try_into().unwrap_or(u64::MAX);
    let ahead = clock(&mut stage.raw).await + hour;
    let key = stage.key("version:products:search");
    let () = redis::cmd("SET").arg(key).arg(ahead).query_async(&mut stage.raw).await.unwrap();
    stage.primary.commit("v1");
    stage.announce().await;
    stage.host(stage.carrier()).await.run_once().await.unwrap();
    assert_eq!(stage.sink.value(), Some("v1"));
    assert!(!stage.sink.write(ahead, None), "its version is ahead of the clock");

    stage.primary.commit("v2");
    stage.announce().await;
    let versions = if by_the_clock_alone { Versions::Clock(stage.raw.clone()) } else { Versions::Batch };
    let outcome = stage.host(Carrier { versions, ..stage.carrier() }).await.run_once().await;
    assert_eq!(outcome.is_err(), by_the_clock_alone, "{outcome:?}");
    stage.sink.value()
}

#[tokio::test]
async fn the_row_after_a_step_back_of_the_clock_is_accepted() {
    assert_eq!(a_clock_that_steps_back(false).await, Some("v2"));
}

#[tokio::test]
async fn by_the_clock_alone_the_row_after_a_step_back_would_be_refused() {
    assert_eq!(a_clock_that_steps_back(true).await, Some("v1"));
}

/// Z reads v1 and pauses; the row is deleted, and N carries that; Z writes late. What the sink has in the end.
async fn a_late_upsert_of_a_deleted_row(forgets: bool) -> Option<&'static str> {
    let mut stage = Stage::new(true).await;
    stage.primary.commit("v1");
    stage.announce().await;
    let (hold, zombie) = stage.zombie().await;
    stage.take_the_lock_away().await;
    stage.primary.delete();
    stage.announce().await;
    stage.host(stage.carrier()).await.run_once().await.unwrap();
    assert_eq!(stage.sink.value(), None);
    if forgets {
        stage.sink.forget_tombstones();
    }
    hold.go_on.notify_one();
    within(zombie).await.unwrap().unwrap_err();
    stage.sink.value()
}

#[tokio::test]
async fn a_tombstone_refuses_the_late_upsert_of_a_deleted_row() {
    assert_eq!(a_late_upsert_of_a_deleted_row(false).await, None);
}

/// Not a wish but a warning: a tombstone must outlive the longest pause of a process.
#[tokio::test]
async fn a_sink_that_forgot_its_tombstone_brings_a_deleted_row_back() {
    assert_eq!(a_late_upsert_of_a_deleted_row(true).await, Some("v1"));
}

/// A has handled two messages and not committed yet; somebody rewinds to the beginning; A goes on to commit; the
/// trimmer sweeps. How many messages are left to be handled again.
async fn a_rewind_under_an_owner(plain: bool) -> u64 {
    let mut stage = Stage::new(true).await;
    stage.primary.commit("v1");
    stage.announce().await;
    stage.announce().await;
    let (hold, owner) = stage.zombie().await;
    if plain {
        let key = stage.key("offset:products:search");
        let () = redis::cmd("SET").arg(key).arg("0-0").query_async(&mut stage.raw).await.unwrap();
    } else {
        assert_eq!(stage.products.rewind("search", Start::Earliest).await.unwrap(), MessageId::MIN);
    }
    hold.go_on.notify_one();
    let outcome = within(owner).await.unwrap();
    if plain {
        assert_eq!(outcome.unwrap(), Progress::Handled(2));
    } else {
        assert!(matches!(outcome, Err(Error::LockLost { .. })), "{outcome:?}");
    }
    let trimmed = stage.products.trimmer().run_once().await.unwrap();
    assert_eq!(trimmed, Trimmed::Removed(if plain { 2 } else { 0 }));
    stage.products.lag("search").await.unwrap()
}

#[tokio::test]
async fn a_rewind_is_not_undone_by_the_owner_at_work() {
    assert_eq!(a_rewind_under_an_owner(false).await, 2);
}

#[tokio::test]
async fn a_rewind_that_only_set_the_offset_would_be_undone_and_trimmed() {
    assert_eq!(a_rewind_under_an_owner(true).await, 0);
}

#[tokio::test]
async fn a_pause_that_comes_after_the_look_and_before_the_lock_still_holds() {
    let mut stage = Stage::new(true).await;
    stage.announce().await;
    stage.products.register("search", Start::Earliest).await.unwrap();
    assert!(!stage.products.is_paused("search").await.unwrap(), "what a client would have seen");
    assert!(stage.products.pause("search", SOON).await.unwrap(), "complete: the lock is free");

    let seen = Recorder::default();
    let error = stage.host(seen.clone()).await.run_once().await.unwrap_err();
    assert!(matches!(error, Error::Paused { .. }), "{error}");
    assert_eq!(seen.len(), 0);

    // The rule left out: a client that trusts its look and takes the lock by itself is at work during the pause.
    let lock = stage.key("lock:consumer:products:search");
    let set = redis::cmd("SET").arg(lock).arg("f".repeat(32)).arg("NX").arg("PX").arg(60_000).to_owned();
    let taken: Option<String> = set.query_async(&mut stage.raw).await.unwrap();
    assert_eq!(taken.as_deref(), Some("OK"));
}

#[tokio::test]
async fn a_pause_while_a_batch_is_at_work_refuses_its_commit_and_the_batch_comes_again() {
    let stage = Stage::new(true).await;
    stage.primary.commit("v1");
    stage.announce().await;
    let (hold, owner) = stage.zombie().await;
    assert!(!stage.products.pause("search", Duration::from_millis(1)).await.unwrap(), "not at rest yet");
    hold.go_on.notify_one();
    let error = within(owner).await.unwrap().unwrap_err();
    assert!(matches!(error, Error::Paused { .. }), "{error}");
    assert!(stage.products.pause("search", SOON).await.unwrap(), "at rest");
    assert_eq!(stage.offset().await, None);

    stage.products.resume("search").await.unwrap();
    assert_eq!(stage.host(stage.carrier()).await.run_once().await.unwrap(), Progress::Handled(1));
}

#[tokio::test]
async fn a_version_asked_for_after_the_lock_was_lost_is_refused() {
    let mut stage = Stage::new(true).await;
    stage.announce().await;
    let hold = Hold::default();
    let told = Arc::new(Mutex::new(None));
    let handler = {
        let (hold, told) = (hold.clone(), told.clone());
        move |batch: Batch| {
            let (hold, told) = (hold.clone(), told.clone());
            async move {
                hold.reached.notify_one();
                hold.go_on.notified().await;
                let version = batch.version().await;
                *told.lock().unwrap() = Some(matches!(version, Err(Error::LockLost { .. })));
                version?;
                Ok(())
            }
        }
    };
    let zombie = stage.host(handler).await;
    let running = tokio::spawn(async move { zombie.run_once().await });
    within(hold.reached.notified()).await;
    stage.take_the_lock_away().await;
    let owner = stage.host(Recorder::default()).await;
    assert_eq!(owner.run_once().await.unwrap(), Progress::Handled(1));

    hold.go_on.notify_one();
    within(running).await.unwrap().unwrap_err();
    assert_eq!(*told.lock().unwrap(), Some(true), "LockLost");
}
