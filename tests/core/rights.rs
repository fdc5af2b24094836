//! What a Redis user must be allowed: the page, the sources and each deployment must agree.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use redstream_core::{
    Batch, CancellationToken, ConnectOptions, MessageId, NewMessage, Payload, Redstream, Start, Supervisor,
};
use redstream_servers::{Redis, RedisOptions};
use serde_json::json;

use super::SOON;
use super::editions::story;
use super::recorder::Recorder;
use super::reindex::source::Numbers;
use super::sentinel::Group;
use crate::support::nodes::Cluster;
use crate::support::{eventually, raw_redis, redis_code};

/// Where the rights are listed.
const PAGE: &str = include_str!("../../docs/guarantees.md");

/// The block of the page that begins with `first`, as rules of access.
fn listed(first: &str) -> Vec<&'static str> {
    let block = PAGE.split("```text\n").find(|block| block.starts_with(first));
    let block = block.unwrap_or_else(|| panic!("no list begins with {first}"));
    block.split("```").next().unwrap().split_whitespace().collect()
}

/// What every deployment needs, for the namespace `shop`.
pub(super) fn needed() -> Vec<String> {
    let rules = listed("~NAMESPACE:redstream:*");
    ["-@all"].into_iter().chain(rules).map(|rule| rule.replace("NAMESPACE", "shop")).collect()
}

/// What a deployment also needs.
pub(super) fn besides(deployment: &str) -> Vec<String> {
    let item = PAGE.lines().find(|line| line.starts_with(&format!("- {deployment}: ")));
    let item = item.unwrap_or_else(|| panic!("{deployment} is no item"));
    item.split('`').filter(|word| word.starts_with('+')).flat_map(str::split_whitespace).map(str::to_owned).collect()
}

pub(super) async fn allow(url: &str, rules: &[String]) {
    let acl = redis::cmd("ACL").arg("SETUSER").arg("app").arg("on").arg(">secret").arg(rules).to_owned();
    acl.exec_async(&mut raw_redis(url).await).await.unwrap();
}

fn rules(deployment: Option<&str>) -> Vec<String> {
    needed().into_iter().chain(deployment.into_iter().flat_map(besides)).collect()
}

async fn server() -> Redis {
    tokio::task::spawn_blocking(|| RedisOptions::new().start()).await.unwrap().unwrap()
}

fn as_app(server: &Redis) -> String {
    server.url().replace("redis://", "redis://app:secret@")
}

/// What the scenario of `editions` leaves out.
async fn all_the_rest(options: ConnectOptions) {
    let redstream = Redstream::connect(options).await.unwrap();
    let orders = redstream.stream("orders").unwrap();
    let message = NewMessage::new(orders.name().clone(), Payload::encode(&json!(1)).unwrap());
    let delayed = redstream.producer().delay_all(std::slice::from_ref(&message)).await.unwrap();
    redstream.producer().announce_and_remove_delays(&[(message, delayed)]).await.unwrap();
    assert!(orders.delay_messages(MessageId::MIN, 10).await.unwrap().is_empty());
    orders.register("search", Start::Earliest).await.unwrap();
    assert!(orders.lag_time("search").await.unwrap() < SOON);
    assert_eq!(orders.published_delay().await.unwrap(), None);
    orders.consumer("search", Recorder::default()).run_once().await.unwrap();
    // A standby waits for a lock.
    let lock = orders.lock("search", Duration::from_millis(200)).unwrap();
    let guard = lock.try_acquire().await.unwrap().expect("it is free");
    assert!(lock.acquire_within(Duration::from_millis(700)).await.unwrap().is_none());
    guard.release().await.unwrap();
    // A new process that meets poison first looks for a message that succeeded before.
    redstream.producer().queue(orders.name(), &json!("bad")).await.unwrap();
    let picky = || {
        let consumer = orders.consumer("search", async |batch: Batch| {
            batch.payloads::<u64>().collect::<Result<Vec<_>, _>>()?;
            Ok(())
        });
        consumer.attempts(1).backoff(Duration::from_millis(5), Duration::from_millis(20))
    };
    let letters = orders.dead_letters("search").unwrap();
    let supervisor = Supervisor::new().with(picky());
    let set_aside = eventually(SOON, "the dead letter", async || letters.count().await.unwrap() == 1);
    supervisor.run_until(set_aside).await.unwrap();
    assert_eq!((letters.redrive_all().await.unwrap(), letters.discard_all().await.unwrap()), (1, 0));
    // While everything fails, the newest messages are tried.
    let failures = AtomicUsize::new(0);
    let down = orders.consumer("down", move |_: Batch| {
        let is_down = failures.fetch_add(1, Ordering::SeqCst) < 8;
        std::future::ready(if is_down { Err("down".into()) } else { Ok(()) })
    });
    let supervisor =
        Supervisor::new().with(down.attempts(1).backoff(Duration::from_millis(1), Duration::from_millis(5)));
    let caught_up = eventually(SOON, "the end of the outage", async || orders.lag("down").await.unwrap() == 0);
    supervisor.run_until(caught_up).await.unwrap();

    let old = redstream.shards("lines", 3).unwrap();
    let new = redstream.shards("lines", 2).unwrap().generation(2).unwrap();
    let seen = Recorder::default();
    for id in 0..10 {
        old.queue(&json!({ "id": id })).await.unwrap();
        new.queue(&json!({ "id": id })).await.unwrap();
    }
    let supervisor = Supervisor::new()
        .with(old.consumer("search", seen.clone()))
        .with(old.delayer(Duration::from_millis(10)))
        .with(old.trimmer())
        .with(new.consumer("search", seen.clone()).round(Duration::from_millis(100)));
    let health = supervisor.health();
    let story = async {
        new.take_over(&old, SOON * 3).await.unwrap();
        eventually(SOON, "both generations", async || seen.len() == 20).await;
        assert!(health.is_ready() && health.workers().iter().all(|worker| worker.restarts == 0), "{health:?}");
    };
    supervisor.run_until(story).await.unwrap();
    let synced = {
        let mut token = redstream_core::SyncToken::new();
        let id = redstream.producer().queue(orders.name(), &json!(2)).await.unwrap();
        token.add(NewMessage::new(orders.name().clone(), Payload::encode(&json!(2)).unwrap()), Some(id));
        token
    };
    orders.consumer("search", seen.clone()).run_once().await.unwrap();
    redstream.wait_until_synced("search", &synced, SOON).await.unwrap();
    assert!(!orders.skips_repeats().await.unwrap());
    reindex(&redstream).await;
}

async fn reindex(redstream: &Redstream) {
    let numbers = redstream.stream("numbers").unwrap();
    numbers.register("search", Start::Earliest).await.unwrap();
    let walk = numbers.reindex(Numbers::to(20));
    let supervisor = Supervisor::new().with(numbers.consumer("search", Recorder::default()));
    let walked = supervisor.run_until(async { walk.run(CancellationToken::new()).await.unwrap() });
    walked.await.unwrap();
    let records = numbers.reindexes().list().await.unwrap();
    assert_eq!(records[0].queued, 20);
    assert!(numbers.reindexes().forget(&records[0].id).await.unwrap());
}

#[tokio::test]
async fn one_server_in_both_protocols() {
    let server = server().await;
    allow(&server.url(), &rules(None)).await;
    let url = as_app(&server);
    story(ConnectOptions::new(&url).namespace("shop")).await;
    let resp3 = || ConnectOptions::new(format!("{url}?protocol=resp3")).namespace("shop");
    all_the_rest(resp3()).await;
    every_right_is_used(&server).await;

    let wrong = ConnectOptions::new(url.replace("secret", "wrong")).namespace("shop");
    let error = Redstream::connect(wrong).await.unwrap_err();
    assert!(matches!(error, redstream_core::Error::Connect { .. }), "{error:?}");
    assert!(!format!("{error:?}").contains("wrong@"), "{error:?}");
    let elsewhere = Redstream::connect(url).await.unwrap();
    let error = elsewhere.producer().queue(elsewhere.stream("products").unwrap().name(), &1).await.unwrap_err();
    assert!(matches!(error, redstream_core::Error::Redis { .. }) && !error.is_transient(), "{error:?}");
    assert_eq!(redis_code(&error).as_deref(), Some("NOPERM"), "{error:?}");
}

/// Each listed command was called.
async fn every_right_is_used(server: &Redis) {
    let info: String =
        redis::cmd("INFO").arg("commandstats").query_async(&mut raw_redis(&server.url()).await).await.unwrap();
    let called: BTreeSet<&str> =
        info.lines().filter_map(|line| line.strip_prefix("cmdstat_")?.split(':').next()).collect();
    for rule in needed() {
        if let Some(command) = rule.strip_prefix('+') {
            assert!(called.contains(command), "{command} is listed and not called: {called:?}");
        }
    }
}

#[tokio::test]
async fn a_database_number() {
    let server = server().await;
    allow(&server.url(), &rules(Some("a database number"))).await;
    let options = || ConnectOptions::new(format!("{}3", as_app(&server))).namespace("shop");
    story(options()).await;
    all_the_rest(options()).await;
}

#[tokio::test]
async fn sentinels() {
    let group = Group::start().await;
    allow(&group.url_of_master(), &rules(Some("Sentinel, on Redis"))).await;
    let on_sentinels: Vec<String> =
        ["-@all".to_owned()].into_iter().chain(besides("Sentinel, on the Sentinels")).collect();
    for sentinel in group.sentinels() {
        allow(&sentinel.url(), &on_sentinels).await;
    }
    let sentinels: Vec<String> = group.sentinels().iter().map(as_app).collect();
    let options = || {
        let patience = Duration::from_secs(2);
        ConnectOptions::sentinel(&sentinels, "main")
            .node("redis://app:secret@any/")
            .namespace("shop")
            .connect_timeout(patience)
    };
    story(options()).await;
    all_the_rest(options()).await;
}

#[tokio::test]
async fn a_cluster() {
    let cluster = Cluster::start().await;
    for node in &cluster.nodes {
        allow(&node.url(), &rules(Some("a Cluster"))).await;
    }
    let options = || ConnectOptions::cluster(cluster.nodes.iter().map(as_app)).namespace("shop");
    story(options()).await;
    all_the_rest(options()).await;
}

/// A user who may not inspect streams gets an error, and no consumer is set back to the beginning.
#[tokio::test]
async fn without_the_right_to_look_at_a_stream_no_consumer_is_set_back() {
    let server = server().await;
    let redstream = Redstream::connect(ConnectOptions::new(server.url()).namespace("shop")).await.unwrap();
    let products = redstream.stream("products").unwrap();
    let last = redstream.producer().queue(products.name(), &json!(1)).await.unwrap();
    products.consumer("search", Recorder::default()).run_once().await.unwrap();
    let fewer: Vec<String> = needed().into_iter().filter(|rule| !rule.starts_with("+xinfo")).collect();
    allow(&server.url(), &fewer).await;
    let limited = Redstream::connect(ConnectOptions::new(as_app(&server)).namespace("shop")).await.unwrap();
    let limited = limited.stream("products").unwrap();
    let seen = Recorder::default();
    let error = limited.consumer("search", seen.clone()).run_once().await.unwrap_err();
    let told = format!("{error:?}");
    assert!(matches!(error, redstream_core::Error::Redis { .. }), "{told}");
    assert!(["NoPerm", "no permissions", "can't run this command"].iter().any(|word| told.contains(word)), "{told}");
    assert!(!error.is_transient(), "{told}");
    let error = limited.rewind("search", Start::Latest).await.unwrap_err();
    assert!(matches!(error, redstream_core::Error::Redis { .. }), "{error:?}");
    let error = limited.last_id().await.unwrap_err();
    assert!(matches!(error, redstream_core::Error::Redis { .. }), "{error:?}");
    assert_eq!(products.offsets().get("search").await.unwrap(), Some(last));
    assert_eq!(seen.len(), 0);
}

/// The commands of the sources are those of the page.
#[test]
fn the_list_is_what_the_sources_send() {
    let sources = Path::new(env!("CARGO_MANIFEST_DIR")).join("../redstream-core/src");
    let mut sent: BTreeMap<String, String> = BTreeMap::new();
    for (name, text) in texts(&sources) {
        // Tests at the end of a file are skipped.
        let text = text.split("#[cfg(test)]").next().unwrap_or_default();
        for opening in ["redis.call('", "redis.pcall('", "call('", "redis::cmd(\"", ".cmd(\"", ".arg(\"XADD\")"] {
            for rest in text.split(opening).skip(1) {
                let command = if opening.contains("XADD") { "xadd" } else { rest.split(['\'', '"']).next().unwrap() };
                sent.insert(command.to_lowercase(), name.clone());
            }
        }
    }
    // Commands that redis-rs sends by itself, or that are tried and may be refused.
    let by_the_library = ["evalsha", "script|load", "hello"];
    let optional =
        ["acl", "memory", "info", "config", "client", "wait", "xautoclaim", "auth", "select", "asking", "scan"];
    let listed: BTreeSet<String> =
        needed().iter().filter_map(|rule| rule.strip_prefix('+')).map(str::to_owned).collect();
    let found: BTreeSet<String> = sent
        .keys()
        .filter(|command| !optional.contains(&command.as_str()))
        .map(|command| if command == "xinfo" { "xinfo|stream".to_owned() } else { command.clone() })
        .chain(by_the_library.map(str::to_owned))
        .collect();
    assert_eq!(listed, found, "{sent:?}");
    for optional in ["+memory|usage", "+info", "+config|get", "+acl|getuser", "+client|id", "+client|unblock", "+wait"]
    {
        assert!(PAGE.contains(&format!("`{optional}`")), "{optional} is not on the page");
    }
}

fn texts(folder: &Path) -> Vec<(String, String)> {
    let mut texts = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            texts.extend(self::texts(&path));
        } else if !path.ends_with("properties.rs") {
            texts.push((path.display().to_string(), std::fs::read_to_string(&path).unwrap()));
        }
    }
    texts
}
