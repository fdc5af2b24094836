//! A Redis that dies, hangs and comes back: workers go on from what is stored.

use std::time::Duration;

use redstream_core::{ConnectOptions, Redstream, Supervisor};
use serde_json::json;

use super::SOON;
use super::recorder::Recorder;
use crate::support::{eventually, private_redis};

/// Longer than any pause between two attempts to connect.
const BACK: Duration = Duration::from_secs(40);

#[tokio::test]
async fn workers_go_on_after_redis_was_killed_and_restarted() {
    let mut server = private_redis().await;
    let redstream = Redstream::connect(server.url()).await.unwrap();
    let products = redstream.stream("products").unwrap();
    let seen = Recorder::default();
    let pauses = (Duration::from_millis(10), Duration::from_millis(200));
    let supervisor = Supervisor::new()
        .with(products.consumer("search", seen.clone()).backoff(pauses.0, pauses.1))
        .with(products.delayer(Duration::from_millis(500)))
        .with(products.trimmer().interval(Duration::from_millis(50)));
    let story = async {
        redstream.producer().queue(products.name(), &json!({"id": 1})).await.unwrap();
        eventually(SOON, "the first message", async || seen.len() == 1).await;
        redstream.producer().delay(products.name(), &json!({"id": 2})).await.unwrap();

        server.kill().unwrap();
        assert!(redstream.producer().queue(products.name(), &json!({"id": 3})).await.is_err());
        server.restart().unwrap();

        redstream.producer().queue(products.name(), &json!({"id": 4})).await.unwrap();
        eventually(BACK, "the message that was queued after the restart", async || {
            seen.payloads().contains(&json!({"id": 4}))
        })
        .await;
        eventually(BACK, "the delay message from before the restart", async || {
            seen.payloads().contains(&json!({"id": 2}))
        })
        .await;
        eventually(BACK, "the trimmer", async || products.is_empty().await.unwrap_or(false)).await;
    };
    supervisor.run_until(story).await.unwrap();
}

#[tokio::test]
async fn a_consumer_lives_through_a_redis_that_hangs() {
    let server = private_redis().await;
    let options = ConnectOptions::new(server.url()).response_timeout(Duration::from_millis(200));
    let redstream = Redstream::connect(options).await.unwrap();
    let products = redstream.stream("products").unwrap();
    let seen = Recorder::default();
    let consumer = products
        .consumer("search", seen.clone())
        .lock_ttl(Duration::from_millis(300))
        .backoff(Duration::from_millis(10), Duration::from_millis(200));
    let story = async {
        redstream.producer().queue(products.name(), &1).await.unwrap();
        eventually(SOON, "the first message", async || seen.len() == 1).await;
        server.pause().unwrap();
        assert!(redstream.producer().queue(products.name(), &2).await.is_err(), "the hang is noticed");
        server.resume().unwrap();
        redstream.producer().queue(products.name(), &3).await.unwrap();
        eventually(BACK, "what was queued after the hang", async || seen.payloads().contains(&json!(3))).await;
    };
    Supervisor::new().with(consumer).run_until(story).await.unwrap();
}

#[tokio::test]
async fn shutdown_is_prompt_while_redis_is_away() {
    let mut server = private_redis().await;
    let redstream = Redstream::connect(server.url()).await.unwrap();
    let products = redstream.stream("products").unwrap();
    let seen = Recorder::default();
    let supervisor = Supervisor::new().with(products.consumer("search", seen.clone())).grace(SOON);
    let away = async {
        redstream.producer().queue(products.name(), &1).await.unwrap();
        eventually(SOON, "the message", async || seen.len() == 1).await;
        server.kill().unwrap();
    };
    tokio::time::timeout(BACK, supervisor.run_until(away)).await.expect("it stops").unwrap();
}
