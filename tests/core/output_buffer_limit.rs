//! `client-output-buffer-limit`: Redis closes a connection whose reply is too large for it, without an error reply.

use std::time::Duration;

use redstream_core::{CancellationToken, ConnectOptions, Redstream, Worker};
use redstream_servers::{Redis, RedisOptions};
use serde_json::json;

use super::SOON;
use super::recorder::Recorder;
use crate::support::{Logs, eventually, raw_redis};

/// Of which four fit into a reply.
const LARGE: usize = 64 << 10;

/// Replies of more than 320 KiB are cut off.
async fn strict() -> Redis {
    let options = RedisOptions::new().arg("--client-output-buffer-limit").arg("normal 327680 0 0");
    tokio::task::spawn_blocking(|| options.start()).await.unwrap().unwrap()
}

fn run(worker: impl Worker) -> (CancellationToken, tokio::task::JoinHandle<redstream_core::Result<()>>) {
    let shutdown = CancellationToken::new();
    let token = shutdown.clone();
    (shutdown, tokio::spawn(async move { worker.run(token).await }))
}

/// Our own protocol code, and redis-rs, which is used for RESP3.
#[tokio::test]
async fn a_consumer_whose_replies_are_too_large_asks_for_less_and_goes_on() {
    let server = strict().await;
    let redstream = Redstream::connect(server.url()).await.unwrap();
    let products = redstream.stream("products").unwrap();
    let payload = "x".repeat(LARGE);
    for n in 0..40 {
        redstream.producer().queue(products.name(), &json!([n, payload])).await.unwrap();
    }
    let weighed = Redstream::connect(ConnectOptions::new(format!("{}?protocol=resp3", server.url()))).await.unwrap();
    let weighed = weighed.stream("products").unwrap();
    for (stream, name) in [(&products, "straight"), (&weighed, "weighed")] {
        let seen = Recorder::default();
        let pauses = (Duration::from_millis(10), Duration::from_millis(20));
        let (stop, running) = run(stream.consumer(name, seen.clone()).backoff(pauses.0, pauses.1));
        eventually(SOON * 3, "all messages", async || seen.len() >= 40).await;
        let keys: Vec<u64> = seen.payloads().iter().map(|payload| payload[0].as_u64().unwrap()).collect();
        assert_eq!(keys, (0..40).collect::<Vec<_>>(), "{name}: each once, in order");
        stop.cancel();
        running.await.unwrap().unwrap();
    }
    // The delayer reads through the same sources.
    for n in 0..20 {
        redstream.producer().delay(products.name(), &json!([n, payload])).await.unwrap();
    }
    let (stop, running) = run(products.delayer(Duration::from_millis(1)));
    eventually(SOON * 3, "all delay messages", async || products.delay_len().await.unwrap() == 0).await;
    stop.cancel();
    running.await.unwrap().unwrap();
}

#[tokio::test]
async fn dead_letters_that_are_too_large_for_one_page_are_taken_in_smaller_ones() {
    let server = strict().await;
    let redstream = Redstream::connect(server.url()).await.unwrap();
    let products = redstream.stream("products").unwrap();
    let mut raw = raw_redis(&server.url()).await;
    for n in 0..20 {
        let xadd = redis::cmd("XADD")
            .arg("redstream:stream:products.dead.search")
            .arg("*")
            .arg(&["payload", &"x".repeat(LARGE), "message_id", &format!("1-{n}"), "error", "none", "attempts", "5"])
            .to_owned();
        xadd.exec_async(&mut raw).await.unwrap();
    }
    assert_eq!(products.dead_letters("search").unwrap().redrive_all().await.unwrap(), 20);
    assert_eq!(products.len().await.unwrap(), 20);
}

#[tokio::test]
async fn one_message_that_is_too_large_is_told_of_with_the_setting() {
    let server = strict().await;
    let redstream = Redstream::connect(server.url()).await.unwrap();
    let products = redstream.stream("products").unwrap();
    redstream.producer().queue(products.name(), &json!("x".repeat(8 * LARGE))).await.unwrap();
    let logs = Logs::capture();
    let pauses = (Duration::from_millis(10), Duration::from_millis(20));
    let seen = Recorder::default();
    let (stop, running) = run(products.consumer("search", seen.clone()).backoff(pauses.0, pauses.1));
    eventually(SOON, "the error", async || logs.has(&["ERROR", "client-output-buffer-limit", "products"])).await;
    let set = redis::cmd("CONFIG").arg("SET").arg("client-output-buffer-limit").arg("normal 0 0 0").to_owned();
    set.exec_async(&mut raw_redis(&server.url()).await).await.unwrap();
    eventually(SOON, "the message", async || seen.len() == 1).await;
    stop.cancel();
    running.await.unwrap().unwrap();
}
