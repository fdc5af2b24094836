//! From a saved row to a document.

use metrics_util::debugging::{DebugValue, DebuggingRecorder};
use redstream_sinks::elasticsearch::metrics as names;
use sea_orm::{ActiveModelTrait, ModelTrait, TransactionTrait};

use super::*;
use crate::sinks::city::city;
use crate::sinks::flow::Flow;
use crate::support::Logs;

on_each_server! {
    async fn rows_become_documents_and_deleted_rows_leave_none(server: Server) {
        let flow = Flow::new(sink_at(server.port())).await;
        let txn = flow.db.begin().await.unwrap();
        let ulm = city("Ulm").insert(&txn).await.unwrap();
        let bonn = city("Bonn").insert(&txn).await.unwrap();
        txn.commit().await.unwrap();
        flow.run().await;
        assert_eq!(server.document(&ulm.id.to_string()).await, Some(json!({ "id": ulm.id, "name": "Ulm" })));

        flow.rename(&bonn, "Bonna").await;
        ulm.delete(&flow.db).await.unwrap();
        flow.run().await;
        assert_eq!(server.names(0..5).await, [(bonn.id, "Bonna".to_owned())]);
    }

    async fn a_clock_that_stepped_back_loses_no_change(server: Server) {
        let sink = sink_at(server.port());
        // In a hundred years, as a clock that was wrong said once.
        let ahead = 4_900_000_000_000_000;
        write(&sink, changes(ahead, [(1, named("once"))], &[2])).await.unwrap();
        let flow = Flow::new(sink.clone()).await;
        let txn = flow.db.begin().await.unwrap();
        let ulm = city("Ulm").insert(&txn).await.unwrap();
        let bonn = city("Bonn").insert(&txn).await.unwrap();
        txn.commit().await.unwrap();
        assert_eq!((ulm.id, bonn.id), (1, 2));
        let logs = Logs::capture();
        flow.run().await;
        assert_eq!(server.names(1..3).await, [(1, "Ulm".to_owned()), (2, "Bonn".to_owned())]);
        assert!(!logs.has(&["WARN", "higher version"]), "{}", logs.text());
        let document = server.ask("GET", "/cities/_doc/1", Json::Null).await.json();
        assert!(document["_version"].as_u64().unwrap() > ahead, "{document}");
    }

    async fn a_record_that_is_refused_is_set_aside_and_the_rest_goes_on(server: Server) {
        let strict = json!({ "mappings": { "properties": { "name": { "type": "integer" } } } });
        let sink = ElasticsearchSink::<city::Entity>::new(client_of(&[server.port()]), "cities").create_index(strict);
        let flow = Flow::new(sink).await;
        let txn = flow.db.begin().await.unwrap();
        for name in ["1", "two", "3"] {
            city(name).insert(&txn).await.unwrap();
        }
        txn.commit().await.unwrap();
        let error = flow.consumer.run_once().await.unwrap_err();
        assert!(format!("{error:?}").contains("two"), "{error:?}");
        assert_eq!(server.names(0..5).await, [(1, "1".to_owned()), (3, "3".to_owned())]);
    }
}

/// The recorder belongs to the test's thread, on which everything runs.
#[tokio::test]
async fn metrics_count_documents_and_requests() {
    let recorder = DebuggingRecorder::new();
    let _guard = ::metrics::set_default_local_recorder(&recorder);
    let server = Server::any().await;
    let mut faults = vec![Fault::Instead(429, "", "")];
    let proxy = Proxy::start(server.port(), move |request| request.is_bulk().then(|| faults.pop()).flatten()).await;
    let sink = sink_at(proxy.port);
    write(&sink, changes(5, [(1, named("Ulm")), (2, named("Bonn"))], &[3])).await.unwrap();
    write(&sink, changes(4, [(1, named("late")), (4, json!({ "size": "large" }))], &[])).await.unwrap_err();

    let metrics = recorder.snapshotter().snapshot().into_vec();
    let read = |name: &str, label: &str| {
        let found = metrics
            .iter()
            .find(|(key, ..)| key.key().name() == name && key.key().labels().any(|found| found.value() == label));
        match found.map(|(.., value)| value) {
            Some(DebugValue::Counter(count)) => *count,
            Some(DebugValue::Histogram(samples)) => samples.len() as u64,
            Some(DebugValue::Gauge(value)) => format!("{value}").parse().unwrap(),
            None => panic!("{name} {label} is missing"),
        }
    };
    for (outcome, count) in [("written", 2), ("deleted", 1), ("superseded", 1), ("failed", 1)] {
        assert_eq!(read(names::DOCUMENTS, outcome), count, "{outcome}");
    }
    assert_eq!([read(names::REQUESTS, "accepted"), read(names::REQUESTS, "refused")], [2, 1]);
    assert_eq!([read(names::RETRIES, "cities"), read(names::REQUEST_SECONDS, "cities")], [1, 3]);
    assert_eq!(read(names::CONCURRENCY, "cities"), 4, "two after the refusal, and one more with each success");
}
