//! The index: created, checked, and created again.

use redstream_proxy::{Fault, Proxy};

use super::*;
use crate::support::{Logs, eventually, redis_url};

const SOON: Duration = Duration::from_secs(20);

on_each_form! {
    async fn a_missing_index_is_created_with_its_fields(server: Server) {
        server.sink().await.prepare().await.unwrap();
        assert!(server.search("@name:Ulm @size:[1 2]").await.is_empty());
        server.sink().await.prepare().await.unwrap();
    }

    async fn flushall_removes_the_index_and_the_next_write_creates_it(server: Server) {
        let sink = server.sink().await;
        write(&sink, changes(5, [named(1, "Ulm")], &[])).await.unwrap();
        server.ask::<()>("FLUSHALL", &[]).await;
        let logs = Logs::capture();
        write(&sink, changes(6, [named(2, "Bonn")], &[])).await.unwrap();
        assert_eq!(server.search("*").await, ["city:2"]);
        assert!(logs.has(&["WARN", "created again", "reindex"]), "{}", logs.text());
    }

    async fn an_index_that_is_dropped_during_a_write_is_created_and_has_the_documents(server: Server) {
        let proxy = Proxy::start(server.redis.port()).await.unwrap();
        let sink = server.sink_at(ConnectOptions::new(proxy.url())).await;
        write(&sink, changes(5, [named(1, "Ulm")], &[])).await.unwrap();
        proxy.strike("EVALSHA", Fault::Late, 1);
        let writing = tokio::spawn({
            let sink = sink.clone();
            async move { write(&sink, changes(6, [named(2, "Bonn")], &[])).await }
        });
        eventually(SOON, "the script to have run", async || server.has("city:2").await).await;
        server.ask::<()>("FT.DROPINDEX", &["cities"]).await;
        proxy.let_go();
        writing.await.unwrap().unwrap();
        assert!(server.search("*").await.contains(&"city:2".to_owned()));
        // What was there before gets in, too.
        eventually(SOON, "the other document", async || server.search("*").await.len() == 2).await;
    }
}

#[tokio::test]
async fn an_index_without_fields_must_exist() {
    let server = Server::hashes().await;
    let client = RedisClient::connect(server.redis.url()).await.unwrap();
    let sink = Cities::new(client, Index::hash("cities", "city:"));
    assert!(matches!(sink.prepare().await, Err(Error::MissingIndex { .. })));
    let error = error_of(write(&sink, changes(5, [named(1, "Ulm")], &[])).await);
    assert!(matches!(error, Error::MissingIndex { .. }), "{error}");
    assert!(!server.has("city:1").await);
    server.sink().await.prepare().await.unwrap();
    write(&sink, changes(5, [named(1, "Ulm")], &[])).await.unwrap();
}

#[tokio::test]
async fn another_index_of_this_name_is_refused() {
    let server = Server::hashes().await;
    server.sink().await.prepare().await.unwrap();
    let sink = async |index: Index| Cities::new(RedisClient::connect(server.redis.url()).await.unwrap(), index);
    for (index, what) in [
        (Index::json("cities", "city:"), "kind HASH"),
        (Index::hash("cities", "town:"), "prefix `town:`"),
        (Index::hash("cities", "city:").field(Field::tag("name")), "`name` is TEXT, not TAG"),
        (Index::hash("cities", "city:").field(Field::text("mayor")), "no field `mayor`"),
    ] {
        let error = sink(index).await.prepare().await.unwrap_err();
        assert!(matches!(&error, Error::OtherIndex { .. }) && error.to_string().contains(what), "{error}");
    }
    let error = sink(Index::hash("cities", "city:")).await.tombstones("city:dead:").prepare().await.unwrap_err();
    assert!(error.to_string().contains("tombstones"), "{error}");
    // A prefix within the index's is covered.
    sink(Index::hash("cities", "city:de:")).await.prepare().await.unwrap();
    let error = sink(Index::hash("cities", "city:")).await.version_field("a\"b").prepare().await.unwrap_err();
    assert!(matches!(error, Error::InvalidOption { option: "version_field", .. }), "{error}");
}

#[tokio::test]
async fn a_redis_without_the_module_is_an_error_of_the_batch() {
    let client = RedisClient::connect(redis_url()).await.unwrap();
    let sink = Cities::new(client, Index::hash("cities", "city:").field(Field::text("name")));
    let error = sink.prepare().await.unwrap_err();
    let Error::Redis { source, .. } = &error else { panic!("{error:?}") };
    assert!(format!("{source:?}").contains("unknown command"), "{error:?}");
}
