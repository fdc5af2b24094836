//! Versions, deletes, and documents that are refused one by one.

use super::*;
use crate::support::{Logs, eventually};

on_each_server! {
    async fn an_equal_version_is_taken_and_an_older_one_is_superseded(server: Server) {
        let logs = Logs::capture();
        let sink = sink_at(server.port());
        write(&sink, changes(5, [(1, named("Ulm")), (2, named("Bonn"))], &[])).await.unwrap();
        write(&sink, changes(5, [(1, named("Ulm again"))], &[])).await.unwrap();
        assert_eq!(server.document("1").await, Some(named("Ulm again")));

        let (failed, _) = failures_of(write(&sink, changes(4, [(1, named("late")), (3, named("new"))], &[2])).await);
        assert_eq!(failed, "2 records were not written, the first of them {\"id\":1}: the datastore has a higher version");
        assert_eq!(server.document("1").await, Some(named("Ulm again")));
        assert_eq!(server.document("2").await, Some(named("Bonn")));
        assert_eq!(server.document("3").await, Some(named("new")), "the others are written");
        assert!(!logs.has(&["WARN"]), "{}", logs.text());
    }

    async fn a_delete_that_finds_nothing_is_success_and_leaves_a_tombstone(server: Server) {
        let sink = sink_at(server.port());
        write(&sink, changes(9, [], &[1])).await.unwrap();
        // noida-db forgets the versions of deletes.
        if server.edition == SearchEdition::OpenSearch {
            let (failed, _) = failures_of(write(&sink, changes(8, [(1, named("late"))], &[])).await);
            assert!(failed.ends_with("the datastore has a higher version"), "{failed}");
        }
        assert_eq!(server.document("1").await, None);
        write(&sink, changes(9, [(1, named("Ulm"))], &[])).await.unwrap();
        write(&sink, changes(10, [], &[1])).await.unwrap();
        assert_eq!(server.document("1").await, None);
    }

    async fn keys_of_other_spellings_are_deleted(server: Server) {
        let sink = sink_at(server.port());
        write(&sink, changes(1, [(1, named("Ulm")), (2, named("Bonn"))], &[])).await.unwrap();
        let respelled = vec![Key::new(2)];
        write(&sink, Changes { respelled, ..changes(2, [(1, named("Ulm"))], &[]) }).await.unwrap();
        assert_eq!(server.names(1..3).await, [(1, "Ulm".to_owned())]);
    }

    async fn a_document_of_the_wrong_type_fails_alone_and_leaves_no_version(server: Server) {
        let sink = sink_at(server.port());
        let wrong = json!({ "size": "large" });
        let written = write(&sink, changes(5, [(1, named("Ulm")), (2, wrong), (3, named("Bonn"))], &[])).await;
        let (failed, first) = failures_of(written);
        assert_eq!(failed, "the record {\"id\":2} was not written");
        assert!(first.contains("`2` was refused (400 ") && first.contains("large"), "{first}");
        assert_eq!(server.names(1..4).await.len(), 2);
        // Corrected, it is written by the same version.
        write(&sink, changes(5, [(2, json!({ "name": "Trier", "size": 3 }))], &[])).await.unwrap();
        assert_eq!(server.names(1..4).await.len(), 3);
    }

    async fn ids_and_routing_follow_the_key(server: Server) {
        let sink = sink_at(server.port()).id(|key| format!("city/{} ?", key.value())).routing(|key| format!("r{}", key.value() % 2));
        write(&sink, changes(1, [(1, named("Ulm")), (2, named("Bonn"))], &[])).await.unwrap();
        let answer = server.ask("GET", "/cities/_doc/city%2F1%20%3F?routing=r1", Json::Null).await;
        assert_eq!((&answer.json()["_source"], &answer.json()["_routing"]), (&named("Ulm"), &json!("r1")));
        write(&sink, changes(2, [], &[1])).await.unwrap();
        assert_eq!(server.ask("GET", "/cities/_doc/city%2F1%20%3F?routing=r1", Json::Null).await.status(), 404);
    }

    async fn each_key_may_have_an_index_of_its_own(server: Server) {
        let sink = sink_at(server.port()).index_by(|key| format!("tenant-{}", key.value() % 2));
        write(&sink, changes(1, [(1, named("Ulm")), (2, named("Bonn")), (3, named("Trier"))], &[])).await.unwrap();
        write(&sink, changes(2, [], &[3])).await.unwrap();
        for (path, status) in [("/tenant-1/_doc/1", 200), ("/tenant-0/_doc/2", 200), ("/tenant-1/_doc/3", 404)] {
            assert_eq!(server.ask("GET", path, Json::Null).await.status(), status, "{path}");
        }
        let settings = server.ask("GET", "/tenant-1/_settings?flat_settings=true", Json::Null).await.json();
        assert_eq!(settings["tenant-1"]["settings"]["index.gc_deletes"], "1d");
        assert!(!server.has_index("cities").await);
    }
}

/// noida-db accepts it.
#[tokio::test]
async fn a_version_beyond_63_bits_names_each_record() {
    let server = Server::start(SearchEdition::OpenSearch).await;
    let sink = sink_at(server.port());
    let records = [(1, named("Ulm")), (2, named("Bonn"))];
    let (failed, first) = failures_of(write(&sink, changes(1 << 63, records, &[3])).await);
    assert!(failed.starts_with("3 records were not written"), "{failed}");
    assert!(first.contains("400"), "{first}");
}

on_each_server! {
    async fn ids_of_512_bytes_are_written_and_longer_ones_fail_alone(server: Server) {
        let id = |key: &Key<city::Entity>| "x".repeat(510 + usize::try_from(key.value()).unwrap());
        let sink = sink_at(server.port()).id(id);
        let (failed, first) = failures_of(write(&sink, changes(1, [(2, named("Ulm"))], &[3])).await);
        assert_eq!(failed, "the record {\"id\":3} was not written");
        assert!(first.contains("this one has 513"), "{first}");
        assert_eq!(server.document(&"x".repeat(512)).await, Some(named("Ulm")));
    }
}

/// What the warning is about. noida-db remembers no delete at all.
#[tokio::test]
async fn an_index_that_forgets_deletes_accepts_a_late_write() {
    let server = Server::start(SearchEdition::OpenSearch).await;
    let short = json!({ "settings": { "index": { "gc_deletes": "100ms" } } });
    let sink = ElasticsearchSink::<city::Entity>::new(client_of(&[server.port()]), "cities").create_index(short);
    write(&sink, changes(9, [], &[1])).await.unwrap();
    let late = async || write(&sink, changes(8, [(1, named("late"))], &[])).await.is_ok();
    eventually(SOON, "a late write", late).await;
}

/// For operators who copy an index by hand.
#[tokio::test]
async fn a_copy_of_an_index_keeps_its_versions_only_if_it_is_told_to() {
    let server = Server::start(SearchEdition::OpenSearch).await;
    write(&sink_at(server.port()), changes(5, [(1, named("Ulm"))], &[])).await.unwrap();
    let copy = async |name: &str, dest: Json| {
        server.ask("POST", "/_reindex?refresh=true", json!({ "source": { "index": "cities" }, "dest": dest })).await;
        let sink = ElasticsearchSink::<city::Entity>::new(client_of(&[server.port()]), name);
        write(&sink, changes(4, [(1, named("late"))], &[])).await.is_ok()
    };
    assert!(copy("plain", json!({ "index": "plain" })).await, "the copy's versions begin at one");
    assert!(!copy("versioned", json!({ "index": "versioned", "version_type": "external" })).await);
}
