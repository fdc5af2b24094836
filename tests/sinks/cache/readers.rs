//! Readers, alone and against the sinks.

use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use super::*;
use crate::support::eventually;

/// A reader that is loading, and what lets it go on.
struct Loading {
    go: oneshot::Sender<Json>,
    reader: JoinHandle<Option<Json>>,
}

impl Loading {
    /// Begins to read, up to the load.
    async fn begin(cache: &Cities, id: i64) -> Self {
        let (began, begun) = oneshot::channel();
        let (go, gone) = oneshot::channel();
        let cache = cache.clone();
        let reader = tokio::spawn(async move {
            let load = async || {
                began.send(()).unwrap();
                Ok::<_, Infallible>(Some(gone.await.unwrap()))
            };
            let Ok(found) = cache.get_or_load(&Key::new(id), load).await;
            found
        });
        begun.await.unwrap();
        Self { go, reader }
    }

    async fn end(self, loaded: Json) {
        self.go.send(loaded.clone()).unwrap();
        assert_eq!(self.reader.await.unwrap(), Some(loaded), "what was loaded is returned in any case");
    }
}

#[tokio::test]
async fn a_miss_is_loaded_once_and_then_read_until_it_is_evicted() {
    let place = Place::new().await;
    let loads = AtomicUsize::new(0);
    let read = async || {
        let load = async || {
            let nth = loads.fetch_add(1, Ordering::SeqCst);
            Ok::<_, Infallible>(Some(json!(nth)))
        };
        let Ok(found) = place.cache.get_or_load(&Key::new(1), load).await;
        found
    };
    assert_eq!(place.get(1).await, None);
    assert_eq!((read().await, read().await), (Some(json!(0)), Some(json!(0))));
    assert_eq!(place.fields(1).await, ["document"]);
    evict(&place.cache, &[1, 2]).await.unwrap();
    assert_eq!((read().await, read().await), (Some(json!(1)), Some(json!(1))));
}

#[tokio::test]
async fn what_was_loaded_before_the_eviction_does_not_get_into_the_cache() {
    let place = Place::new().await;
    let reader = Loading::begin(&place.cache, 1).await;
    evict(&place.cache, &[1]).await.unwrap();
    reader.end(named("old")).await;
    assert_eq!(place.get(1).await, None);

    // Nor does it if another reader has a lease by then, or has filled the entry.
    let late = Loading::begin(&place.cache, 1).await;
    evict(&place.cache, &[1]).await.unwrap();
    let next = Loading::begin(&place.cache, 1).await;
    late.end(named("old")).await;
    assert_eq!(place.get(1).await, None);
    next.end(named("new")).await;
    assert_eq!(place.get(1).await, Some(named("new")));
}

#[tokio::test]
async fn what_was_loaded_before_the_write_does_not_get_into_the_cache() {
    let place = Place::new().await;
    let reader = Loading::begin(&place.cache, 1).await;
    write(&place.cache, changes(5, [(1, named("new"))], &[])).await.unwrap();
    reader.end(named("old")).await;
    assert_eq!(place.get(1).await, Some(named("new")));

    place.remove(1).await;
    let reader = Loading::begin(&place.cache, 1).await;
    write(&place.cache, changes(6, [], &[1])).await.unwrap();
    reader.end(named("old")).await;
    assert_eq!(place.get(1).await, None);
}

#[tokio::test]
async fn a_fill_over_a_tombstone_keeps_its_version_and_a_lease_its_time() {
    let place = Place::new().await;
    write(&place.cache, changes(6, [], &[1])).await.unwrap();
    let reader = Loading::begin(&place.cache, 1).await;
    assert!(place.ttl(1).await > 1_000_000, "the tombstone lives as long as before");
    reader.end(named("founded again")).await;
    assert_eq!(place.get(1).await, Some(named("founded again")));
    failures_of(write(&place.cache, changes(5, [(1, named("late"))], &[])).await);
    assert_eq!(place.get(1).await, Some(named("founded again")));
}

#[tokio::test]
async fn readers_at_once_share_a_lease_and_one_of_them_fills() {
    let place = Place::new().await;
    let [first, second] = [Loading::begin(&place.cache, 1).await, Loading::begin(&place.cache, 1).await];
    second.end(named("Ulm")).await;
    first.end(named("Ulm, loaded later")).await;
    assert_eq!(place.get(1).await, Some(named("Ulm")));
}

#[tokio::test]
async fn a_lease_that_expired_fills_nothing() {
    let place = Place::new().await;
    let reader = Loading::begin(&place.cache.clone().lease(Duration::from_millis(1)), 1).await;
    eventually(SOON, "the lease to expire", async || place.ttl(1).await == -2).await;
    reader.end(named("slow")).await;
    assert_eq!(place.get(1).await, None);
}

#[tokio::test]
async fn a_record_that_does_not_exist_and_a_loader_that_fails_fill_nothing() {
    let place = Place::new().await;
    let Ok(none) = place.cache.get_or_load(&Key::new(1), async || Ok::<_, Infallible>(None)).await;
    assert_eq!(none, None);
    let failed = place.cache.get_or_load(&Key::new(1), async || Err("no database")).await;
    assert_eq!(failed, Err("no database"));
    assert_eq!(place.fill(1, named("Ulm")).await, Some(named("Ulm")), "the lease is still there");
    assert_eq!(place.get(1).await, Some(named("Ulm")));
}

#[tokio::test]
async fn a_document_of_another_type_is_loaded_anew() {
    let place = Place::new().await;
    place.fill(1, named("Ulm")).await;
    let client = RedisClient::connect(redis_url()).await.unwrap();
    let cache = Cache::<city::Entity, city::Model>::new(client, &place.name).patience(SOON);
    let error = cache.get(&Key::new(1)).await.unwrap_err();
    assert!(matches!(&error, Error::Unreadable { entry, .. } if *entry == place.entry(1)), "{error}");
    let ulm = city::Model { id: 1, name: "Ulm".to_owned() };
    let Ok(loaded) = cache.get_or_load(&Key::new(1), async || Ok::<_, Infallible>(Some(ulm.clone()))).await;
    assert_eq!(loaded, Some(ulm.clone()));
    assert_eq!(cache.get(&Key::new(1)).await.unwrap(), Some(ulm));
}
