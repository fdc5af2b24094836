//! Documents that the index leaves out without a word.

use super::*;
use crate::support::Logs;

on_each_form! {
    async fn a_value_of_the_wrong_type_fails_alone_and_is_told(server: Server) {
        let logs = Logs::capture();
        let sink = server.sink().await;
        let wrong = (2, json!({ "id": 2, "name": "Bonn", "size": "large" }));
        let batch = changes(5, [named(1, "Ulm"), wrong, named(3, "Trier")], &[]);
        let (failed, first) = failures_of(write(&sink, batch).await);
        assert_eq!(failed, "the record {\"id\":2} was not written");
        assert!(first.contains("city:2") && first.contains("no search finds it"), "{first}");
        assert!(first.to_lowercase().contains("invalid"), "the server's reason: {first}");
        assert!(server.has("city:2").await, "Redis has it");
        assert_eq!(server.search("*").await, ["city:1", "city:3"], "the index has not");
        assert!(logs.has(&["WARN", "not in the index", "city:2"]), "{}", logs.text());
        // Corrected, it is written by the same version.
        write(&sink, changes(5, [(2, json!({ "id": 2, "name": "Bonn", "size": 3 }))], &[])).await.unwrap();
        assert_eq!(server.search("*").await, ["city:1", "city:2", "city:3"]);
    }
}

/// So the sink does not rely on the server's counter of failures alone: other writers move it, too.
#[tokio::test]
async fn what_others_write_is_no_failure_of_ours() {
    let server = Server::hashes().await;
    let sink = server.sink().await;
    sink.prepare().await.unwrap();
    server.ask::<()>("HSET", &["city:9", "size", "large"]).await;
    write(&sink, changes(5, [named(1, "Ulm")], &[])).await.unwrap();
    assert_eq!(server.search("*").await, ["city:1"]);
}

#[tokio::test]
async fn an_index_with_a_filter_leaves_out_what_it_is_to_leave_out() {
    let server = Server::start(Index::hash("cities", "city:").options(["FILTER", "@name!='hidden'"])).await;
    write(&server.sink().await, changes(5, [named(1, "Ulm"), named(2, "hidden")], &[])).await.unwrap();
    assert_eq!(server.search("*").await, ["city:1"]);
}
