//! From a saved row to an entry.

use metrics_util::debugging::{DebugValue, DebuggingRecorder};
use redstream_seaorm::{Handler, Indexer};
use redstream_sinks::cache::{KeysOnly, metrics as names};
use sea_orm::{DatabaseConnection, EntityTrait, ModelTrait};

use super::*;
use crate::sinks::flow::Flow;

type Models = Cache<city::Entity, city::Model>;

/// A cache of cities behind a consumer of them.
struct Cached {
    flow: Flow,
    cache: Models,
}

impl Cached {
    async fn new<H: Handler>(handler: impl FnOnce(DatabaseConnection, Models) -> H) -> Self {
        let client = RedisClient::connect(redis_url()).await.unwrap();
        let cache = Models::new(client, namespace()).patience(SOON);
        let flow = Flow::with(|db| handler(db, cache.clone())).await;
        Self { flow, cache }
    }

    /// As an application reads.
    async fn read(&self, id: i64) -> Option<String> {
        let load = async || city::Entity::find_by_id(id).one(&self.flow.db).await;
        self.cache.get_or_load(&Key::new(id), load).await.unwrap().map(|city| city.name)
    }

    async fn cached(&self, id: i64) -> Option<String> {
        self.cache.get(&Key::new(id)).await.unwrap().map(|city| city.name)
    }
}

#[tokio::test]
async fn a_change_evicts_what_was_cached() {
    let cached = Cached::new(|db, cache| Indexer::with_loader(db, KeysOnly, EvictingSink::new(cache))).await;
    let ulm = cached.flow.save("Ulm").await;
    cached.flow.run().await;
    assert_eq!(cached.cached(ulm.id).await, None, "an evicting sink writes nothing");
    assert_eq!(cached.read(ulm.id).await.as_deref(), Some("Ulm"));
    cached.flow.rename(&ulm, "Ulm on the Danube").await;
    assert_eq!(cached.read(ulm.id).await.as_deref(), Some("Ulm"), "until the consumer has handled the change");
    cached.flow.run().await;
    assert_eq!(cached.read(ulm.id).await.as_deref(), Some("Ulm on the Danube"));
    ulm.clone().delete(&cached.flow.db).await.unwrap();
    cached.flow.run().await;
    assert_eq!(cached.read(ulm.id).await, None);
}

#[tokio::test]
async fn a_change_writes_the_record_and_a_delete_removes_it() {
    let cached = Cached::new(|db, cache| Indexer::new(db, WritingSink::new(cache))).await;
    let ulm = cached.flow.save("Ulm").await;
    cached.flow.run().await;
    assert_eq!(cached.cached(ulm.id).await.as_deref(), Some("Ulm"));
    cached.flow.rename(&ulm, "Ulm on the Danube").await;
    cached.flow.run().await;
    assert_eq!(cached.cached(ulm.id).await.as_deref(), Some("Ulm on the Danube"));
    ulm.clone().delete(&cached.flow.db).await.unwrap();
    cached.flow.run().await;
    assert_eq!(cached.cached(ulm.id).await, None);
}

#[tokio::test]
async fn a_clock_that_stepped_back_loses_no_change() {
    let cached = Cached::new(|db, cache| Indexer::new(db, WritingSink::new(cache))).await;
    let once = city::Model { id: 1, name: "once".to_owned() };
    // In a hundred years, as a clock that was wrong said once.
    let ahead = 4_900_000_000_000_000;
    WritingSink::new(cached.cache.clone()).write(changes(ahead, [(1, once)], &[])).await.unwrap();
    assert_eq!(cached.flow.save("Ulm").await.id, 1);
    cached.flow.run().await;
    assert_eq!(cached.cached(1).await.as_deref(), Some("Ulm"));
}

/// The recorder belongs to the test's thread, on which everything runs.
#[tokio::test]
async fn metrics_count_entries_reads_and_fills() {
    let recorder = DebuggingRecorder::new();
    let _guard = ::metrics::set_default_local_recorder(&recorder);
    let place = Place::new().await;
    write(&place.cache, changes(5, [(1, named("Ulm"))], &[2])).await.unwrap();
    write(&place.cache, changes(4, [(1, named("late"))], &[])).await.unwrap_err();
    evict(&place.cache, &[1, 2, 3]).await.unwrap();
    place.fill(1, named("Ulm")).await;
    place.get(1).await;
    let metrics = recorder.snapshotter().snapshot().into_vec();
    let read = |name: &str, outcome: &str| {
        let is_it = |key: &::metrics::Key| key.name() == name && key.labels().any(|label| label.value() == outcome);
        let found = metrics.iter().find(|(key, ..)| is_it(key.key())).map(|(.., value)| value);
        let Some(DebugValue::Counter(count)) = found else { panic!("{name} {outcome} is missing") };
        *count
    };
    for (outcome, count) in [("written", 1), ("deleted", 1), ("superseded", 1), ("evicted", 3)] {
        assert_eq!(read(names::ENTRIES, outcome), count, "{outcome}");
    }
    assert_eq!([read(names::READS, "miss"), read(names::READS, "hit"), read(names::FILLS, "filled")], [1, 1, 1]);
}
