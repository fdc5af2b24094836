//! What is read back.

use std::collections::BTreeMap;

use proptest::prelude::*;
use redstream_seaorm::{KeyRange, Scan as _};

use super::*;

/// All documents, page by page.
async fn scanned(sink: &Cities, until: Option<i64>, limit: usize) -> Vec<i64> {
    let mut keys: Vec<Key<city::Entity>> = Vec::new();
    let until = until.map(Key::new);
    loop {
        let range = KeyRange { after: keys.last(), until: until.as_ref() };
        let page = sink.scan(range, limit).await.unwrap();
        assert!(page.len() <= limit);
        let is_last = page.len() < limit;
        keys.extend(page.into_iter().map(|(key, _)| key));
        if is_last {
            return keys.iter().map(Key::value).collect();
        }
    }
}

fn hold<S: Strategy>(strategy: S, mut test: impl FnMut(S::Value)) {
    let config = ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(12) };
    let mut runner = proptest::test_runner::TestRunner::new(config);
    let test = std::cell::RefCell::new(&mut test);
    let held = runner.run(&strategy, |value| {
        (test.borrow_mut())(value);
        Ok(())
    });
    held.unwrap_or_else(|error| panic!("{error}"));
}

#[test]
fn pages_have_all_documents_in_the_order_of_their_keys_and_no_tombstones() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let id = prop_oneof![-20_i64..20, Just(i64::MIN), Just(i64::MAX), any::<i64>()];
    let batch = prop::collection::btree_map(id, any::<bool>(), 1..30);
    let batches = prop::collection::vec(batch, 1..5);
    hold((batches, 1_usize..10, prop::option::of(-20_i64..20)), |(batches, limit, until)| {
        let sink = sink_on(&Disk::default());
        let mut expected = BTreeMap::new();
        for (nth, batch) in batches.into_iter().enumerate() {
            let deletes: Vec<_> = batch.iter().filter(|(_, is_there)| !**is_there).map(|(id, _)| *id).collect();
            let upserts = batch.iter().filter(|(_, is_there)| **is_there).map(|(id, _)| (*id, "Ulm"));
            runtime.block_on(sink.write(changes(nth as u64 + 1, upserts, &deletes))).unwrap();
            expected.extend(batch);
        }
        let expected: Vec<_> = expected
            .into_iter()
            .filter(|(id, is_there)| *is_there && until.is_none_or(|until| *id <= until))
            .map(|(id, _)| id)
            .collect();
        assert_eq!(runtime.block_on(scanned(&sink, until, limit)), expected);
    });
}

#[tokio::test]
async fn a_document_is_current_until_its_record_changes() {
    let sink = sink_on(&Disk::default());
    sink.write(changes(7, [(1, "Ulm"), (2, "Bonn"), (3, "Trier")], &[])).await.unwrap();
    sink.write(changes(8, [], &[3])).await.unwrap();
    let keys = [1, 2, 3, 4].map(Key::new);
    let found = sink.find(&keys).await.unwrap().unwrap();
    assert_eq!(found.iter().map(|(key, _)| key.value()).collect::<Vec<_>>(), [1, 2]);
    let (key, document) = &found[0];
    assert_eq!(document.version, 7);
    let record = |name: &str| city::Model { id: 1, name: name.to_owned() };
    assert!(sink.is_current(key, &record("Ulm"), document).unwrap());
    assert!(!sink.is_current(key, &record("ulm"), document).unwrap());
    assert!(sink.is_current(key, &record("!"), document).is_err());
}
