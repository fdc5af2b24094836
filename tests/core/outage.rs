//! A Redis that dies, hangs and recovers: workers continue from what is stored.

use std::time::Duration;

use redstream_core::{ConnectOptions, Redstream, Start, Supervisor, WorkerState};
use serde_json::json;

use super::SOON;
use super::recorder::Recorder;
use crate::support::{Logs, eventually, private_redis, redstream};

/// How many lines of at least the level WARN there are, except those of new shards.
fn warnings(logs: &Logs) -> usize {
    let is_warning =
        |line: &&str| (line.contains(" WARN ") || line.contains(" ERROR ")) && !line.contains("index it once");
    logs.text().lines().filter(is_warning).count()
}

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

#[tokio::test]
async fn workers_that_are_stopped_during_an_outage_do_not_say_that_it_is_over() {
    let mut server = private_redis().await;
    let redstream = Redstream::connect(server.url()).await.unwrap();
    let products = redstream.stream("products").unwrap();
    let logs = Logs::capture();
    let pauses = (Duration::from_millis(10), Duration::from_millis(20));
    let supervisor = Supervisor::new()
        .with(products.consumer("search", Recorder::default()).backoff(pauses.0, pauses.1))
        .with(products.trimmer());
    let health = supervisor.health();
    let story = async {
        eventually(BACK, "all to be connected", async || health.is_ready()).await;
        server.kill().unwrap();
        let is_failing = async || health.workers().iter().all(|worker| worker.state == WorkerState::Failing);
        eventually(BACK, "both to fail", is_failing).await;
    };
    supervisor.run_until(story).await.unwrap();
    assert!(logs.has(&["WARN", "Redis cannot be worked with"]), "{}", logs.text());
    assert!(!logs.has(&["Redis answers again"]), "{}", logs.text());
}

#[tokio::test]
async fn an_outage_under_many_workers_is_told_at_its_begin_and_at_its_end() {
    let mut server = private_redis().await;
    let redstream = Redstream::connect(server.url()).await.unwrap();
    let products = redstream.stream("products").unwrap();
    let pauses = (Duration::from_millis(10), Duration::from_millis(20));
    let mut supervisor = Supervisor::new().with(products.trimmer()).with(products.delayer(Duration::from_secs(60)));
    for number in 0..10 {
        let consumer = products.consumer(format!("search-{number}"), Recorder::default());
        supervisor = supervisor.with(consumer.backoff(pauses.0, pauses.1));
    }
    let shards = redstream.shards("orders", 3).unwrap();
    let supervisor = supervisor.with(shards.consumer("search", Recorder::default()));
    let health = supervisor.health();
    let mut logs = None;
    let story = async {
        eventually(BACK, "all to be connected", async || health.is_ready()).await;
        let during = logs.insert(Logs::capture());
        server.kill().unwrap();
        eventually(BACK, "all to fail several times", async || {
            let failed = during.text().matches("cannot work for now").count();
            failed > 100 && health.workers().iter().all(|worker| worker.state == WorkerState::Failing)
        })
        .await;
        assert_eq!(warnings(during), 1, "{}", during.text());
        assert!(during.has(&["WARN", "Redis cannot be worked with", "error="]));
        server.restart().unwrap();
        eventually(BACK, "all to be connected again", async || health.is_ready()).await;
        eventually(BACK, "the end to be told", async || during.has(&["WARN", "Redis answers again", "attempts="]))
            .await;
        assert_eq!(warnings(during), 2, "{}", during.text());
    };
    supervisor.run_until(story).await.unwrap();
}

#[tokio::test]
async fn a_standby_says_once_that_it_stands_by() {
    let redstream = redstream().await;
    let products = redstream.stream("products").unwrap();
    products.register("search", Start::Earliest).await.unwrap();
    let owner =
        products.lock("search", Duration::from_millis(200)).unwrap().try_acquire().await.unwrap().expect("free");
    let supervisor = Supervisor::new().with(products.consumer("search", Recorder::default()));
    let (health, logs) = (supervisor.health(), Logs::capture());
    let since = || health.workers()[0].since_progress;
    let story = async {
        eventually(SOON, "it to stand by", async || health.workers()[0].state == WorkerState::Standby).await;
        let (mut looks, mut before) = (0, since());
        eventually(SOON, "it to look again", async || {
            looks += usize::from(since() < before);
            before = since();
            looks >= 3
        })
        .await;
        let told = logs.text().matches("standing by").count();
        assert_eq!(told, 1, "{}", logs.text());
    };
    supervisor.run_until(story).await.unwrap();
    drop(owner);
}
