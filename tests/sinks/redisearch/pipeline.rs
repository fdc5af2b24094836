//! From a saved row to a document.

use metrics_util::debugging::{DebugValue, DebuggingRecorder};
use redstream_sinks::redisearch::metrics as names;
use sea_orm::ModelTrait;

use super::*;
use crate::sinks::flow::Flow;

on_each_form! {
    async fn rows_become_documents_and_deleted_rows_leave_none(server: Server) {
        let flow = Flow::new(server.sink().await).await;
        let (ulm, bonn) = (flow.save("Ulm").await, flow.save("Bonn").await);
        flow.run().await;
        assert_eq!(server.search("@name:Ulm").await, [format!("city:{}", ulm.id)]);
        flow.rename(&bonn, "Bonna").await;
        ulm.delete(&flow.db).await.unwrap();
        flow.run().await;
        assert_eq!(server.search("*").await, [format!("city:{}", bonn.id)]);
        assert_eq!(server.search("@name:Bonna").await.len(), 1);
    }

    async fn a_clock_that_stepped_back_loses_no_change(server: Server) {
        let sink = server.sink().await;
        // In a hundred years, as a clock that was wrong said once.
        write(&sink, changes(4_900_000_000_000_000, [named(1, "once")], &[2])).await.unwrap();
        let flow = Flow::new(sink).await;
        assert_eq!([flow.save("Ulm").await.id, flow.save("Bonn").await.id], [1, 2]);
        flow.run().await;
        assert_eq!(server.search("@name:(Ulm|Bonn)").await, ["city:1", "city:2"]);
    }
}

#[tokio::test]
async fn a_record_that_is_not_indexed_is_told_and_the_rest_goes_on() {
    let server = Server::hashes().await;
    let client = RedisClient::connect(server.redis.url()).await.unwrap();
    let index = Index::hash("cities", "city:").field(Field::numeric("name"));
    let flow = Flow::new(Cities::new(client, index)).await;
    for name in ["1", "two", "3"] {
        flow.save(name).await;
    }
    let error = flow.consumer.run_once().await.unwrap_err();
    assert!(format!("{error:?}").contains("two"), "{error:?}");
    assert_eq!(server.search("*").await, ["city:1", "city:3"]);
}

/// The recorder belongs to the test's thread, on which everything runs.
#[tokio::test]
async fn metrics_count_documents_and_failures() {
    let recorder = DebuggingRecorder::new();
    let _guard = ::metrics::set_default_local_recorder(&recorder);
    let server = Server::hashes().await;
    let sink = server.sink().await;
    write(&sink, changes(5, [named(1, "Ulm"), named(2, "Bonn")], &[3])).await.unwrap();
    let wrong = (4, json!({ "size": "large" }));
    write(&sink, changes(4, [named(1, "late"), (5, json!("text")), wrong], &[])).await.unwrap_err();
    let metrics = recorder.snapshotter().snapshot().into_vec();
    let read = |name: &str, label: &str| {
        let is_it = |key: &::metrics::Key| key.name() == name && key.labels().any(|found| found.value() == label);
        match metrics.iter().find(|(key, ..)| is_it(key.key())).map(|(.., value)| value) {
            Some(DebugValue::Counter(count)) => *count,
            Some(DebugValue::Gauge(value)) => format!("{value}").parse().unwrap(),
            _ => panic!("{name} {label} is missing"),
        }
    };
    for (outcome, count) in [("written", 2), ("deleted", 1), ("superseded", 1), ("not_indexed", 1), ("failed", 1)] {
        assert_eq!(read(names::DOCUMENTS, outcome), count, "{outcome}");
    }
    assert_eq!([read(names::INDEXING_FAILURES, "cities"), read(names::INDEX_CREATED, "cities")], [1, 1]);
}
