//! Settings of a server that can lose messages are reported, once, when connecting.

use std::time::Duration;

use redstream_core::{Error, Redstream, Risk};
use redstream_servers::{Redis, RedisOptions};

use crate::support::{Logs, redis_code};

async fn server(arguments: &[&str], append_only: bool) -> Redis {
    let mut options = RedisOptions::new().append_only(append_only);
    for argument in arguments {
        options = options.arg(*argument);
    }
    tokio::task::spawn_blocking(move || options.start()).await.unwrap().unwrap()
}

#[tokio::test]
async fn eviction_and_a_missing_append_only_file_are_warned_of() {
    let server = server(&["--maxmemory", "100mb", "--maxmemory-policy", "allkeys-lru"], false).await;
    let logs = Logs::capture();
    let redstream = Redstream::connect(server.url()).await.unwrap();
    assert_eq!(redstream.risks(), [Risk::Eviction { policy: "allkeys-lru".to_owned() }, Risk::NoAppendOnlyFile]);
    assert!(logs.has(&["WARN", "noeviction"]) && logs.has(&["WARN", "appendonly"]), "{}", logs.text());
}

#[tokio::test]
async fn a_lazy_fsync_is_warned_of_and_a_strict_one_is_not() {
    let lazy = server(&["--appendonly", "yes", "--appendfsync", "everysec"], false).await;
    let redstream = Redstream::connect(lazy.url()).await.unwrap();
    assert_eq!(redstream.risks(), [Risk::LazyFsync { appendfsync: "everysec".to_owned() }]);

    let arguments = ["--appendonly", "yes", "--appendfsync", "always", "--no-appendfsync-on-rewrite", "yes"];
    let unsynced = server(&arguments, false).await;
    let logs = Logs::capture();
    let redstream = Redstream::connect(unsynced.url()).await.unwrap();
    assert_eq!(redstream.risks(), [Risk::NoFsyncOnRewrite], "appendfsync always does not help");
    assert!(logs.has(&["WARN", "no-appendfsync-on-rewrite"]), "{}", logs.text());

    let strict = server(&["--appendonly", "yes", "--appendfsync", "always"], false).await;
    assert!(Redstream::connect(strict.url()).await.unwrap().risks().is_empty());
}

#[tokio::test]
async fn a_stream_that_has_no_room_refuses_and_says_why() {
    let server = server(&["--maxmemory", "2mb", "--maxmemory-policy", "noeviction"], false).await;
    let redstream = Redstream::connect(server.url()).await.unwrap();
    let products = redstream.stream("products").unwrap();
    let payload = "x".repeat(100_000);
    let error = loop {
        match redstream.producer().queue(products.name(), &payload).await {
            Ok(_) => assert!(products.len().await.unwrap() < 1000, "memory is short long before"),
            Err(error) => break error,
        }
    };
    assert!(matches!(error, Error::Redis { .. }) && !error.is_transient(), "{error:?}");
    assert_eq!(redis_code(&error).as_deref(), Some("OOM"), "{error:?}");
}

#[tokio::test]
async fn too_few_replicas_are_an_error_and_enough_are_none() {
    let master = server(&[], true).await;
    let redstream = Redstream::connect(master.url()).await.unwrap();
    let products = redstream.stream("products").unwrap();
    let confirmed = redstream.producer().confirmed_by(1, Duration::from_millis(200));
    let error = confirmed.delay(products.name(), &1).await.unwrap_err();
    assert!(matches!(error, Error::NotReplicated { confirmed: 0, wanted: 1, .. }), "{error}");
    // Main messages announce committed changes: their confirmation is not waited for.
    confirmed.queue(products.name(), &1).await.unwrap();

    let port = master.port().to_string();
    let replica = server(&["--replicaof", "127.0.0.1", &port], false).await;
    crate::support::eventually(super::SOON * 3, "the replica to confirm", async || {
        confirmed.delay(products.name(), &2).await.is_ok()
    })
    .await;
    drop(replica);
}
