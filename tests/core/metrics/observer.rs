//! The gauges of an observer: of what there is, of what is gone, and how many.

use std::time::Duration;

use metrics_util::debugging::DebuggingRecorder;
use redstream_core::{Batch, HandlerError, NewMessage, Payload, Redstream, Start, Stream, Supervisor};

use super::*;

/// How often an observer looks that a test waits for.
const OFTEN: Duration = Duration::from_millis(20);

async fn add(redstream: &Redstream, stream: &Stream, messages: u64) {
    let message = |id: u64| NewMessage::new(stream.name().clone(), Payload::encode(&id).unwrap());
    redstream.producer().queue_all(&(0..messages).map(message).collect::<Vec<_>>()).await.unwrap();
}

#[tokio::test]
async fn what_there_is_has_gauges_and_what_is_gone_has_none() {
    let recorder = DebuggingRecorder::new();
    let (_guard, mut meter) = (set_default_local_recorder(&recorder), Meter::new(&recorder));
    let own = namespace();
    let redstream = redstream_at(&redis_url(), &own).await;
    let products = redstream.stream("products").unwrap();
    let search = products.consumer("search", async |batch: Batch| {
        Err::<(), _>(HandlerError::permanent(batch.messages()[0].id(), "it is bad"))
    });
    products.register("cache", Start::Earliest).await.unwrap();
    add(&redstream, &products, 1).await;
    let dead_letters = products.dead_letters("search").unwrap();
    let dead = eventually(SOON, "the dead letter", async || dead_letters.count().await.is_ok_and(|dead| dead == 1));
    Supervisor::new().with(search).run_until(dead).await.unwrap();
    eventually(SOON, "it to be committed", async || products.lag("search").await.unwrap() == 0).await;
    add(&redstream, &products, 4).await;
    redstream.producer().delay(products.name(), &1).await.unwrap();
    assert!(products.pause("cache", SOON).await.unwrap());

    let observer = redstream.observer();
    assert!(observer.run_once().await.unwrap());
    meter.update();
    let stream = format!("{own} products");
    let (search, cache) = (format!("{stream} search"), format!("{stream} cache"));
    for (name, labels, value) in [
        (names::STREAMS, &own, 1.0),
        (names::DELAY_ENTRIES, &stream, 1.0),
        (names::DELAYER_RUNNING, &stream, 0.0),
        (names::TRIMMER_RUNNING, &stream, 0.0),
        (names::LAG, &search, 4.0),
        (names::LAG, &cache, 5.0),
        (names::CONSUMER_RUNNING, &search, 0.0),
        (names::CONSUMER_PAUSED, &search, 0.0),
        (names::CONSUMER_PAUSED, &cache, 1.0),
        (names::DEAD_LETTERS, &search, 1.0),
        (names::DEAD_LETTERS, &cache, 0.0),
        (names::PROBLEMS, &format!("{own} dead_letters error"), 1.0),
        (names::PROBLEMS, &format!("{own} paused note"), 1.0),
    ] {
        assert_eq!(meter.seen(name, labels), Some(value), "{name} {labels}");
    }
    for (name, labels) in [(names::OBSERVED, &own), (names::ENTRIES, &stream), (names::BYTES, &stream)] {
        assert!(meter.seen(name, labels) > Some(0.0), "{name} {labels}");
    }
    // Less than a millisecond counts as none.
    assert!(meter.seen(names::LAG_SECONDS, &search).is_some() && meter.seen(names::DELAY_OLDEST, &stream).is_some());
    assert_eq!(meter.seen(names::DELAY, &stream), None, "no delayer ever ran");
    let server = meter.values.keys().find_map(|key| key.strip_prefix(names::REDIS_USED)).unwrap().trim().to_owned();
    assert!(server.starts_with(&format!("{own} 127.0.0.1:")), "{server}");
    assert!(meter.seen(names::REDIS_USED, &server) > Some(0.0));
    assert!(meter.seen(names::REDIS_MAX, &server).is_some() && meter.seen(names::REDIS_EVICTS, &server).is_some());

    products.forget("cache").await.unwrap();
    products.delayer(Duration::from_secs(77)).run_once().await.unwrap();
    assert!(observer.run_once().await.unwrap());
    meter.update();
    assert_eq!(meter.seen(names::DELAY, &stream), Some(77.0));
    assert_eq!(meter.seen(names::PROBLEMS, &format!("{own} paused note")), Some(0.0), "it is solved");
    for name in [names::LAG, names::LAG_SECONDS, names::CONSUMER_PAUSED, names::DEAD_LETTERS] {
        assert!(meter.seen(name, &cache).unwrap().is_nan(), "{name}: it is forgotten");
    }
    assert_eq!(meter.seen(names::LAG, &search), Some(4.0));
    products.register("cache", Start::Earliest).await.unwrap();
    assert!(observer.run_once().await.unwrap());
    meter.update();
    assert_eq!(meter.seen(names::LAG, &cache), Some(5.0), "it is there again");
}

#[tokio::test]
async fn one_host_observes_and_its_gauges_end_with_it() {
    let recorder = DebuggingRecorder::new();
    let (_guard, mut meter) = (set_default_local_recorder(&recorder), Meter::new(&recorder));
    let own = namespace();
    let redstream = redstream_at(&redis_url(), &own).await;
    let products = redstream.stream("products").unwrap();
    products.register("search", Start::Earliest).await.unwrap();
    let search = format!("{own} products search");
    let work = async {
        eventually(SOON, "a look", async || meter.read(names::LAG, &search) == Some(0.0)).await;
        assert!(!redstream.observer().run_once().await.unwrap(), "another host observes");
        add(&redstream, &products, 2).await;
        eventually(SOON, "the next look", async || meter.read(names::LAG, &search) == Some(2.0)).await;
    };
    Supervisor::new().with(redstream.observer().every(OFTEN)).run_until(work).await.unwrap();
    meter.update();
    assert!(meter.seen(names::LAG, &search).unwrap().is_nan(), "a standby would show what was");
    assert!(meter.seen(names::STREAMS, &own).unwrap().is_nan());
    assert!(!meter.seen(names::OBSERVED, &own).unwrap().is_nan(), "an alert compares it with the time");
    assert!(redstream.observer().run_once().await.unwrap(), "the lock is free");
    meter.update();
    assert_eq!(meter.seen(names::LAG, &search), Some(2.0));
}

#[tokio::test]
async fn streams_beyond_the_bound_share_series() {
    let recorder = DebuggingRecorder::new();
    let (_guard, mut meter) = (set_default_local_recorder(&recorder), Meter::new(&recorder));
    let own = namespace();
    let redstream = redstream_at(&redis_url(), &own).await;
    for number in 0..6 {
        let stream = redstream.stream(format!("stream-{number}")).unwrap();
        stream.register("search", Start::Earliest).await.unwrap();
        stream.register("cache", Start::Earliest).await.unwrap();
        add(&redstream, &stream, number).await;
    }
    // Of two of the others a delayer has run: the later one is shown, with its own delay.
    for (number, delay) in [(4, 1000), (5, 1)] {
        let stream = redstream.stream(format!("stream-{number}")).unwrap();
        redstream.producer().delay(stream.name(), &1).await.unwrap();
        stream.delayer(Duration::from_secs(delay)).run_once().await.unwrap();
    }
    let observer = redstream.observer().most_streams(2);
    assert!(observer.run_once().await.unwrap());
    meter.update();
    let streams = |meter: &Meter, name: &str| {
        let rest = |key: &String| Some(key.strip_prefix(&format!("{name} {own} "))?.to_owned());
        let mut streams: Vec<_> = meter.values.keys().filter_map(rest).collect();
        streams.sort();
        streams
    };
    assert_eq!(meter.seen(names::STREAMS, &own), Some(6.0));
    assert_eq!(streams(&meter, names::ENTRIES), ["other", "stream-0", "stream-1"]);
    let consumers = ["other other", "stream-0 cache", "stream-0 search", "stream-1 cache", "stream-1 search"];
    assert_eq!(streams(&meter, names::LAG), consumers);
    assert_eq!(meter.seen(names::LAG, &format!("{own} other other")), Some(2.0 * f64::from(2 + 3 + 4 + 5)));
    assert_eq!(meter.seen(names::LAG, &format!("{own} stream-1 search")), Some(1.0));
    assert_eq!(meter.seen(names::DELAY, &format!("{own} other")), Some(1.0));

    // A stream that is gone keeps its place, so that series do not add up.
    let mut raw = raw_redis(&redis_url()).await;
    for key in ["stream:stream-0", "consumers:stream-0"] {
        redis::cmd("DEL").arg(format!("{own}:redstream:{key}")).exec_async(&mut raw).await.unwrap();
    }
    assert!(observer.run_once().await.unwrap());
    meter.update();
    assert_eq!(meter.seen(names::STREAMS, &own), Some(5.0));
    assert!(meter.seen(names::ENTRIES, &format!("{own} stream-0")).unwrap().is_nan());
    assert_eq!(streams(&meter, names::ENTRIES), ["other", "stream-0", "stream-1"]);
}
