//! Random writes and crashes during a walk: in the end the index is equal to the table.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use proptest::prelude::*;
use redstream_core::{Batch, CancellationToken, Handler, HandlerError, Start};
use serde_json::{Value, json};

use super::source::Numbers;
use crate::core::SOON;
use crate::support::{cut, eventually, redstream};

/// One step of a case.
#[derive(Clone, Debug)]
enum Step {
    /// Writes a row, or deletes it, and announces that.
    Write(u64, Option<u64>),
    /// Runs the walk, and drops it once it has been pending so often.
    Walk(usize),
}

type Table = Arc<Mutex<BTreeMap<u64, u64>>>;

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        3 => (1..400_u64, proptest::option::weighted(0.7, 0..1000_u64)).prop_map(|(key, value)| Step::Write(key, value)),
        2 => (1..40_usize).prop_map(Step::Walk),
    ]
}

/// Reads the rows that a batch names, and writes them to the index.
struct Indexing {
    table: Table,
    index: Table,
}

#[async_trait]
impl Handler for Indexing {
    async fn handle(&self, batch: Batch) -> Result<(), HandlerError> {
        for message in batch.messages() {
            let key = message.payload::<Value>()?["id"].as_u64().unwrap();
            let row = self.table.lock().unwrap().get(&key).copied();
            let mut index = self.index.lock().unwrap();
            match row {
                Some(value) => index.insert(key, value),
                None => index.remove(&key),
            };
        }
        Ok(())
    }
}

async fn case(steps: Vec<Step>, batch_size: usize) {
    let redstream = redstream().await;
    let stream = redstream.stream("numbers").unwrap();
    stream.register("search", Start::Latest).await.unwrap();
    // Rows that were never announced, and an index that has some of them as they once were.
    let table: Table = Arc::new(Mutex::new((1..300).map(|key| (key, key)).collect()));
    let index: Table = Arc::new(Mutex::new((100..200).map(|key| (key, 0)).collect()));
    let shutdown = CancellationToken::new();
    let _stop = shutdown.clone().drop_guard();
    let handler = Indexing { table: table.clone(), index: index.clone() };
    let consumer = stream.consumer("search", handler).batch_size(batch_size);
    tokio::spawn(async move { consumer.run(shutdown).await });

    let walk = || {
        let rows = table.lock().unwrap().keys().copied().collect();
        stream.reindex(Numbers::of(rows).ranges(&[40, 200])).lock_ttl(Duration::from_millis(200))
    };
    // A walk that is finished is not begun again: its rows have been read since the beginning.
    let mut is_done = false;
    for step in steps {
        match step {
            Step::Write(key, value) => {
                match value {
                    Some(value) => table.lock().unwrap().insert(key, value),
                    None => table.lock().unwrap().remove(&key),
                };
                redstream.producer().queue(stream.name(), &json!({ "id": key })).await.unwrap();
            }
            Step::Walk(pending) if !is_done => {
                let ended = cut(walk().run(CancellationToken::new()), pending).await;
                is_done = ended.is_some_and(|report| report.unwrap().is_done());
            }
            Step::Walk(_) => {}
        }
    }
    if !is_done {
        let last = tokio::time::timeout(SOON, walk().run(CancellationToken::new())).await.expect("it ends");
        assert!(last.unwrap().is_done());
    }
    eventually(SOON, "the changes are handled", async || stream.lag("search").await.unwrap() == 0).await;
    assert_eq!(*index.lock().unwrap(), *table.lock().unwrap());
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 12, ..ProptestConfig::default() })]

    #[test]
    fn writes_and_crashes_during_a_walk_end_in_an_index_that_equals_the_table(
        steps in proptest::collection::vec(step(), 1..60),
        batch_size in 1..300_usize,
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(case(steps, batch_size));
    }
}
