//! Sentinels: writes and workers follow the master.

use std::time::Duration;

use redstream_core::{ConnectOptions, Error, Redstream, Supervisor};
use redstream_servers::{Redis, RedisOptions};
use serde_json::json;

use super::SOON;
use super::editions::story;
use super::recorder::Recorder;
use crate::support::{eventually, raw_redis};

/// Longer than the Sentinels take for a failover.
const FAILED_OVER: Duration = Duration::from_secs(60);

pub(super) struct Group {
    master: Redis,
    _replica: Redis,
    sentinels: Vec<Redis>,
}

impl Group {
    /// A master with a password, a replica in step, and three Sentinels that monitor them.
    pub(super) async fn start() -> Self {
        let group = tokio::task::spawn_blocking(|| {
            let member = || {
                let options = RedisOptions::new().append_only(true);
                options.arg("--requirepass").arg("secret").arg("--masterauth").arg("secret")
            };
            let master = member().start().unwrap();
            let port = master.port().to_string();
            let replica = member().arg("--replicaof").arg("127.0.0.1").arg(&port).start().unwrap();
            let sentinels = (0..3).map(|_| RedisOptions::new().sentinel().start().unwrap()).collect();
            Self { master, _replica: replica, sentinels }
        })
        .await
        .unwrap();
        for sentinel in &group.sentinels {
            let mut raw = raw_redis(&sentinel.url()).await;
            let sentinel = |words: &[&str]| {
                let mut command = redis::cmd("SENTINEL");
                command.arg(words);
                command
            };
            let port = group.master.port().to_string();
            let () = sentinel(&["MONITOR", "main", "127.0.0.1", &port, "2"]).query_async(&mut raw).await.unwrap();
            for (option, value) in
                [("auth-pass", "secret"), ("down-after-milliseconds", "500"), ("failover-timeout", "5000")]
            {
                let () = sentinel(&["SET", "main", option, value]).query_async(&mut raw).await.unwrap();
            }
            drop(raw);
        }
        for node in &group.sentinels {
            let mut raw = raw_redis(&node.url()).await;
            eventually(FAILED_OVER, "the Sentinels to know each other and the replica", async || {
                let state: std::collections::HashMap<String, String> =
                    redis::cmd("SENTINEL").arg("MASTER").arg("main").query_async(&mut raw).await.unwrap();
                state["num-other-sentinels"] == "2" && state["num-slaves"] == "1"
            })
            .await;
        }
        group
    }

    /// Of the first master, by its default user.
    pub(super) fn url_of_master(&self) -> String {
        self.master.url().replace("redis://", "redis://:secret@")
    }

    pub(super) fn sentinels(&self) -> &[Redis] {
        &self.sentinels
    }

    fn options(&self) -> ConnectOptions {
        let sentinels = self.sentinels.iter().map(Redis::url);
        ConnectOptions::sentinel(sentinels, "main").node("redis://:secret@any/").connect_timeout(Duration::from_secs(2))
    }
}

#[tokio::test]
async fn writes_and_workers_follow_a_failover_and_lose_nothing_that_a_replica_confirmed() {
    let mut group = Group::start().await;
    let redstream = Redstream::connect(group.options()).await.unwrap();
    assert!(!format!("{redstream:?}").contains("secret"));
    let products = redstream.stream("products").unwrap();
    let confirmed = redstream.producer().confirmed_by(1, Duration::from_millis(500));
    let seen = Recorder::default();
    let supervisor = Supervisor::new()
        .with(products.consumer("search", seen.clone()).backoff(Duration::from_millis(20), Duration::from_millis(500)))
        .with(products.delayer(Duration::from_millis(200)))
        .with(products.trimmer().interval(Duration::from_millis(50)));
    let story = async {
        eventually(SOON * 3, "the replica to be in step", async || confirmed.delay(products.name(), &0).await.is_ok())
            .await;
        for id in 1..10 {
            // A replica that is busy for a while confirms later.
            eventually(SOON, "the replica to confirm", async || confirmed.delay(products.name(), &id).await.is_ok())
                .await;
        }
        group.master.kill().unwrap();
        eventually(FAILED_OVER, "a write to the new master", async || {
            redstream.producer().queue(products.name(), &10).await.is_ok()
        })
        .await;
        eventually(FAILED_OVER, "every message that was confirmed", async || {
            let seen = seen.payloads();
            (0..=10).all(|id| seen.contains(&json!(id)))
        })
        .await;
        eventually(FAILED_OVER, "the trimmer at the new master", async || products.is_empty().await.unwrap_or(false))
            .await;
    };
    supervisor.run_until(story).await.unwrap();
}

#[tokio::test]
async fn every_command_works_in_both_protocols() {
    let group = Group::start().await;
    story(group.options()).await;
    story(group.options().node("redis://:secret@any/?protocol=resp3").namespace("resp3")).await;
}

#[tokio::test]
async fn a_master_that_no_sentinel_knows_is_an_error_that_names_it() {
    let sentinel = tokio::task::spawn_blocking(|| RedisOptions::new().sentinel().start().unwrap()).await.unwrap();
    let error = Redstream::connect(ConnectOptions::sentinel([sentinel.url()], "absent")).await.unwrap_err();
    let Error::Connect { address, .. } = &error else { panic!("{error:?}") };
    assert!(address.contains("absent") && address.contains(&sentinel.port().to_string()), "{error}");
}
