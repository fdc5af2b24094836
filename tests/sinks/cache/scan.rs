//! Reading a cache back.

use redstream_seaorm::{KeyRange, Scan};

use super::*;

async fn page(cache: &Cities, after: Option<i64>, limit: usize) -> Vec<i64> {
    let after = after.map(Key::new);
    let range = KeyRange { after: after.as_ref(), until: None };
    cache.scan(range, limit).await.unwrap().into_iter().map(|(key, _)| key.value()).collect()
}

#[tokio::test]
async fn pages_have_each_document_once_and_no_tombstones_or_leases() {
    let place = Place::new().await;
    let ids = (0..120_i64).filter(|id| id % 3 != 0);
    write(&place.cache, changes(5, ids.clone().map(|id| (id, json!(id))), &[0, 3, 6, 9])).await.unwrap();
    let Ok(None) = place.cache.get_or_load(&Key::new(12), async || Ok::<_, Infallible>(None)).await else { panic!() };
    // Of another cache.
    redis::cmd("HSET")
        .arg(format!("{}x:1", place.name))
        .arg("document")
        .arg("1")
        .exec_async(&mut place.raw.clone())
        .await
        .unwrap();
    for limit in [1, 7, 1000] {
        let (mut found, mut after) = (Vec::new(), None);
        loop {
            let page = page(&place.cache, after, limit).await;
            assert!(page.len() <= limit);
            let is_last = page.len() < limit;
            after = page.last().copied().or(after);
            found.extend(page);
            if is_last {
                break;
            }
        }
        found.sort_unstable();
        assert_eq!(found, ids.clone().collect::<Vec<_>>(), "{limit}");
    }
}

#[tokio::test]
async fn documents_are_found_by_key_and_compared() {
    let place = Place::new().await;
    let sink = WritingSink::new(place.cache.clone());
    write(&place.cache, changes(5, [(1, named("Ulm")), (2, named("Bonn"))], &[3])).await.unwrap();
    let mut found = sink.find(&[1, 2, 3, 4].map(Key::new)).await.unwrap().unwrap();
    found.sort_by_key(|(key, _)| key.value());
    assert_eq!(found, [(Key::new(1), named("Ulm")), (Key::new(2), named("Bonn"))]);
    assert!(sink.is_current(&Key::new(1), &named("Ulm"), &found[0].1).unwrap());
    assert!(!sink.is_current(&Key::new(1), &named("Trier"), &found[0].1).unwrap());
}

#[tokio::test]
async fn a_key_that_is_no_entry_and_entries_of_ones_own_cannot_be_scanned() {
    let place = Place::new().await;
    let range = || KeyRange { after: None, until: None };
    redis::cmd("HSET")
        .arg(format!("{}:x", place.name))
        .arg("document")
        .arg("1")
        .exec_async(&mut place.raw.clone())
        .await
        .unwrap();
    let error = WritingSink::new(place.cache.clone()).scan(range(), 10).await.unwrap_err();
    assert!(matches!(error.source().downcast_ref(), Some(Error::ForeignKey { .. })), "{error:?}");
    let own = place.cache.clone().entry(|key| format!("city-{}", key.value()));
    let error = WritingSink::new(own).scan(range(), 10).await.unwrap_err();
    assert!(matches!(error.source().downcast_ref(), Some(Error::NoScan { .. })), "{error:?}");
}
