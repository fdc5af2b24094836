//! Whatever the disk does, the index ends as the changes say.

use std::collections::BTreeMap;

use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};

use super::*;
use crate::support::cut;

const IDS: i64 = 12;

/// One batch: what each key becomes.
type Batch = BTreeMap<i64, Option<String>>;

#[derive(Clone, Copy, Debug)]
enum Fault {
    /// One operation of the disk, after so many that succeed.
    Disk(usize),
    /// The process is killed after so many operations.
    Crash(usize),
    /// The write's future is dropped.
    Dropped,
}

fn batches() -> impl Strategy<Value = Vec<(Batch, Option<Fault>)>> {
    let batch = prop::collection::btree_map(0..IDS, prop::option::weighted(0.7, "[a-z]{1,8}"), 1..8);
    let fault = prop_oneof![
        3 => Just(None),
        2 => (0_usize..30).prop_map(|operations| Some(Fault::Disk(operations))),
        2 => (0_usize..30).prop_map(|operations| Some(Fault::Crash(operations))),
        1 => Just(Some(Fault::Dropped)),
    ];
    prop::collection::vec((batch, fault), 1..8)
}

/// Writes each batch until that succeeds, as a consumer does, and then what a former owner writes late.
async fn run(batches: &[(Batch, Option<Fault>)]) -> Vec<(i64, String)> {
    let mut disk = Disk::default();
    let mut sink = sink_on(&disk);
    for (nth, (batch, fault)) in batches.iter().enumerate() {
        let version = nth as u64 + 1;
        let deletes: Vec<_> = batch.iter().filter(|(_, name)| name.is_none()).map(|(id, _)| *id).collect();
        let upserts = || batch.iter().filter_map(|(id, name)| Some((*id, name.as_deref()?)));
        match fault {
            Some(Fault::Disk(operations)) => disk.fail_after(*operations),
            Some(Fault::Crash(operations)) => {
                disk.fail_after(*operations);
                _ = sink.write(changes(version, upserts(), &deletes)).await;
                disk = disk.crash();
                sink = sink_on(&disk);
            }
            Some(Fault::Dropped) => _ = cut(sink.write(changes(version, upserts(), &deletes)), 1).await,
            None => {}
        }
        let mut attempts = 0;
        while let Err(error) = sink.write(changes(version, upserts(), &deletes)).await {
            attempts += 1;
            assert!(attempts < 3, "{error:?}");
        }
        let late = batch.keys().map(|id| (*id, "late"));
        assert!(sink.write(changes(version - 1, late, &[])).await.is_err());
    }
    documents(&sink)
}

#[test]
fn any_batches_with_any_faults_end_in_the_right_documents() {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let mut runner = TestRunner::new(Config { failure_persistence: None, ..Config::with_cases(20) });
    let held = runner.run(&batches(), |batches| {
        let mut expected = BTreeMap::new();
        for (id, name) in batches.iter().flat_map(|(batch, _)| batch) {
            match name {
                Some(name) => _ = expected.insert(*id, name.clone()),
                None => _ = expected.remove(id),
            }
        }
        prop_assert_eq!(runtime.block_on(run(&batches)), expected.into_iter().collect::<Vec<_>>());
        Ok(())
    });
    held.unwrap_or_else(|error| panic!("{error}"));
}
