//! Versions, tombstones, and records that fail one by one.

use serde::{Serialize, Serializer};

use super::*;

#[tokio::test]
async fn an_equal_version_is_taken_and_an_older_one_is_superseded() {
    let place = Place::new().await;
    write(&place.cache, changes(5, [(1, named("Ulm")), (2, named("Bonn"))], &[])).await.unwrap();
    write(&place.cache, changes(5, [(1, named("Ulm again"))], &[])).await.unwrap();
    let (failed, _) = failures_of(write(&place.cache, changes(4, [(1, named("late")), (3, named("new"))], &[2])).await);
    assert_eq!(failed, "2 records were not written, the first of them {\"id\":2}: the datastore has a higher version");
    assert_eq!(place.get(1).await, Some(named("Ulm again")));
    assert_eq!(place.get(2).await, Some(named("Bonn")));
    assert_eq!(place.get(3).await, Some(named("new")), "the others are written");
}

#[tokio::test]
async fn versions_are_compared_as_numbers_of_any_size() {
    let place = Place::new().await;
    for (id, (lower, higher)) in (0..).zip([(9, 10), (99, 100), ((1 << 60) + 1, (1 << 60) + 2), (1, u64::MAX)]) {
        write(&place.cache, changes(lower, [(id, named("old"))], &[])).await.unwrap();
        write(&place.cache, changes(higher, [(id, named("new"))], &[])).await.unwrap();
        let (failed, _) = failures_of(write(&place.cache, changes(lower, [(id, named("old"))], &[])).await);
        assert!(failed.ends_with("higher version"), "{failed}");
        assert_eq!(place.get(id).await, Some(named("new")), "{lower} and {higher}");
    }
}

#[tokio::test]
async fn a_delete_leaves_a_tombstone_that_refuses_an_older_record() {
    let place = Place::new().await;
    write(&place.cache, changes(5, [(1, named("Ulm"))], &[])).await.unwrap();
    write(&place.cache, changes(6, [], &[1, 2])).await.unwrap();
    assert_eq!((place.get(1).await, place.get(2).await), (None, None));
    let late = write(&place.cache, changes(5, [(1, named("late")), (2, named("late"))], &[])).await;
    assert!(failures_of(late).0.starts_with("2 records were not written"));
    assert_eq!(place.get(1).await, None);
    let day = 24 * 60 * 60 * 1000;
    assert!((day - 60_000..=day).contains(&place.ttl(1).await), "{}", place.ttl(1).await);
    write(&place.cache, changes(7, [(1, named("founded again"))], &[])).await.unwrap();
    assert_eq!(place.get(1).await, Some(named("founded again")));
}

/// Which is why documents and tombstones live for a day by default. An evicting sink needs no memory.
#[tokio::test]
async fn what_redis_has_forgotten_cannot_refuse_a_late_write() {
    let place = Place::new().await;
    write(&place.cache, changes(6, [(1, named("new"))], &[])).await.unwrap();
    place.remove(1).await;
    write(&place.cache, changes(5, [(1, named("late"))], &[])).await.unwrap();
    assert_eq!(place.get(1).await, Some(named("late")));
}

#[tokio::test]
async fn keys_of_other_spellings_are_removed_and_keys_that_share_an_entry_keep_the_record() {
    let place = Place::new().await;
    write(&place.cache, changes(1, [(1, named("Ulm")), (2, named("Bonn"))], &[])).await.unwrap();
    let respelled = vec![Key::new(2)];
    write(&place.cache, Changes { respelled, ..changes(2, [(1, named("Ulm"))], &[]) }).await.unwrap();
    assert_eq!((place.get(1).await, place.get(2).await), (Some(named("Ulm")), None));

    let name = place.name.clone();
    let shared = place.cache.clone().entry(move |key| format!("{name}:{}", key.value() % 2));
    let respelled = vec![Key::new(3)];
    write(&shared, Changes { respelled, ..changes(3, [(1, named("Trier"))], &[5]) }).await.unwrap();
    assert_eq!(place.get(1).await, Some(named("Trier")));
}

/// Not every record can be written as JSON.
struct Name(&'static str);

impl Serialize for Name {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if self.0.is_empty() { Err(serde::ser::Error::custom("no name")) } else { serializer.serialize_str(self.0) }
    }
}

#[tokio::test]
async fn a_record_that_does_not_serialize_fails_alone() {
    let place = Place::new().await;
    let client = RedisClient::connect(redis_url()).await.unwrap();
    let sink = WritingSink::new(Cache::<city::Entity, Name>::new(client, &place.name));
    let written = sink.write(changes(1, [(1, Name("Ulm")), (2, Name("")), (3, Name("Bonn"))], &[])).await;
    let (failed, first) = failures_of(written);
    assert_eq!(failed, "the record {\"id\":2} was not written");
    assert!(first.contains(&place.entry(2)), "{first}");
    assert_eq!((place.get(1).await, place.get(3).await), (Some(json!("Ulm")), Some(json!("Bonn"))));
    assert_eq!(place.get(2).await, None);
}

#[tokio::test]
async fn a_key_of_another_type_fails_alone_and_is_evicted_like_any_other() {
    let place = Place::new().await;
    redis::cmd("SET").arg(place.entry(2)).arg("text").exec_async(&mut place.raw.clone()).await.unwrap();
    let written = write(&place.cache, changes(1, [(1, named("Ulm")), (2, named("Bonn")), (3, named("Trier"))], &[]));
    let (failed, first) = failures_of(written.await);
    assert_eq!(failed, "the record {\"id\":2} was not written");
    assert!(first.contains("no entry of a cache"), "{first}");
    assert_eq!((place.get(1).await, place.get(3).await), (Some(named("Ulm")), Some(named("Trier"))));
    evict(&place.cache, &[2]).await.unwrap();
    write(&place.cache, changes(1, [(2, named("Bonn"))], &[])).await.unwrap();
    assert_eq!(place.get(2).await, Some(named("Bonn")));
}

#[tokio::test]
async fn entries_that_are_written_together_do_not_expire_together() {
    let place = Place::new().await;
    let cache = place.cache.clone().ttl(Duration::from_secs(1000)).jitter(0.5).max_keys(7);
    write(&cache, changes(1, (0..50).map(|id| (id, named("city"))), &[])).await.unwrap();
    let mut ttls = Vec::new();
    for id in 0..50 {
        ttls.push(place.ttl(id).await);
    }
    assert!(ttls.iter().all(|ttl| (900_000..=1_500_000).contains(ttl)), "{ttls:?}");
    let (shortest, longest) = (ttls.iter().min().unwrap(), ttls.iter().max().unwrap());
    assert!(longest - shortest > 250_000, "{ttls:?}");
}
