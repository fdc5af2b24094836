//! Whatever happens to requests and answers, the index ends as the changes say.

use std::collections::BTreeMap;

use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use redstream_proxy::{Fault, Proxy};

use super::*;

const IDS: i64 = 12;

/// One batch: what each key becomes; and the fault that it meets.
type Batch = (BTreeMap<i64, Option<String>>, Option<(&'static str, Fault)>);

fn batches() -> impl Strategy<Value = Vec<Batch>> {
    let changes = prop::collection::btree_map(0..IDS, prop::option::weighted(0.7, "[a-z]{1,8}"), 1..8);
    let needle = prop::sample::select(vec!["EVALSHA", "FT.SEARCH", "FT.INFO", ""]);
    let fault = prop::sample::select(vec![Fault::BreakBefore, Fault::BreakInstead, Fault::BreakWithin]);
    prop::collection::vec((changes, prop::option::of((needle, fault))), 1..6)
}

async fn run(server: &Server, proxy: &Proxy, sink: &Cities, batches: &[Batch]) -> Vec<(i64, String)> {
    server.ask::<()>("FLUSHALL", &[]).await;
    for (nth, (batch, fault)) in batches.iter().enumerate() {
        if let Some((needle, fault)) = fault {
            proxy.strike(needle, *fault, 1);
        }
        let batch = |version| {
            let upserts = batch.iter().filter_map(|(id, name)| Some(named(*id, name.as_deref()?)));
            let deletes: Vec<_> = batch.iter().filter(|(_, name)| name.is_none()).map(|(id, _)| *id).collect();
            changes(version, upserts, &deletes)
        };
        write(sink, batch(nth as u64 + 1)).await.unwrap();
        // A former owner, whose write comes late.
        let all = batch(0).upserts.into_iter().map(|(key, _)| key).chain(batch(0).deletes);
        let late = changes(nth as u64, all.map(|key| named(key.value(), "late")), &[]);
        write(sink, late).await.unwrap_err();
    }
    let found: Vec<Value> = server
        .ask("FT.SEARCH", &["cities", "*", "RETURN", "2", "id", "name", "SORTBY", "id", "LIMIT", "0", "100"])
        .await;
    let fields = found
        .iter()
        .skip(2)
        .step_by(2)
        .map(|fields| redis::from_redis_value_ref::<BTreeMap<String, String>>(fields).unwrap());
    fields.map(|fields| (fields["id"].parse().unwrap(), fields["name"].clone())).collect()
}

/// On a thread that may block.
fn hold(index: Index) {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let server = runtime.block_on(Server::start(index));
    let proxy = runtime.block_on(Proxy::start(server.redis.port())).unwrap();
    let sink = runtime.block_on(server.sink_at(ConnectOptions::new(proxy.url()))).max_documents(3);
    let mut runner = TestRunner::new(Config { failure_persistence: None, ..Config::with_cases(50) });
    let held = runner.run(&batches(), |batches| {
        let mut expected = BTreeMap::new();
        for (id, name) in batches.iter().flat_map(|(batch, _)| batch) {
            match name {
                Some(name) => _ = expected.insert(*id, name.clone()),
                None => _ = expected.remove(id),
            }
        }
        let found = runtime.block_on(run(&server, &proxy, &sink, &batches));
        prop_assert_eq!(found, expected.into_iter().collect::<Vec<_>>());
        Ok(())
    });
    held.unwrap_or_else(|error| panic!("{error}"));
}

#[test]
fn any_batches_with_any_faults_end_in_the_right_hashes() {
    hold(Index::hash("cities", "city:"));
}

#[test]
fn any_batches_with_any_faults_end_in_the_right_json() {
    hold(Index::json("cities", "city:"));
}
