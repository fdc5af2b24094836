//! Whatever is dropped, refused or late, the table ends as the changes say.

use std::collections::BTreeMap;

use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};

use super::*;
use crate::support::{Backend, cut};

const IDS: i64 = 8;

/// One batch: what each key becomes; and after how many polls its first attempt is dropped.
type Batch = (BTreeMap<i64, Option<String>>, Option<usize>);

fn batches() -> impl Strategy<Value = Vec<Batch>> {
    let name =
        prop_oneof![5 => "[a-z]{1,8}", 1 => Just("!".to_owned()), 1 => Just("longer than the column".to_owned())];
    let batch = prop::collection::btree_map(0..IDS, prop::option::weighted(0.7, name), 1..6);
    prop::collection::vec((batch, prop::option::of(1_usize..15)), 1..6)
}

/// What becomes of the rows: a record that has none, or is refused, changes nothing.
fn expected(batches: &[Batch], backend: Backend) -> Vec<(i64, String)> {
    let mut expected = BTreeMap::new();
    for (id, name) in batches.iter().flat_map(|(batch, _)| batch) {
        match name {
            Some(name) if is_good(name, backend) => _ = expected.insert(*id, labelled(*id, name)),
            Some(_) => {}
            None => _ = expected.remove(id),
        }
    }
    expected.into_iter().collect()
}

/// SQLite's columns have no length.
fn is_good(name: &str, backend: Backend) -> bool {
    !name.starts_with('!') && (backend == Backend::Sqlite || name.len() < 18)
}

/// No two rows have the same.
fn labelled(id: i64, name: &str) -> String {
    if name.starts_with('!') { name.to_owned() } else { format!("{id} {name}") }
}

/// All versions are above `base`: a dropped write of an earlier run, which goes on, is too late.
async fn run(test: &TestDb, batches: &[Batch], base: u64) -> Vec<(i64, String)> {
    let sink = sink_in(test.connection());
    sink.write(changes(base, [], &(0..IDS).collect::<Vec<_>>())).await.unwrap();
    for (nth, (batch, dropped)) in batches.iter().enumerate() {
        let version = base + nth as u64 + 1;
        let deletes: Vec<_> = batch.iter().filter(|(_, name)| name.is_none()).map(|(id, _)| *id).collect();
        let names: Vec<_> = batch.iter().filter_map(|(id, name)| Some((*id, labelled(*id, name.as_ref()?)))).collect();
        let write = || sink.write(changes(version, names.iter().map(|(id, name)| (*id, name.as_str())), &deletes));
        if let Some(pending) = dropped {
            _ = cut(write(), *pending).await;
        }
        let bad = batch.iter().filter(|(_, name)| name.as_ref().is_some_and(|name| !is_good(name, test.backend())));
        let bad: Vec<_> = bad.map(|(id, _)| *id).collect();
        match write().await {
            Ok(()) => assert!(bad.is_empty(), "{batch:?}"),
            Err(error) => {
                let (failed, _) = failures_of(Err(error));
                assert!(!failed.contains("higher version") && !bad.is_empty(), "{failed}: {batch:?}");
            }
        }
        // A former owner, whose write comes late.
        let late: Vec<_> = batch.keys().filter(|id| !bad.contains(id)).map(|id| (*id, format!("{id} late"))).collect();
        if !late.is_empty() {
            let late = late.iter().map(|(id, name)| (*id, name.as_str()));
            failures_of(sink.write(changes(version - 1, late, &[])).await);
        }
    }
    places(test).await
}

fn hold(backend: Backend, cases: u32) {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let test = runtime.block_on(TestDb::new(backend));
    drop(runtime.block_on(sink_on(&test)));
    let mut runner = TestRunner::new(Config { failure_persistence: None, ..Config::with_cases(cases) });
    let base = std::sync::atomic::AtomicU64::new(0);
    let held = runner.run(&batches(), |batches| {
        let base = base.fetch_add(100, std::sync::atomic::Ordering::SeqCst);
        prop_assert_eq!(runtime.block_on(run(&test, &batches, base)), expected(&batches, backend));
        Ok(())
    });
    // Its connections belong to the runtime.
    let _guard = runtime.enter();
    drop(test);
    held.unwrap_or_else(|error| panic!("{error}"));
}

#[test]
fn any_batches_end_in_the_right_rows_in_sqlite() {
    hold(Backend::Sqlite, 40);
}

#[test]
fn any_batches_end_in_the_right_rows_in_postgresql() {
    hold(Backend::Postgres, 25);
}

#[test]
fn any_batches_end_in_the_right_rows_in_mariadb() {
    hold(Backend::MariaDb, 25);
}
