//! A Redis that is full, silent, or loses replies.

use redstream_proxy::{Fault, Proxy};

use super::*;
use crate::support::redis_code;

on_each_form! {
    async fn lost_replies_change_nothing(server: Server) {
        let proxy = Proxy::start(server.redis.port()).await.unwrap();
        let sink = server.sink_at(ConnectOptions::new(proxy.url())).await;
        for (version, needle) in (1..).zip(["FT.CREATE", "EVALSHA", "FT.SEARCH", "FT.INFO"]) {
            proxy.strike(needle, Fault::BreakInstead, 1);
            write(&sink, changes(version, [named(1, needle), named(2, "Bonn")], &[3])).await.unwrap();
            assert_eq!(server.search("*").await, ["city:1", "city:2"], "{needle}");
        }
        assert_eq!(proxy.struck(), 4);
    }

    async fn a_full_redis_fails_the_batch_and_changes_no_document(server: Server) {
        let sink = server.sink().await;
        write(&sink, changes(5, [named(1, "Ulm"), named(2, "Bonn")], &[])).await.unwrap();
        server.ask::<()>("CONFIG", &["SET", "maxmemory", "1"]).await;
        let Error::Redis { source, .. } = error_of(write(&sink, changes(6, [named(1, "Trier")], &[2])).await) else {
            panic!("another error")
        };
        assert_eq!(redis_code(&source).as_deref(), Some("OOM"), "{source:?}");
        server.ask::<()>("CONFIG", &["SET", "maxmemory", "0"]).await;
        assert_eq!(server.search("@name:Ulm").await, ["city:1"]);
        assert_eq!(server.search("*").await, ["city:1", "city:2"]);
        write(&sink, changes(6, [named(1, "Trier")], &[2])).await.unwrap();
        assert_eq!(server.search("*").await, ["city:1"]);
    }
}
