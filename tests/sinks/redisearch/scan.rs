//! Reading the index back.

use redstream_seaorm::{KeyRange, Scan};

use super::*;

async fn page(sink: &Cities, after: Option<i64>, until: Option<i64>, limit: usize) -> Vec<(i64, Json)> {
    let (after, until) = (after.map(Key::new), until.map(Key::new));
    let range = KeyRange { after: after.as_ref(), until: until.as_ref() };
    let page = Scan::<city::Entity, Json>::scan(sink, range, limit).await.unwrap();
    page.into_iter().map(|(key, document)| (key.value(), document)).collect()
}

async fn all(sink: &Cities, limit: usize) -> Vec<i64> {
    let (mut found, mut after) = (Vec::new(), None);
    loop {
        let page = page(sink, after, None, limit).await;
        assert!(page.len() <= limit);
        let is_last = page.len() < limit;
        after = page.last().map(|(id, _)| *id).or(after);
        found.extend(page.into_iter().map(|(id, _)| id));
        if is_last {
            return found;
        }
    }
}

on_each_form! {
    async fn pages_have_each_document_of_the_index_once(server: Server) {
        let sink = server.sink().await.max_documents(50);
        let ids = (-20..200_i64).filter(|id| id % 3 != 0);
        write(&sink, changes(5, ids.clone().map(|id| named(id, "city")), &[0, 3])).await.unwrap();
        // Left out by the index.
        let wrong = (300, json!({ "id": 300, "size": "large" }));
        failures_of(write(&sink, changes(5, [wrong], &[])).await);
        let by_number = sink.clone().scan_by("id");
        for limit in [1, 13, 1000] {
            assert_eq!(all(&by_number, limit).await, ids.clone().collect::<Vec<_>>(), "{limit}");
            let mut by_id = all(&sink, limit).await;
            by_id.sort_unstable();
            assert_eq!(by_id, ids.clone().collect::<Vec<_>>(), "{limit}");
        }
        let within: Vec<_> = page(&by_number, Some(2), Some(7), 10).await.into_iter().map(|(id, _)| id).collect();
        assert_eq!(within, [4, 5, 7]);
    }

    async fn documents_are_found_by_key_and_compared(server: Server) {
        let sink = server.sink().await;
        write(&sink, changes(5, [named(1, "Ulm"), named(2, "Bonn")], &[3])).await.unwrap();
        let found = Scan::<city::Entity, Json>::find(&sink, &[2, 3, 4, 1].map(Key::new)).await.unwrap().unwrap();
        let ids: Vec<_> = found.iter().map(|(key, _)| key.value()).collect();
        assert_eq!(ids, [2, 1]);
        let is_current = |record: Json| sink.is_current(&Key::new(2), &record, &found[0].1).unwrap();
        assert!(is_current(named(2, "Bonn").1));
        assert!(!is_current(named(2, "Bonna").1));
        assert!(!is_current(json!({ "id": 2, "name": "Bonn", "size": 3 })));
    }
}

#[tokio::test]
async fn keys_that_a_double_rounds_and_keys_of_others_are_refused() {
    let server = Server::hashes().await;
    let sink = server.sink().await;
    let range = || KeyRange { after: None, until: None };
    write(&sink, changes(5, [named(1, "Ulm"), named((1 << 53) + 1, "far")], &[])).await.unwrap();
    let error = Scan::<city::Entity, Json>::scan(&sink.clone().scan_by("id"), range(), 10).await.unwrap_err();
    assert!(matches!(error.source().downcast_ref(), Some(Error::InvalidOption { option: "scan_by", .. })), "{error:?}");
    assert_eq!(all(&sink, 10).await.len(), 2);
    server.ask::<()>("HSET", &["city:x", "id", "7"]).await;
    let error = Scan::<city::Entity, Json>::scan(&sink, range(), 10).await.unwrap_err();
    assert!(matches!(error.source().downcast_ref(), Some(Error::ForeignKey { .. })), "{error:?}");
}

on_each_form! {
    async fn the_third_version_of_the_protocol_has_the_same_answers(server: Server) {
        let sink = server.sink_at(ConnectOptions::new(format!("{}?protocol=resp3", server.redis.url()))).await;
        sink.prepare().await.unwrap();
        let wrong = (3, json!({ "id": 3, "size": "large" }));
        let batch = changes(5, [named(1, "Ulm"), wrong, named(2, "Bonn")], &[]);
        let (failed, first) = failures_of(write(&sink, batch).await);
        assert_eq!(failed, "the record {\"id\":3} was not written");
        assert!(first.to_lowercase().contains("invalid"), "{first}");
        for sink in [sink.clone(), sink.scan_by("id")] {
            assert_eq!(all(&sink, 10).await, [1, 2]);
            let page = page(&sink, Some(1), None, 10).await;
            assert!(sink.is_current(&Key::new(2), &named(2, "Bonn").1, &page[0].1).unwrap(), "{page:?}");
        }
    }
}

#[tokio::test]
async fn documents_of_another_prefix_do_not_end_a_scan() {
    let server = Server::hashes().await;
    let prefixes = ["cities", "ON", "HASH", "PREFIX", "2", "city:", "town:"];
    let fields = ["SCHEMA", "id", "NUMERIC", "SORTABLE", "name", "TEXT", "size", "NUMERIC"];
    server.ask::<()>("FT.CREATE", &[&prefixes[..], &fields[..]].concat()).await;
    for id in ["1", "2", "3", "4", "5", "6", "7"] {
        server.ask::<()>("HSET", &[&format!("town:{id}"), "id", id]).await;
    }
    let sink = server.sink().await.scan_by("id");
    write(&sink, changes(5, (5..=12).map(|id| named(id, "city")), &[])).await.unwrap();
    for limit in [1, 3, 100] {
        assert_eq!(all(&sink, limit).await, (5..=12).collect::<Vec<_>>(), "{limit}");
    }
}
