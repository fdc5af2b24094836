//! Options that cannot work are refused before anything starts, by an error that names the option and the reason.

use std::time::Duration;

use redstream_core::{ConnectOptions, Error, Redstream, Result, Start, Supervisor, SyncToken};
use serde_json::json;

use super::SOON;
use super::recorder::Recorder;
use crate::support::{redis_url, redstream};

fn refused<T: std::fmt::Debug>(result: Result<T>, expected: &str) {
    match result {
        Err(Error::InvalidOption { option, reason }) if option == expected => assert!(!reason.is_empty()),
        other => panic!("{expected}: {other:?}"),
    }
}

#[tokio::test]
async fn durations_that_redis_cannot_take() {
    const ENDLESS: Duration = Duration::MAX;
    let redstream = redstream().await;
    let products = redstream.stream("products").unwrap();
    refused(products.lock("search", ENDLESS), "lock_ttl");
    let consumer = || products.consumer("search", Recorder::default());
    refused(consumer().lock_ttl(ENDLESS).run_once().await, "lock_ttl");
    refused(consumer().backoff(Duration::from_millis(1), ENDLESS).run_once().await, "backoff");
    refused(products.delayer(ENDLESS).run_once().await, "delay");
    refused(products.delayer(SOON).lock_ttl(ENDLESS).run_once().await, "lock_ttl");
    refused(products.trimmer().lock_ttl(ENDLESS).run_once().await, "lock_ttl");
    let supervisor = || Supervisor::new().with(consumer().lock_ttl(ENDLESS));
    refused(supervisor().run_until(std::future::pending::<()>()).await, "lock_ttl");
    let shards = redstream.shards("lines", 2).unwrap();
    let sharded = Supervisor::new().with(shards.consumer("search", Recorder::default()).round(ENDLESS));
    refused(sharded.run_until(std::future::pending::<()>()).await, "round");
    let confirmed = redstream.producer().confirmed_by(1, ENDLESS);
    refused(confirmed.delay(products.name(), &json!(1)).await, "confirmed_by");
    let forever = redstream.producer().confirmed_by(1, Duration::ZERO);
    refused(forever.delay(products.name(), &json!(1)).await, "confirmed_by");
    for (option, options) in [
        ("connect_timeout", ConnectOptions::new(redis_url()).connect_timeout(ENDLESS)),
        ("response_timeout", ConnectOptions::new(redis_url()).response_timeout(ENDLESS)),
        ("give_up_after", ConnectOptions::new(redis_url()).give_up_after(ENDLESS)),
    ] {
        refused(Redstream::connect(options).await, option);
    }
}

/// They wait as long as needed, as documented.
#[tokio::test]
async fn endless_waits_of_a_caller_are_none_of_them() {
    const ENDLESS: Duration = Duration::MAX;
    let redstream = redstream().await;
    let products = redstream.stream("products").unwrap();
    products.register("search", Start::Earliest).await.unwrap();
    assert!(products.pause("search", ENDLESS).await.unwrap());
    products.resume("search").await.unwrap();
    redstream.wait_until_synced("search", &SyncToken::new(), ENDLESS).await.unwrap();
    assert!(products.lock("search", SOON).unwrap().acquire_within(ENDLESS).await.unwrap().is_some());
    let (old, new) = (redstream.shards("lines", 2).unwrap(), redstream.shards("lines", 3).unwrap());
    new.generation(2).unwrap().take_over(&old, ENDLESS).await.unwrap();
    let supervisor = Supervisor::new().with(products.consumer("search", Recorder::default())).grace(ENDLESS);
    supervisor.run_until(std::future::ready(())).await.unwrap();
    let trimmer = products.trimmer().keep(ENDLESS).warn_behind(ENDLESS);
    trimmer.run_once().await.unwrap();
    let patient = products.consumer("search", Recorder::default()).batch_size(usize::MAX);
    patient.run_once().await.unwrap();
    assert_eq!(products.messages(redstream_core::MessageId::MIN, usize::MAX).await.unwrap(), []);
}

#[tokio::test]
async fn a_node_without_sentinels() {
    for options in [ConnectOptions::new(redis_url()), ConnectOptions::cluster([redis_url()])] {
        refused(Redstream::connect(options.node("redis://:secret@127.0.0.1/3")).await, "node");
    }
}

#[tokio::test]
async fn a_database_number_where_there_is_one_database() {
    refused(
        Redstream::connect(ConnectOptions::cluster(["redis://127.0.0.1:1/0", "redis://127.0.0.1:1/3"])).await,
        "cluster",
    );
    refused(Redstream::connect(ConnectOptions::sentinel(["redis://127.0.0.1:1/3"], "main")).await, "sentinel");
}

#[tokio::test]
async fn credentials_that_would_connect_elsewhere_or_as_somebody_else() {
    const SECRET: &str = "s3cr3t";
    for url in [
        format!("redis://shop:12#{SECRET}@127.0.0.1/"),
        format!("redis://:{SECRET}#x@127.0.0.1/"),
        format!("rediss://shop:{SECRET}@127.0.0.1/#insecure"),
        format!("redis://shop:1/{SECRET}@127.0.0.1/"),
        format!("redis://shop:1?{SECRET}@127.0.0.1/"),
        "redis://shop:@127.0.0.1/".to_owned(),
        "redis://shop@127.0.0.1/".to_owned(),
    ] {
        let node = ConnectOptions::sentinel(["redis://127.0.0.1:1/"], "main").node(url.as_str());
        let (cluster, sentinel) = (ConnectOptions::cluster([&url]), ConnectOptions::sentinel([&url], "main"));
        for options in [ConnectOptions::new(url.as_str()), cluster, sentinel, node] {
            let error = Redstream::connect(options.lazy()).await.unwrap_err();
            let told = format!("{error} {error:?}");
            assert!(matches!(error, Error::InvalidOption { option: "url", .. }), "{url}: {told}");
            assert!(!told.contains(SECRET) && !told.contains("shop"), "{told}");
        }
    }
}

#[tokio::test]
async fn namespaces_that_widen_a_rule_of_access() {
    for namespace in ["*", "shop?", "sh[aeiou]p", "shop\\"] {
        let error = Redstream::connect(ConnectOptions::new(redis_url()).namespace(namespace)).await.unwrap_err();
        assert!(matches!(error, Error::InvalidName { what: "namespace", .. }), "{namespace}: {error:?}");
        assert!(error.to_string().contains("rule"), "{error}");
    }
}
