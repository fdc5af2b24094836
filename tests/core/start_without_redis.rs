//! An application that starts while Redis is unavailable.

use std::time::{Duration, Instant};

use redstream_core::{ConnectOptions, Error, Redstream, Risk, Supervisor, WorkerState};
use redstream_servers::{Redis, RedisEdition, RedisOptions};
use serde_json::json;

use super::SOON;
use super::recorder::Recorder;
use crate::support::{Logs, eventually};

async fn started(options: RedisOptions) -> Redis {
    tokio::task::spawn_blocking(|| options.start()).await.unwrap().unwrap()
}

/// On the port of a server that was killed, and may be restarted.
fn lazily(server: &Redis) -> ConnectOptions {
    ConnectOptions::new(server.url()).give_up_after(Duration::from_millis(300)).lazy()
}

#[tokio::test]
async fn workers_wait_for_a_redis_that_comes_later_and_then_all_is_as_ever() {
    let mut server = started(RedisOptions::new()).await;
    server.kill().unwrap();
    let logs = Logs::capture();
    let redstream = Redstream::connect(lazily(&server)).await.unwrap();
    assert!(logs.has(&["WARN", "does not answer", &server.port().to_string()]), "{}", logs.text());
    assert_eq!(redstream.risks(), []);
    let products = redstream.stream("products").unwrap();
    let seen = Recorder::default();
    let supervisor = Supervisor::new()
        .with(products.consumer("search", seen.clone()))
        .with(products.delayer(Duration::from_millis(20)))
        .with(products.trimmer())
        .with(redstream.shards("lines", 2).unwrap().consumer("search", Recorder::default()));
    let health = supervisor.health();
    let story = async {
        eventually(SOON, "all to have tried", async || {
            health.workers().iter().all(|worker| worker.state == WorkerState::Failing)
        })
        .await;
        assert!(health.is_live() && !health.is_ready());
        let call = Instant::now();
        let error = redstream.producer().queue(products.name(), &json!(1)).await.unwrap_err();
        assert!(matches!(error, Error::GaveUp { .. }) && call.elapsed() < SOON, "{error:?}");
        server.restart().unwrap();
        eventually(SOON, "all to be ready", async || health.is_ready()).await;
        redstream.producer().queue(products.name(), &json!(2)).await.unwrap();
        eventually(SOON, "the message", async || seen.payloads() == [json!(2)]).await;
    };
    supervisor.run_until(story).await.unwrap();
    assert_eq!(redstream.risks(), [Risk::NoAppendOnlyFile], "found out when it came");
    assert!(logs.has(&["WARN", "appendonly"]), "{}", logs.text());
    let about_it =
        |line: &&str| line.contains("WARN") && ["outages", "does not answer"].iter().any(|word| line.contains(word));
    let failures = logs.text().lines().filter(about_it).count();
    assert!(failures <= 3, "told in few lines: {}", logs.text());
}

#[tokio::test]
async fn who_is_not_lazy_is_told_at_once() {
    let mut server = started(RedisOptions::new()).await;
    server.kill().unwrap();
    let error = Redstream::connect(server.url()).await.unwrap_err();
    assert!(matches!(error, Error::Connect { .. }), "{error:?}");
}

#[tokio::test]
async fn a_refusal_is_an_error_however_lazy() {
    let server = started(RedisOptions::new().arg("--requirepass").arg("secret")).await;
    let url = server.url().replace("redis://", "redis://:wrong@");
    let error = Redstream::connect(ConnectOptions::new(url).lazy()).await.unwrap_err();
    assert!(matches!(error, Error::Connect { .. }), "{error:?}");
}

#[tokio::test]
async fn a_server_that_comes_later_and_is_too_old_is_refused_then() {
    let mut server = started(RedisOptions::new().edition(RedisEdition::Redis5_0)).await;
    server.kill().unwrap();
    let redstream = Redstream::connect(lazily(&server)).await.unwrap();
    let products = redstream.stream("products").unwrap();
    server.restart().unwrap();
    let error = eventually(SOON, "an answer", async || {
        let error = redstream.producer().queue(products.name(), &json!(1)).await.unwrap_err();
        (!matches!(error, Error::GaveUp { .. })).then_some(error)
    })
    .await;
    assert!(matches!(error, Error::UnsupportedServer { .. }), "{error:?}");
    let error = products.consumer("search", Recorder::default()).run_once().await.unwrap_err();
    assert!(matches!(error, Error::UnsupportedServer { .. }), "{error:?}");
}

#[tokio::test]
async fn sentinels_and_clusters_can_come_later_too() {
    let absent = format!("redis://127.0.0.1:{}/", redstream_servers::free_port().unwrap());
    for options in [ConnectOptions::sentinel([&absent], "main"), ConnectOptions::cluster([&absent])] {
        let redstream = Redstream::connect(options.give_up_after(Duration::from_millis(300)).lazy()).await.unwrap();
        let stream = redstream.stream("products").unwrap();
        let error = redstream.producer().queue(stream.name(), &json!(1)).await.unwrap_err();
        assert!(error.is_transient(), "{error:?}");
    }
}
