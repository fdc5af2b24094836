//! Whatever happens to requests and answers, the receiver ends with the records as they are.

use std::collections::BTreeMap;

use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};

use super::*;
use crate::support::cut;

const IDS: i64 = 8;

/// One batch: what each key becomes; and after how many polls its first attempt is dropped.
type Batch = (BTreeMap<i64, Option<String>>, Option<usize>);

fn batches() -> impl Strategy<Value = Vec<Batch>> {
    let batch = prop::collection::btree_map(0..IDS, prop::option::weighted(0.7, "[a-z]{1,8}"), 1..6);
    prop::collection::vec((batch, prop::option::of(1_usize..6)), 1..6)
}

fn replies() -> impl Strategy<Value = Vec<Reply>> {
    let reply = prop_oneof![
        4 => Just(Reply::Ok),
        1 => Just(Reply::Status(429, None)),
        1 => Just(Reply::Status(503, None)),
        1 => Just(Reply::Status(422, None)),
        1 => Just(Reply::Late(Duration::from_millis(5))),
    ];
    prop::collection::vec(reply, 0..12)
}

/// Writes each batch until that succeeds, as a consumer does.
async fn run(batches: &[Batch], replies: &[Reply], is_batched: bool) -> Vec<(i64, String)> {
    let receiver = Receiver::first(replies).await;
    let builder = builder(&receiver);
    let sink = if is_batched { builder.batch(3) } else { builder }.build().unwrap();
    for (nth, (batch, dropped)) in batches.iter().enumerate() {
        let version = nth as u64 + 1;
        let deletes: Vec<_> = batch.iter().filter(|(_, name)| name.is_none()).map(|(id, _)| *id).collect();
        let upserts = || batch.iter().filter_map(|(id, name)| Some((*id, name.as_deref()?)));
        if let Some(pending) = dropped {
            _ = cut(write(&sink, changes(version, upserts(), &deletes)), *pending).await;
        }
        let mut attempts = 0;
        while let Err(error) = write(&sink, changes(version, upserts(), &deletes)).await {
            attempts += 1;
            assert!(attempts < 15, "{error:?}");
        }
        // A former owner, whose messages come late.
        write(&sink, changes(version - 1, batch.keys().map(|id| (*id, "late")), &[])).await.ok();
    }
    receiver.names()
}

#[test]
fn any_batches_with_any_answers_end_in_the_right_records() {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let mut runner = TestRunner::new(Config { failure_persistence: None, ..Config::with_cases(40) });
    let held = runner.run(&(batches(), replies(), any::<bool>()), |(batches, replies, is_batched)| {
        let mut expected = BTreeMap::new();
        for (id, name) in batches.iter().flat_map(|(batch, _)| batch) {
            match name {
                Some(name) => _ = expected.insert(*id, name.clone()),
                None => _ = expected.remove(id),
            }
        }
        let found = runtime.block_on(run(&batches, &replies, is_batched));
        prop_assert_eq!(found, expected.into_iter().collect::<Vec<_>>());
        Ok(())
    });
    held.unwrap_or_else(|error| panic!("{error}"));
}
