//! The wire format, byte for byte: other programs read and write these keys.

use std::time::Duration;

use redis::aio::MultiplexedConnection;
use redstream_core::{MessageId, Redstream};
use serde_json::json;

use super::SOON;
use super::recorder::Recorder;
use crate::support::{eventually, namespace, private_redis, raw_redis, redis_url, redstream_at};

async fn keys(raw: &mut MultiplexedConnection, pattern: &str) -> Vec<String> {
    let mut keys: Vec<String> = redis::cmd("KEYS").arg(pattern).query_async(raw).await.unwrap();
    keys.sort();
    keys
}

type Entry = (String, Vec<String>);

async fn entries(raw: &mut MultiplexedConnection, key: &str) -> Vec<Entry> {
    redis::cmd("XRANGE").arg(key).arg("-").arg("+").query_async(raw).await.unwrap()
}

#[tokio::test]
async fn keys_and_entries_are_spelled_as_the_ruby_gem_spells_them() {
    let server = private_redis().await;
    let redstream = Redstream::connect(server.url()).await.unwrap();
    let mut raw = raw_redis(&server.url()).await;
    let products = redstream.stream("products").unwrap();

    let main = redstream.producer().queue(products.name(), &json!({"id": 1})).await.unwrap();
    let delay = redstream.producer().delay(products.name(), &json!({"id": 1})).await.unwrap();

    let one = |id: MessageId| vec![(id.to_string(), vec!["payload".to_owned(), r#"{"id":1}"#.to_owned()])];
    assert_eq!(keys(&mut raw, "*").await, ["redstream:stream:products", "redstream:stream:products.delay"]);
    assert_eq!(entries(&mut raw, "redstream:stream:products").await, one(main));
    assert_eq!(entries(&mut raw, "redstream:stream:products.delay").await, one(delay));

    let consumer = products.lock("search", Duration::from_secs(5)).unwrap();
    assert_eq!(consumer.key(), "redstream:lock:consumer:products:search");
    let guard = consumer.try_acquire().await.unwrap().unwrap();
    let token: String = redis::cmd("GET").arg(consumer.key()).query_async(&mut raw).await.unwrap();
    // After the gem's value: the process, and the TTL that it asks for, in milliseconds.
    let (random, rest) = token.split_once('@').unwrap();
    assert!(random.len() == 32 && random.bytes().all(|b| b.is_ascii_hexdigit()), "{token}");
    assert!(rest.ends_with(&format!(":{}/5000", std::process::id())), "{token}");
    products.offsets().commit(&guard, main).await.unwrap();
    guard.release().await.unwrap();
    let woken: Vec<String> = redis::cmd("LRANGE")
        .arg("redstream:lock:consumer:products:search.notify")
        .arg(0)
        .arg(-1)
        .query_async(&mut raw)
        .await
        .unwrap();
    assert_eq!(woken, ["1"]);

    products.delayer(Duration::from_secs(300)).run_once().await.unwrap().unwrap();
    products.trimmer().run_once().await.unwrap();
    assert_eq!(
        keys(&mut raw, "*").await,
        [
            "redstream:consumers:products",
            "redstream:consumers:products.delay",
            "redstream:lock:consumer:products.delay:delayer.notify",
            "redstream:lock:consumer:products:search.notify",
            "redstream:lock:trimmer:products.notify",
            "redstream:offset:products:search",
            "redstream:stream:products",
            "redstream:stream:products.delay",
            "redstream:version:products:search",
        ]
    );
    let offset: String = redis::cmd("GET").arg("redstream:offset:products:search").query_async(&mut raw).await.unwrap();
    assert_eq!(offset, main.to_string());
    let registered: Vec<String> =
        redis::cmd("HKEYS").arg("redstream:consumers:products").query_async(&mut raw).await.unwrap();
    assert_eq!(registered, ["search"]);
    let note: String = redis::cmd("HGET")
        .arg("redstream:consumers:products.delay")
        .arg("delayer")
        .query_async(&mut raw)
        .await
        .unwrap();
    let note: serde_json::Value = serde_json::from_str(&note).unwrap();
    assert_eq!(note["delay_ms"], 300_000, "the delayer publishes its delay");
}

#[tokio::test]
async fn a_namespace_goes_in_front_of_every_key() {
    let namespace = namespace();
    let redstream = redstream_at(&redis_url(), &namespace).await;
    let mut raw = raw_redis(&redis_url()).await;
    let products = redstream.stream("products").unwrap();
    redstream.producer().queue(products.name(), &json!({"id": 1})).await.unwrap();
    products.consumer("search", Recorder::default()).run_once().await.unwrap();

    let prefix = format!("{namespace}:redstream:");
    assert_eq!(
        keys(&mut raw, &format!("*{namespace}*")).await,
        [
            format!("{prefix}consumers:products"),
            format!("{prefix}lock:consumer:products:search.notify"),
            format!("{prefix}offset:products:search"),
            format!("{prefix}stream:products"),
            format!("{prefix}version:products:search"),
        ]
    );
}

#[tokio::test]
async fn reads_what_another_program_wrote_and_goes_on_from_its_offset() {
    let namespace = namespace();
    let redstream = redstream_at(&redis_url(), &namespace).await;
    let mut raw = raw_redis(&redis_url()).await;
    let stream = format!("{namespace}:redstream:stream:products");
    for id in 1..=3 {
        let payload = format!(r#"{{"id":{id}}}"#);
        let xadd = redis::cmd("XADD").arg(&stream).arg(format!("{id}-0")).arg("payload").arg(payload).to_owned();
        let _: String = xadd.query_async(&mut raw).await.unwrap();
    }
    let offset = format!("{namespace}:redstream:offset:products:search");
    let () = redis::cmd("SET").arg(&offset).arg("1-0").query_async(&mut raw).await.unwrap();

    let seen = Recorder::default();
    redstream.stream("products").unwrap().consumer("search", seen.clone()).run_once().await.unwrap();

    assert_eq!(seen.payloads(), [json!({"id": 2}), json!({"id": 3})]);
    let committed: String = redis::cmd("GET").arg(&offset).query_async(&mut raw).await.unwrap();
    assert_eq!(committed, "3-0");
}

#[tokio::test]
async fn a_lock_of_another_program_is_respected_and_its_release_wakes_us() {
    let namespace = namespace();
    let redstream = redstream_at(&redis_url(), &namespace).await;
    let mut raw = raw_redis(&redis_url()).await;
    let products = redstream.stream("products").unwrap();
    redstream.producer().queue(products.name(), &json!({"id": 1})).await.unwrap();
    let lock = format!("{namespace}:redstream:lock:consumer:products:search");
    let () =
        redis::cmd("SET").arg(&lock).arg("f".repeat(32)).arg("PX").arg(60_000).query_async(&mut raw).await.unwrap();

    let seen = Recorder::default();
    let shutdown = redstream_core::CancellationToken::new();
    let consumer = products.consumer("search", seen.clone());
    let running = tokio::spawn({
        let shutdown = shutdown.clone();
        async move { consumer.run(shutdown).await }
    });
    eventually(SOON, "the consumer to stand by", async || products.consumers().await.unwrap() == ["search"]).await;
    assert_eq!(seen.len(), 0);

    redis::pipe().del(&lock).rpush(format!("{lock}.notify"), "1").exec_async(&mut raw).await.unwrap();
    // Much earlier than the TTL of a minute.
    eventually(SOON, "the standby to take over", async || seen.len() == 1).await;
    shutdown.cancel();
    running.await.unwrap().unwrap();
}
