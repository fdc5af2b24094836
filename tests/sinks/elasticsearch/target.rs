//! The index or alias that is written.

use super::*;
use crate::support::Logs;

on_each_server! {
    async fn a_missing_index_is_an_error_and_not_created_by_any_write(server: Server) {
        let sink = ElasticsearchSink::<city::Entity>::new(client_of(&[server.port()]), "cities");
        for result in [
            write(&sink, changes(1, [(1, named("Ulm"))], &[])).await,
            write(&sink, changes(1, [], &[1])).await,
            sink.prepare().await.map_err(Into::into),
        ] {
            let error = error_of(result);
            assert!(matches!(&error, Error::MissingIndex { index } if index == "cities"), "{error}");
        }
        assert!(!server.has_index("cities").await);
    }

    async fn an_index_is_created_with_its_mapping_and_remembers_deletes_for_a_day(server: Server) {
        let logs = Logs::capture();
        let sink = sink_at(server.port());
        sink.prepare().await.unwrap();
        sink.prepare().await.unwrap();
        let index = server.ask("GET", "/cities?flat_settings=true", Json::Null).await.json();
        assert_eq!(index["cities"]["mappings"]["properties"]["size"]["type"], "integer");
        assert_eq!(index["cities"]["settings"]["index.gc_deletes"], "1d");
        assert!(!logs.has(&["WARN"]), "{}", logs.text());
        // Another process has created it meanwhile.
        write(&sink_at(server.port()), changes(1, [(1, named("Ulm"))], &[])).await.unwrap();
    }

    async fn an_index_that_forgets_deletes_soon_is_warned_of_once(server: Server) {
        server.ask("PUT", "/cities", json!({ "settings": { "index": { "gc_deletes": "5m" } } })).await;
        let logs = Logs::capture();
        let sink = sink_at(server.port());
        sink.prepare().await.unwrap();
        write(&sink, changes(1, [(1, named("Ulm"))], &[])).await.unwrap();
        let warnings = logs.text().lines().filter(|line| line.contains("index.gc_deletes")).count();
        assert!(logs.has(&["WARN", "cities", "5m"]), "{}", logs.text());
        assert_eq!(warnings, 1);
    }

    async fn what_is_no_alias_is_not_written(server: Server) {
        let sink = ElasticsearchSink::<city::Entity>::new(client_of(&[server.port()]), "cities").require_alias(true);
        let not_an_alias = |error: Error| assert!(matches!(&error, Error::NotAnAlias { name } if name == "cities"), "{error}");
        not_an_alias(error_of(write(&sink, changes(1, [], &[1])).await));
        not_an_alias(error_of(write(&sink, changes(1, [(1, named("Ulm"))], &[])).await));
        assert!(!server.has_index("cities").await);
        server.ask("PUT", "/cities", mapping()).await;
        not_an_alias(sink.prepare().await.unwrap_err());
    }

    async fn an_alias_is_created_with_its_first_index(server: Server) {
        let sink = sink_at(server.port()).require_alias(true);
        sink.prepare().await.unwrap();
        sink.clone().prepare().await.unwrap();
        let aliases = server.ask("GET", "/_alias/cities", Json::Null).await.json();
        assert_eq!(aliases["cities-000001"]["aliases"]["cities"]["is_write_index"], true);
        // noida-db takes the alias of a request that requires one for its index, and refuses.
        if server.edition == SearchEdition::OpenSearch {
            write(&sink, changes(1, [(1, named("Ulm"))], &[2])).await.unwrap();
            assert_eq!(server.document("1").await, Some(named("Ulm")));
        }
    }

    async fn an_alias_over_two_indices_needs_one_to_write(server: Server) {
        for index in ["old", "new"] {
            server.ask("PUT", &format!("/{index}"), mapping()).await;
        }
        let alias = |action: Json| json!({ "actions": [action] });
        for index in ["old", "new"] {
            server.ask("POST", "/_aliases", alias(json!({ "add": { "index": index, "alias": "cities" } }))).await;
        }
        // With the check, and without it by the answer for each document.
        let sink = sink_at(server.port()).require_alias(true);
        let error = error_of(write(&sink, changes(1, [(1, named("Ulm"))], &[])).await);
        assert!(matches!(&error, Error::NoWriteIndex { indices, .. } if indices == "new, old"), "{error}");
        let unchecked = sink_at(server.port()).check_index(false);
        // noida-db takes the first index of the alias, whatever is set.
        if server.edition == SearchEdition::OpenSearch {
            let error = error_of(write(&unchecked, changes(1, [(1, named("Ulm"))], &[])).await);
            assert!(matches!(&error, Error::Refused { reason, .. } if reason.contains("write index")), "{error}");
        }

        let to_write = json!({ "add": { "index": "new", "alias": "cities", "is_write_index": true } });
        server.ask("POST", "/_aliases", alias(to_write)).await;
        sink.prepare().await.unwrap();
        if server.edition == SearchEdition::OpenSearch {
            write(&unchecked, changes(1, [(1, named("Ulm"))], &[])).await.unwrap();
            assert_eq!(server.ask("GET", "/new/_doc/1", Json::Null).await.json()["_source"], named("Ulm"));
        }
    }
}

#[tokio::test]
async fn writes_follow_an_alias_that_is_moved() {
    let server = Server::start(SearchEdition::OpenSearch).await;
    let sink = sink_at(server.port()).require_alias(true);
    write(&sink, changes(1, [(1, named("Ulm"))], &[])).await.unwrap();
    server.ask("PUT", "/cities-000002", mapping()).await;
    let moved = json!({ "actions": [
        { "remove": { "index": "cities-000001", "alias": "cities" } },
        { "add": { "index": "cities-000002", "alias": "cities" } },
    ] });
    assert_eq!(server.ask("POST", "/_aliases", moved).await.status(), 200);
    write(&sink, changes(2, [(2, named("Bonn"))], &[])).await.unwrap();
    let status = async |path: &str| server.ask("GET", path, Json::Null).await.status();
    assert_eq!((status("/cities-000002/_doc/2").await, status("/cities-000001/_doc/2").await), (200, 404));

    // Removed, it is no reason to give records up.
    let gone = json!({ "actions": [{ "remove": { "index": "cities-000002", "alias": "cities" } }] });
    server.ask("POST", "/_aliases", gone).await;
    let error = error_of(write(&sink, changes(3, [(3, named("Trier"))], &[])).await);
    assert!(matches!(&error, Error::Refused { status: 404, .. }), "{error}");
    assert!(!server.has_index("cities").await);
}
