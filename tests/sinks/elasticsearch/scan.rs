//! Documents are read back, in the order of their keys, and an index is verified and repaired.

use redstream_seaorm::{
    CancellationToken, DifferenceKind, Indexer, KeyRange, RedstreamExt, Scan, Start, VerifyState, Worker,
};
use sea_orm::{ConnectionTrait, EntityTrait, Schema};

use super::*;
use crate::support::{TestDb, redstream};

type Sink = ElasticsearchSink<city::Entity>;

async fn page(sink: &Sink, after: Option<i64>, until: Option<i64>, limit: usize) -> Result<Vec<i64>, HandlerError> {
    let (after, until) = (after.map(Key::new), until.map(Key::new));
    let range = KeyRange { after: after.as_ref(), until: until.as_ref() };
    let documents = Scan::<city::Entity, Json>::scan(sink, range, limit).await?;
    for (key, source) in &documents {
        assert_eq!(source["id"], key.value());
    }
    Ok(documents.into_iter().map(|(key, _)| key.value()).collect())
}

fn error(result: Result<impl std::fmt::Debug, HandlerError>) -> Error {
    let source = result.unwrap_err().into_source();
    *source.downcast::<Error>().unwrap_or_else(|error| panic!("not an error of the sink: {error:?}"))
}

fn with_id(id: i64) -> (i64, Json) {
    (id, json!({ "id": id, "name": format!("n{id}") }))
}

on_each_server! {
    async fn pages_are_half_open_and_in_the_order_of_numbers(server: Server) {
        // Not refreshed by the write.
        let sink = sink_at(server.port()).refresh(Refresh::Later);
        let ids = [-1_000_000_007, -5, 0, 7, 10, 9_007_199_254_740_993];
        write(&sink, changes(5, ids.map(with_id), &[3])).await.unwrap();
        assert_eq!(page(&sink, None, None, 100).await.unwrap(), ids);
        assert_eq!(page(&sink, None, None, 2).await.unwrap(), [-1_000_000_007, -5]);
        assert_eq!(page(&sink, Some(-5), Some(10), 100).await.unwrap(), [0, 7, 10]);
        assert_eq!(page(&sink, Some(-5), Some(9), 1).await.unwrap(), [0]);
        assert_eq!(page(&sink, Some(10), None, 100).await.unwrap(), [9_007_199_254_740_993]);
        assert_eq!(page(&sink, Some(10), Some(9_007_199_254_740_000), 9).await.unwrap(), [0; 0]);
        write(&sink, changes(6, [], &[7])).await.unwrap();
        assert_eq!(page(&sink, None, Some(10), 100).await.unwrap(), [-1_000_000_007, -5, 0, 10]);
    }

    async fn a_long_page_takes_several_searches(server: Server) {
        let sink = sink_at(server.port());
        for from in [0, 5000, 10_000] {
            write(&sink, changes(5, (from..from + 5000).map(with_id), &[])).await.unwrap();
        }
        let expected: Vec<i64> = (100..11_100).collect();
        assert_eq!(page(&sink, Some(99), None, 11_000).await.unwrap(), expected);
    }

    async fn a_look_up_finds_what_was_written_at_once(server: Server) {
        let sink = sink_at(server.port()).refresh(Refresh::Later);
        write(&sink, changes(5, (0..1500).map(with_id), &[])).await.unwrap();
        let keys: Vec<_> = [7, 99_999, 3].into_iter().chain(1000..1400).map(Key::<city::Entity>::new).collect();
        let found = Scan::<city::Entity, Json>::find(&sink, &keys).await.unwrap().unwrap();
        assert_eq!(found.len(), 402);
        assert_eq!((found[0].0.value(), &found[0].1), (7, &json!({ "id": 7, "name": "n7" })));
        assert_eq!(found[1].0.value(), 3);
    }

    async fn documents_without_the_field_of_the_key_are_an_error(server: Server) {
        let sink = sink_at(server.port());
        write(&sink, changes(5, [with_id(1), (2, named("Ulm"))], &[])).await.unwrap();
        let refused = error(page(&sink, None, None, 10).await);
        assert!(matches!(&refused, Error::NoKeyField { id, .. } if id == "2"), "{refused}");
        assert!(refused.to_string().contains("key_field"));
    }

    async fn documents_of_others_are_an_error_or_told_apart(server: Server) {
        let sink = sink_at(server.port());
        write(&sink, changes(5, [with_id(1)], &[])).await.unwrap();
        server.ask("PUT", "/cities/_doc/other-1?refresh=true", json!({ "id": 2, "size": 1 })).await;
        let refused = error(page(&sink, None, None, 10).await);
        assert!(matches!(&refused, Error::ForeignDocument { id, .. } if id == "other-1"), "{refused}");
        let sink = sink.scan_query(json!({ "exists": { "field": "name" } }));
        assert_eq!(page(&sink, None, None, 10).await.unwrap(), [1]);
    }

    async fn several_indices_are_named(server: Server) {
        let of = |key: &Key<city::Entity>| format!("cities-{}", key.value() % 2);
        let sink = sink_at(server.port()).index_by(of);
        write(&sink, changes(5, (1..=5).map(with_id), &[])).await.unwrap();
        assert!(matches!(error(page(&sink, None, None, 10).await), Error::ScanIndices));
        let sink = sink.scan_indices(["cities-0", "cities-1"]);
        assert_eq!(page(&sink, Some(1), Some(4), 10).await.unwrap(), [2, 3, 4]);
        let found = Scan::<city::Entity, Json>::find(&sink, &[4, 6, 5].map(Key::new)).await.unwrap().unwrap();
        assert_eq!(found.iter().map(|(key, _)| key.value()).collect::<Vec<_>>(), [4, 5]);
    }

    async fn a_key_without_an_id_has_no_document(server: Server) {
        let id = |key: &Key<city::Entity>| if key.value() == 2 { String::new() } else { key.value().to_string() };
        let sink = sink_at(server.port()).id(id).key_field("id");
        let (failed, _) = failures_of(write(&sink, changes(5, (1..=3).map(with_id), &[])).await);
        assert_eq!(failed, "the record {\"id\":2} was not written");
        let found = Scan::<city::Entity, Json>::find(&sink, &[3, 2, 1].map(Key::new)).await.unwrap().unwrap();
        assert_eq!(found.iter().map(|(key, _)| key.value()).collect::<Vec<_>>(), [3, 1]);
        assert!(Scan::<city::Entity, Json>::find(&sink, &[Key::new(2)]).await.unwrap().unwrap().is_empty());
    }

    async fn ids_of_the_application_need_only_the_fields_of_the_key(server: Server) {
        let sink = sink_at(server.port()).id(|key| format!("city-{}", key.value())).key_field("id");
        write(&sink, changes(5, (1..=5).map(with_id), &[])).await.unwrap();
        assert_eq!(page(&sink, Some(2), None, 10).await.unwrap(), [3, 4, 5]);
        // A second document of one key.
        server.ask("PUT", "/cities/_doc/3?refresh=true", json!({ "id": 3, "name": "n3" })).await;
        assert_eq!(page(&sink, Some(2), None, 10).await.unwrap(), [3, 3, 4, 5]);
    }

    async fn an_index_is_verified_and_repaired(server: Server) {
        let (test, redstream) = (TestDb::sqlite().await, redstream().await);
        let db = test.connection();
        let table = Schema::new(db.get_database_backend()).create_table_from_entity(city::Entity);
        db.execute(&table).await.unwrap();
        let rows = (1..=500).map(|id| city::ActiveModel { id: sea_orm::Set(id), name: sea_orm::Set(format!("n{id}")) });
        city::Entity::insert_many(rows).exec_without_returning(&db).await.unwrap();
        let stream = redstream.of::<city::Entity>().unwrap();
        stream.streams()[0].register("search", Start::Latest).await.unwrap();
        let sink = sink_at(server.port()).refresh(Refresh::Later);
        write(&sink, changes(5, (1..=500).filter(|id| id % 100 != 7).map(with_id), &[])).await.unwrap();
        write(&sink, changes(6, [(250, json!({ "id": 250, "name": "old" })), with_id(501), with_id(-1)], &[])).await.unwrap();

        let consumer = stream.consumer("search", Indexer::<city::Entity, _, _>::new(db.clone(), sink.clone()));
        let shutdown = CancellationToken::new();
        let stop = shutdown.clone().drop_guard();
        tokio::spawn(async move { consumer.run(shutdown).await });
        let verify = || redstream.verify::<city::Entity>(&db, &sink).consumer("search").page_size(60);
        let report = verify().repair(true).run(CancellationToken::new()).await.unwrap();
        assert_eq!((report.missing, report.stale, report.extra), (5, 1, 2), "{report:?}");
        assert!(report.is_clean() && report.target == "ElasticsearchSink", "{report:?}");
        let stale = report.differences.iter().find(|one| one.kind == DifferenceKind::Stale).unwrap();
        assert_eq!(stale.key, json!({ "id": 250 }));
        let report = verify().run(CancellationToken::new()).await.unwrap();
        assert_eq!((report.state, report.found(), report.compared), (VerifyState::Done, 0, 500));
        drop(stop);
    }
}

#[tokio::test]
async fn a_sink_of_a_key_of_two_columns_names_two_fields() {
    let server = Server::any().await;
    let sink = sink_at(server.port()).key_field("id").key_field("name");
    sink.prepare().await.unwrap();
    let refused = error(page(&sink, None, None, 10).await);
    assert!(matches!(refused, Error::KeyFields { named: 2, columns: 1 }), "{refused}");
}

#[tokio::test]
async fn a_record_is_compared_as_json() {
    let server = Server::any().await;
    let sink = sink_at(server.port());
    let key = Key::new(1);
    let row = city::Model { id: 1, name: "Ulm".to_owned() };
    let is_current = |source: Json| Scan::<city::Entity>::is_current(&sink, &key, &row, &source).unwrap();
    assert!(is_current(json!({ "name": "Ulm", "id": 1.0 })));
    assert!(!is_current(json!({ "name": "Ulm", "id": 2 })) && !is_current(json!({ "name": "Ulm" })));
}

#[tokio::test]
async fn a_server_that_lacks_shards_is_an_error() {
    let server = Server::any().await;
    let sink = sink_at(server.port());
    write(&sink, changes(5, [with_id(1)], &[])).await.unwrap();
    let partial = r#"{"timed_out":true,"_shards":{"failed":1},"hits":{"hits":[]}}"#;
    let mut faults = vec![Fault::Instead(200, "", partial)];
    let is_search = |request: &Message| request.start.contains("_search");
    let proxy = Proxy::start(server.port(), move |request| is_search(request).then(|| faults.pop()).flatten()).await;
    let sink = sink_at(proxy.port);
    assert!(matches!(error(page(&sink, None, None, 10).await), Error::Partial { .. }));
    assert_eq!(page(&sink, None, None, 10).await.unwrap(), [1]);
}
