//! The trimmer: never beyond the offset of a consumer.

use std::time::Duration;

use redstream_core::{CancellationToken, Error, MessageId, Start, Stream, Trimmed};

use super::SOON;
use super::recorder::Recorder;
use crate::support::{Logs, eventually, namespace, raw_redis, redis_url, redstream, redstream_at};

/// A stream with messages of these ids.
async fn products(namespace: &str, ids: &[&str]) -> Stream {
    let mut raw = raw_redis(&redis_url()).await;
    for id in ids {
        let _: String = redis::cmd("XADD")
            .arg(format!("{namespace}:redstream:stream:products"))
            .arg(id)
            .arg("payload")
            .arg("1")
            .query_async(&mut raw)
            .await
            .unwrap();
    }
    redstream_at(&redis_url(), namespace).await.stream("products").unwrap()
}

async fn read(products: &Stream, consumer: &str, messages: usize) {
    products.consumer(consumer, Recorder::default()).batch_size(messages).run_once().await.unwrap();
}

async fn left(products: &Stream) -> Vec<MessageId> {
    let rest = Recorder::default();
    products.consumer("looks-at-what-is-left", rest.clone()).run_once().await.unwrap();
    products.forget("looks-at-what-is-left").await.unwrap();
    rest.ids()
}

#[tokio::test]
async fn removes_what_all_have_committed() {
    let products = products(&namespace(), &["1-0", "2-0", "3-0", "4-0"]).await;
    read(&products, "search", 3).await;
    read(&products, "cache", 2).await;
    assert_eq!(products.trimmer().run_once().await.unwrap(), Trimmed::Removed(2));
    assert_eq!(left(&products).await, [MessageId::new(3, 0), MessageId::new(4, 0)]);
    assert_eq!(products.trimmer().run_once().await.unwrap(), Trimmed::Removed(0));
}

#[tokio::test]
async fn compares_ids_as_numbers() {
    let products = products(&namespace(), &["5-8", "5-9", "5-10", "5-11"]).await;
    read(&products, "search", 3).await;
    read(&products, "cache", 2).await;
    // As text 5-10, which `search` has committed, comes before 5-9, which `cache` has.
    assert_eq!(products.trimmer().run_once().await.unwrap(), Trimmed::Removed(2));
    let rest = Recorder::default();
    products.consumer("cache", rest.clone()).run_once().await.unwrap();
    assert_eq!(rest.ids(), [MessageId::new(5, 10), MessageId::new(5, 11)]);
}

#[tokio::test]
async fn a_consumer_without_offset_keeps_everything() {
    let products = products(&namespace(), &["1-0", "2-0"]).await;
    read(&products, "search", 2).await;
    products.register("cache", Start::Earliest).await.unwrap();
    assert_eq!(products.trimmer().run_once().await.unwrap(), Trimmed::WaitingFor("cache".to_owned()));
    assert_eq!(products.len().await.unwrap(), 2);

    products.forget("cache").await.unwrap();
    products.forget("cache").await.expect_err("it is gone");
    assert_eq!(products.trimmer().run_once().await.unwrap(), Trimmed::Removed(2));
}

#[tokio::test]
async fn a_consumer_that_stands_by_is_waited_for() {
    let namespace = namespace();
    let products = products(&namespace, &["1-0"]).await;
    read(&products, "search", 1).await;
    let shutdown = CancellationToken::new();
    // Another program holds its lock, so it stands by without having committed.
    let mut raw = raw_redis(&redis_url()).await;
    let lock = format!("{namespace}:redstream:lock:consumer:products:cache");
    let () =
        redis::cmd("SET").arg(&lock).arg("f".repeat(32)).arg("PX").arg(60_000).query_async(&mut raw).await.unwrap();
    let standby = tokio::spawn({
        let (consumer, shutdown) = (products.consumer("cache", Recorder::default()), shutdown.clone());
        async move { consumer.run(shutdown).await }
    });
    eventually(SOON, "its registration", async || products.consumers().await.unwrap().len() == 2).await;
    assert_eq!(products.trimmer().run_once().await.unwrap(), Trimmed::WaitingFor("cache".to_owned()));
    shutdown.cancel();
    standby.await.unwrap().unwrap();
}

#[tokio::test]
async fn waits_for_consumers_that_are_only_listed() {
    let namespace = namespace();
    let products = products(&namespace, &["1-0", "2-0"]).await;
    read(&products, "search", 2).await;
    let trimmer = products.trimmer().also("ruby");
    assert_eq!(trimmer.run_once().await.unwrap(), Trimmed::WaitingFor("ruby".to_owned()));

    let mut raw = raw_redis(&redis_url()).await;
    let offset = format!("{namespace}:redstream:offset:products:ruby");
    let () = redis::cmd("SET").arg(offset).arg("1-0").query_async(&mut raw).await.unwrap();
    assert_eq!(trimmer.run_once().await.unwrap(), Trimmed::Removed(1));
}

#[tokio::test]
async fn without_any_consumer_nothing_is_removed() {
    let products = products(&namespace(), &["1-0"]).await;
    assert_eq!(products.trimmer().run_once().await.unwrap(), Trimmed::NoConsumers);
    assert_eq!(products.len().await.unwrap(), 1);
}

#[tokio::test]
async fn keeps_what_is_younger_than_the_retention() {
    let namespace = namespace();
    let products = products(&namespace, &["1-0", "2-0"]).await;
    let redstream = redstream_at(&redis_url(), &namespace).await;
    let young = redstream.producer().queue(products.name(), &1).await.unwrap();
    read(&products, "search", 3).await;
    let trimmer = products.trimmer().keep(Duration::from_secs(3600));
    assert_eq!(trimmer.run_once().await.unwrap(), Trimmed::Removed(2));
    assert_eq!(left(&products).await, [young]);
}

#[tokio::test]
async fn expiry_by_age_warns_of_what_was_not_read() {
    let namespace = namespace();
    let products = products(&namespace, &["1-0", "2-0", "3-0"]).await;
    let redstream = redstream_at(&redis_url(), &namespace).await;
    let young = redstream.producer().queue(products.name(), &1).await.unwrap();
    read(&products, "search", 2).await;
    let logs = Logs::capture();
    let trimmer = products.trimmer().expire_after(Duration::from_secs(3600));
    assert_eq!(trimmer.run_once().await.unwrap(), Trimmed::Removed(3));
    assert!(logs.has(&["WARN", "unread=1", "products"]), "{}", logs.text());
    assert_eq!(left(&products).await, [young]);

    assert_eq!(trimmer.run_once().await.unwrap(), Trimmed::Removed(0));
}

#[tokio::test]
async fn an_offset_beyond_the_stream_stops_it() {
    let namespace = namespace();
    let products = products(&namespace, &["5-0"]).await;
    read(&products, "search", 1).await;
    let mut raw = raw_redis(&redis_url()).await;
    let offset = format!("{namespace}:redstream:offset:products:search");
    let () = redis::cmd("SET").arg(offset).arg("9-0").query_async(&mut raw).await.unwrap();
    match products.trimmer().run_once().await.unwrap() {
        Trimmed::OffsetBeyondStream { consumer, offset, last } => {
            assert_eq!((consumer.as_str(), offset, last), ("search", MessageId::new(9, 0), MessageId::new(5, 0)));
        }
        other => panic!("{other:?}"),
    }
    assert_eq!(products.len().await.unwrap(), 1);
}

#[tokio::test]
async fn runs_in_intervals_and_one_at_a_time() {
    let namespace = namespace();
    let products = products(&namespace, &["1-0"]).await;
    let shutdown = CancellationToken::new();
    let trimmers: Vec<_> = (0..2)
        .map(|_| {
            let (trimmer, shutdown) = (products.trimmer().interval(Duration::from_millis(20)), shutdown.clone());
            tokio::spawn(async move { trimmer.run(shutdown).await })
        })
        .collect();
    read(&products, "search", 1).await;
    eventually(SOON, "the sweep", async || products.len().await.unwrap() == 0).await;
    assert_eq!(products.trimmer().run_once().await.unwrap(), Trimmed::Standby);
    shutdown.cancel();
    for trimmer in trimmers {
        trimmer.await.unwrap().unwrap();
    }
}

#[tokio::test]
async fn options_that_cannot_work_are_refused() {
    let products = redstream().await.stream("products").unwrap();
    for (trimmer, option) in [
        (products.trimmer().interval(Duration::ZERO), "interval"),
        (products.trimmer().expire_after(Duration::ZERO), "expire_after"),
    ] {
        let error = trimmer.run_once().await.unwrap_err();
        assert!(matches!(&error, Error::InvalidOption { option: named, .. } if *named == option), "{error}");
    }
    let error = products.trimmer().also("").run_once().await.unwrap_err();
    assert!(matches!(error, Error::InvalidName { .. }), "{error}");
}

#[tokio::test]
async fn a_consumer_that_falls_behind_is_warned_of_once_and_its_return_is_told() {
    let namespace = namespace();
    let products = products(&namespace, &["1-0", "2-0"]).await;
    products.register("search", Start::Earliest).await.unwrap();
    let logs = Logs::capture();
    let shutdown = CancellationToken::new();
    let running = tokio::spawn({
        let trimmer = products.trimmer().interval(Duration::from_millis(10)).warn_behind(Duration::from_secs(3600));
        let shutdown = shutdown.clone();
        async move { trimmer.run(shutdown).await }
    });
    eventually(SOON, "the warning", async || logs.has(&["WARN", "far behind", "search"])).await;
    let swept = logs.text().matches("swept").count();
    eventually(SOON, "more sweeps", async || logs.text().matches("swept").count() > swept + 3).await;
    assert_eq!(logs.text().matches("far behind").count(), 1, "{}", logs.text());
    read(&products, "search", 2).await;
    eventually(SOON, "its return", async || logs.has(&["caught up", "search"])).await;
    shutdown.cancel();
    running.await.unwrap().unwrap();
}

/// For example a misspelled name.
#[tokio::test]
async fn a_listed_consumer_that_never_comes_is_warned_of() {
    let products = products(&namespace(), &["1-0"]).await;
    read(&products, "search", 1).await;
    let (logs, shutdown) = (Logs::capture(), CancellationToken::new());
    let running = tokio::spawn({
        let (trimmer, shutdown) = (products.trimmer().also("serach"), shutdown.clone());
        async move { trimmer.run(shutdown).await }
    });
    eventually(SOON, "the warning", async || logs.has(&["WARN", "far behind", "serach"])).await;
    assert_eq!(products.len().await.unwrap(), 1, "it keeps everything");
    shutdown.cancel();
    running.await.unwrap().unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_consumer_saw_when_it_registered_is_not_trimmed_by_a_sweep_that_had_begun() {
    let namespace = namespace();
    let redstream = redstream_at(&redis_url(), &namespace).await;
    let products = redstream.stream("products").unwrap();
    let search = products.lock("search", Duration::from_secs(60)).unwrap().try_acquire().await.unwrap().unwrap();
    let shutdown = CancellationToken::new();
    let sweeping = tokio::spawn({
        let (trimmer, shutdown) = (products.trimmer().interval(Duration::from_micros(1)), shutdown.clone());
        async move { trimmer.run(shutdown).await }
    });
    for round in 0..500 {
        let id = redstream.producer().queue(products.name(), &round).await.unwrap();
        products.offsets().commit(&search, id).await.unwrap();
        products.register("cache", Start::Earliest).await.unwrap();
        let seen = products.len().await.unwrap();
        // Longer than what is left of a sweep.
        for _ in 0..10 {
            assert_eq!(products.len().await.unwrap(), seen, "in round {round}");
        }
        products.forget("cache").await.unwrap();
    }
    shutdown.cancel();
    sweeping.await.unwrap().unwrap();
}

/// Another team reads the stream by a consumer group, and has acknowledged the first message only.
#[tokio::test]
async fn groups_of_others_are_spared_if_redis_can_and_told_of() {
    let namespace = namespace();
    let products = products(&namespace, &["1-0", "2-0", "3-0"]).await;
    let (mut raw, key) = (raw_redis(&redis_url()).await, format!("{namespace}:redstream:stream:products"));
    let commands: [&[&str]; 3] = [
        &["XGROUP", "CREATE", &key, "others", "0"],
        &["XREADGROUP", "GROUP", "others", "one", "COUNT", "2", "STREAMS", &key, ">"],
        &["XACK", &key, "others", "1-0"],
    ];
    for command in commands {
        redis::cmd(command[0]).arg(&command[1..]).exec_async(&mut raw).await.unwrap();
    }
    read(&products, "search", 3).await;
    let logs = Logs::capture();
    let trimmer = products.trimmer();
    let trimmed = trimmer.run_once().await.unwrap();
    // Tried on a stream that does not exist.
    let try_acked = redis::cmd("XTRIM").arg(format!("{key}.none")).arg(&["MINID", "=", "1-0", "ACKED"]).to_owned();
    if try_acked.exec_async(&mut raw).await.is_ok() {
        assert_eq!(trimmed, Trimmed::Removed(1));
        assert!(logs.has(&["WARN", "groups of others", "products"]), "{}", logs.text());
        for id in ["2-0", "3-0"] {
            let read = redis::cmd("XREADGROUP").arg(&["GROUP", "others", "one", "STREAMS", &key, ">"]).to_owned();
            read.exec_async(&mut raw).await.unwrap();
            redis::cmd("XACK").arg(&[&key, "others", id]).exec_async(&mut raw).await.unwrap();
        }
        assert_eq!(trimmer.run_once().await.unwrap(), Trimmed::Removed(2), "once they have acknowledged them");
    } else {
        assert_eq!(trimmed, Trimmed::Removed(3));
        assert!(logs.has(&["WARN", "cannot spare", "products"]), "{}", logs.text());
    }
    trimmer.run_once().await.unwrap();
    assert_eq!(logs.text().lines().filter(|line| line.contains("WARN")).count(), 1, "told once: {}", logs.text());
}
