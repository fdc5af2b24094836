//! Losses that no running process remembers: the next workers detect them by the marks in Redis.

use redstream_core::{Batch, Handler, HandlerError, LossKind, Redstream, async_trait};
use redstream_servers::{Redis, RedisOptions};

use super::Losses;
use crate::core::recorder::Recorder;
use crate::support::{Logs, namespace, private_redis, raw_redis, redis_url, redstream_at};

/// A process: a connection and a consumer of its own. It handles what is there, and ends; returns the reported losses.
async fn a_process(url: &str, namespace: &str) -> Vec<LossKind> {
    let products = redstream_at(url, namespace).await.stream("products").unwrap();
    let losses = Losses::default();
    losses.told_to(products.consumer("search", Recorder::default())).run_once().await.unwrap();
    losses.all()
}

async fn queue(url: &str, namespace: &str) {
    let redstream = redstream_at(url, namespace).await;
    let products = redstream.stream("products").unwrap();
    redstream.producer().queue(products.name(), &1).await.unwrap();
}

async fn without_a_file() -> Redis {
    tokio::task::spawn_blocking(|| RedisOptions::new().start()).await.unwrap().unwrap()
}

#[tokio::test]
async fn a_consumer_without_a_record_is_told_once() {
    let (logs, namespace) = (Logs::capture(), namespace());
    assert_eq!(a_process(&redis_url(), &namespace).await, [LossKind::NoRecord]);
    assert!(logs.has(&["WARN", "search", "products", "is new, or Redis lost all", "index it once"]), "{}", logs.text());
    assert_eq!(a_process(&redis_url(), &namespace).await, [], "it has one now");
    queue(&redis_url(), &namespace).await;
    assert_eq!(a_process(&redis_url(), &namespace).await, []);
}

/// Evicts, so that it never was to have all rows.
struct Evicting;

#[async_trait]
impl Handler for Evicting {
    async fn handle(&self, _: Batch) -> Result<(), HandlerError> {
        Ok(())
    }

    fn is_to_be_filled(&self) -> bool {
        false
    }
}

#[tokio::test]
async fn a_new_consumer_that_is_not_to_be_filled_warns_of_nothing() {
    let (logs, namespace) = (Logs::capture(), namespace());
    let products = redstream_at(&redis_url(), &namespace).await.stream("products").unwrap();
    let losses = Losses::default();
    losses.told_to(products.consumer("cache", Evicting)).run_once().await.unwrap();
    assert_eq!(losses.all(), [LossKind::NoRecord]);
    assert!(logs.has(&["DEBUG", "cache", "products"]) && !logs.has(&["WARN", "products"]), "{}", logs.text());
}

#[tokio::test]
async fn an_empty_redis_is_told_to_workers_that_start_with_it() {
    let mut server = without_a_file().await;
    let (url, namespace) = (server.url(), namespace());
    queue(&url, &namespace).await;
    assert_eq!(a_process(&url, &namespace).await, [LossKind::NoRecord]);
    queue(&url, &namespace).await;
    server.kill().unwrap();
    server.restart().unwrap();
    assert_eq!(a_process(&url, &namespace).await, [LossKind::NoRecord]);
}

#[tokio::test]
async fn an_older_snapshot_is_told_to_workers_that_start_with_it() {
    let mut server = without_a_file().await;
    let (url, namespace) = (server.url(), namespace());
    queue(&url, &namespace).await;
    a_process(&url, &namespace).await;
    let mut raw = raw_redis(&url).await;
    redis::cmd("SAVE").exec_async(&mut raw).await.unwrap();
    // No consumer reads this one, and it is not in the snapshot.
    queue(&url, &namespace).await;
    server.kill().unwrap();
    server.restart().unwrap();
    assert_eq!(a_process(&url, &namespace).await, [LossKind::ServerRestarted]);
    assert_eq!(a_process(&url, &namespace).await, [], "told once");
}

#[tokio::test]
async fn a_restart_with_a_file_is_no_loss() {
    let mut server = private_redis().await;
    let (url, namespace) = (server.url(), namespace());
    a_process(&url, &namespace).await;
    server.kill().unwrap();
    server.restart().unwrap();
    let logs = Logs::capture();
    assert_eq!(a_process(&url, &namespace).await, []);
    assert!(logs.has(&["INFO", "Redis was restarted", "older backup"]), "{}", logs.text());
}

#[tokio::test]
async fn a_registry_that_was_deleted_while_no_worker_lived_is_told() {
    let namespace = namespace();
    queue(&redis_url(), &namespace).await;
    a_process(&redis_url(), &namespace).await;
    let products = redstream_at(&redis_url(), &namespace).await.stream("products").unwrap();
    let offset = products.offsets().get("search").await.unwrap().unwrap();
    let mut raw = raw_redis(&redis_url()).await;
    let registry = format!("{namespace}:redstream:consumers:products");
    redis::cmd("DEL").arg(registry).exec_async(&mut raw).await.unwrap();
    assert_eq!(a_process(&redis_url(), &namespace).await, [LossKind::RegistryLost { offset }]);
    assert_eq!(a_process(&redis_url(), &namespace).await, [], "told once");
}

#[tokio::test]
async fn a_consumer_that_was_forgotten_and_comes_back_has_no_record() {
    let namespace = namespace();
    queue(&redis_url(), &namespace).await;
    a_process(&redis_url(), &namespace).await;
    let products = redstream_at(&redis_url(), &namespace).await.stream("products").unwrap();
    products.forget("search").await.unwrap();
    assert_eq!(a_process(&redis_url(), &namespace).await, [LossKind::NoRecord]);
}

/// Its marks are read with `INFO`, which a user may not be allowed.
#[tokio::test]
async fn a_user_who_may_not_ask_the_server_works_all_the_same() {
    let server = private_redis().await;
    let mut raw = raw_redis(&server.url()).await;
    let user = redis::cmd("ACL")
        .arg("SETUSER")
        .arg("shop")
        .arg("on")
        .arg(">secret")
        .arg("~*")
        .arg("+@all")
        .arg("-info")
        .to_owned();
    user.exec_async(&mut raw).await.unwrap();
    let url = server.url().replace("redis://", "redis://shop:secret@");
    let products = Redstream::connect(url).await.unwrap().stream("products").unwrap();
    let losses = Losses::default();
    let consumer = losses.told_to(products.consumer("search", Recorder::default()));
    consumer.run_once().await.unwrap();
    assert_eq!(losses.all(), [LossKind::NoRecord]);
}
