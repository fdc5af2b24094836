//! Whatever happens to requests and answers, the index ends as the changes say.

use std::collections::BTreeMap;

use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};

use super::*;

const IDS: i64 = 12;

/// One batch: what each key becomes.
type Batch = BTreeMap<i64, Option<String>>;

fn batches() -> impl Strategy<Value = Vec<Batch>> {
    let batch = prop::collection::btree_map(0..IDS, prop::option::weighted(0.7, "[a-z]{1,8}"), 1..8);
    prop::collection::vec(batch, 1..6)
}

fn faults() -> impl Strategy<Value = Vec<Option<Fault>>> {
    let refusal = |status| Just(Some(Fault::Instead(status, "", "")));
    let fault = prop_oneof![
        3 => Just(None),
        1 => refusal(429),
        1 => refusal(503),
        1 => refusal(413),
        1 => Just(Some(Fault::BreakBefore)),
        1 => Just(Some(Fault::BreakWithin)),
        1 => Just(Some(Fault::Half)),
        1 => Just(Some(Fault::Late(Duration::from_millis(5)))),
    ];
    prop::collection::vec(fault, 0..12)
}

/// Writes each batch until that succeeds, as a consumer does: a single document that is refused as too large fails
/// once.
async fn run(server: &Server, batches: &[Batch], faults: &[Option<Fault>]) -> BTreeMap<i64, String> {
    server.ask("DELETE", "/cities", Json::Null).await;
    let mut faults: Vec<_> = faults.iter().rev().copied().collect();
    let proxy =
        Proxy::start(server.port(), move |request| request.is_bulk().then(|| faults.pop()).flatten().flatten()).await;
    let sink = sink_at(proxy.port).max_documents(3);
    for (nth, batch) in batches.iter().enumerate() {
        let batch = || {
            let upserts = batch.iter().filter_map(|(id, name)| Some((*id, named(name.as_deref()?))));
            let deletes: Vec<_> = batch.iter().filter(|(_, name)| name.is_none()).map(|(id, _)| *id).collect();
            changes(nth as u64 + 1, upserts, &deletes)
        };
        let mut attempts = 0;
        while let Err(error) = write(&sink, batch()).await {
            attempts += 1;
            assert!(attempts < 20, "{error:?}");
        }
        // A former owner, whose write comes late. noida-db forgets the versions of deletes.
        let keys = if server.edition == SearchEdition::OpenSearch { batch().deletes } else { vec![] };
        let all = batch().upserts.into_iter().map(|(key, _)| key).chain(keys);
        let late = changes(nth as u64, all.map(|key| (key.value(), named("late"))), &[]);
        if !late.upserts.is_empty() {
            write(&sink, late).await.unwrap_err();
        }
    }
    assert_eq!(proxy.overlaps(), [""; 0], "no document is in two requests at once");
    server.names(0..IDS).await.into_iter().collect()
}

/// On a thread that may block.
fn hold(edition: SearchEdition) {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let server = runtime.block_on(Server::start(edition));
    let mut runner = TestRunner::new(Config { failure_persistence: None, ..Config::with_cases(25) });
    let held = runner.run(&(batches(), faults()), |(batches, faults)| {
        let mut expected = BTreeMap::new();
        for (id, name) in batches.iter().flatten() {
            match name {
                Some(name) => _ = expected.insert(*id, name.clone()),
                None => _ = expected.remove(id),
            }
        }
        prop_assert_eq!(runtime.block_on(run(&server, &batches, &faults)), expected);
        Ok(())
    });
    held.unwrap_or_else(|error| panic!("{error}"));
}

#[test]
fn any_batches_with_any_faults_end_in_the_right_documents_in_opensearch() {
    hold(SearchEdition::OpenSearch);
}

#[test]
fn any_batches_with_any_faults_end_in_the_right_documents_in_elasticsearch() {
    hold(SearchEdition::Elasticsearch);
}
