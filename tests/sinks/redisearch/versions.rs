//! Versions, tombstones, and what a document consists of.

use super::*;

on_each_form! {
    async fn an_equal_version_is_taken_and_an_older_one_is_superseded(server: Server) {
        let sink = server.sink().await;
        write(&sink, changes(9, [named(1, "Ulm"), named(2, "Bonn")], &[])).await.unwrap();
        write(&sink, changes(9, [named(1, "Trier")], &[])).await.unwrap();
        // 10 is higher than 9 as a number, and lower as a text.
        write(&sink, changes(10, [named(2, "Bonna")], &[])).await.unwrap();
        let late = changes(8, [named(1, "late"), named(3, "new")], &[2]);
        let (failed, _) = failures_of(write(&sink, late).await);
        assert!(failed.starts_with("2 records were not written, the first of them {\"id\":2}"), "{failed}");
        assert!(failed.ends_with("the datastore has a higher version"), "{failed}");
        assert_eq!(server.search("@name:Trier").await, ["city:1"]);
        assert_eq!(server.search("@name:Bonna").await, ["city:2"]);
        assert_eq!(server.search("@name:new").await, ["city:3"], "the others are written, and found at once");
        assert!(server.search("@name:late").await.is_empty());
    }

    async fn versions_beyond_a_double_are_told_apart(server: Server) {
        let sink = server.sink().await;
        let version = (1 << 60) + 1;
        write(&sink, changes(version + 1, [named(1, "new")], &[2])).await.unwrap();
        let late = changes(version, [named(1, "late"), named(2, "late")], &[]);
        assert!(failures_of(write(&sink, late).await).0.starts_with("2 records"));
        assert_eq!(server.search("*").await, ["city:1"]);
    }

    async fn a_delete_leaves_a_tombstone_that_no_search_finds(server: Server) {
        let sink = server.sink().await;
        write(&sink, changes(5, [named(1, "Ulm")], &[])).await.unwrap();
        write(&sink, changes(6, [], &[1, 2])).await.unwrap();
        assert!(server.search("*").await.is_empty());
        let late = changes(5, [named(1, "late"), named(2, "late")], &[]);
        assert!(failures_of(write(&sink, late).await).0.starts_with("2 records"));
        let day = 24 * 60 * 60;
        let ttl: i64 = server.ask("TTL", &["tombstone:city:1"]).await;
        assert!((day - 60..=day).contains(&ttl), "{ttl}");
        write(&sink, changes(6, [named(1, "founded again")], &[])).await.unwrap();
        assert_eq!(server.search("*").await, ["city:1"]);
        assert!(!server.has("tombstone:city:1").await);
    }

    async fn a_document_is_replaced_as_a_whole_and_keys_of_other_spellings_are_deleted(server: Server) {
        let sink = server.sink().await;
        let sized = (1, json!({ "id": 1, "name": "Ulm", "size": 3, "state": null, "free": true }));
        write(&sink, changes(5, [sized, named(2, "Bonn")], &[])).await.unwrap();
        assert_eq!(server.search("@size:[3 3]").await, ["city:1"]);
        let respelled = vec![Key::new(2)];
        write(&sink, Changes { respelled, ..changes(6, [named(1, "Ulm")], &[]) }).await.unwrap();
        assert!(server.search("@size:[3 3]").await.is_empty());
        assert_eq!(server.search("*").await, ["city:1"]);
    }

    async fn a_key_of_another_type_and_a_record_that_is_no_object_fail_alone(server: Server) {
        let sink = server.sink().await;
        server.ask::<()>("SET", &["city:2", "text"]).await;
        let batch = changes(5, [named(1, "Ulm"), named(2, "Bonn"), named(3, "Trier")], &[]);
        let (failed, first) = failures_of(write(&sink, batch).await);
        assert_eq!(failed, "the record {\"id\":2} was not written");
        assert!(first.contains("type string"), "{first}");
        assert_eq!(server.search("*").await, ["city:1", "city:3"]);
        for record in [json!("text"), json!({ "_version": 1 })] {
            let (failed, first) = failures_of(write(&sink, changes(6, [(4, record), named(1, "Ulm")], &[])).await);
            assert_eq!(failed, "the record {\"id\":4} was not written", "{first}");
        }
    }
}

#[tokio::test]
async fn a_hash_has_no_members_of_members() {
    let server = Server::hashes().await;
    let nested = (2, json!({ "id": 2, "names": ["Bonn", "Bonna"] }));
    let (failed, first) = failures_of(write(&server.sink().await, changes(5, [named(1, "Ulm"), nested], &[])).await);
    assert_eq!(failed, "the record {\"id\":2} was not written");
    assert!(first.contains("`names`") && first.contains("Index::json"), "{first}");
    assert_eq!(server.search("*").await, ["city:1"]);
}

/// More fields than Lua's stack takes at once.
#[tokio::test]
async fn a_hash_of_ten_thousand_fields_is_written() {
    let server = Server::hashes().await;
    let mut record: serde_json::Map<_, _> = (0..10_000).map(|nth| (format!("field{nth}"), json!(nth))).collect();
    record.insert("name".to_owned(), json!("Ulm"));
    write(&server.sink().await, changes(5, [(1, Json::Object(record))], &[])).await.unwrap();
    assert_eq!(server.search("@name:Ulm").await, ["city:1"]);
    assert_eq!(server.ask::<u64>("HLEN", &["city:1"]).await, 10_002);
}

on_each_form! {
    async fn a_record_without_values_is_a_document_and_no_delete(server: Server) {
        let sink = server.sink().await;
        write(&sink, changes(4, [named(1, "Ulm"), named(2, "Bonn")], &[])).await.unwrap();
        let empty = json!({ "name": null, "size": null });
        let written = write(&sink, changes(5, [(1, empty), named(2, "Trier")], &[])).await;
        assert!(server.has("city:1").await && !server.has("tombstone:city:1").await, "{written:?}");
        written.unwrap();
    }
}
