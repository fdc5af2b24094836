//! The delayer: due messages are queued once, by the clock of Redis; the others wait.

use std::time::Duration;

use redstream_core::{CancellationToken, Delayer, Error, MessageId, NewMessage, Payload, Stream};
use serde_json::json;

use super::SOON;
use super::recorder::Recorder;
use crate::support::{Logs, eventually, namespace, raw_redis, redis_url, redstream, redstream_at};

const HOUR: Duration = Duration::from_secs(3600);

/// Adds a delay message of any age, which only another program could do.
async fn add_at(namespace: &str, ms: u64, seq: u64, payload: &str) {
    let mut raw = raw_redis(&redis_url()).await;
    let _: String = redis::cmd("XADD")
        .arg(format!("{namespace}:redstream:stream:products.delay"))
        .arg(format!("{ms}-{seq}"))
        .arg("payload")
        .arg(payload)
        .query_async(&mut raw)
        .await
        .unwrap();
}

async fn redis_ms() -> u64 {
    let mut raw = raw_redis(&redis_url()).await;
    let (seconds, micros): (u64, u64) = redis::cmd("TIME").query_async(&mut raw).await.unwrap();
    seconds * 1000 + micros / 1000
}

#[tokio::test]
async fn moves_what_is_due_and_leaves_the_rest() {
    let namespace = namespace();
    let redstream = redstream_at(&redis_url(), &namespace).await;
    let products = redstream.stream("products").unwrap();
    let now = redis_ms().await;
    add_at(&namespace, now - 7_200_000, 0, r#"{"id":1}"#).await;
    add_at(&namespace, now - 3_600_001, 0, r#"{"id":2}"#).await;
    add_at(&namespace, now - 1_800_000, 0, r#"{"id":3}"#).await;

    let moved = products.delayer(HOUR).run_once().await.unwrap().expect("the lock is free");

    assert_eq!((moved.due, moved.queued), (2, 2));
    let next = moved.next.expect("one waits");
    assert!(next <= HOUR / 2 && next + SOON > HOUR / 2, "{next:?}");
    assert_eq!(products.delay_len().await.unwrap(), 1);
    let seen = Recorder::default();
    products.consumer("search", seen.clone()).run_once().await.unwrap();
    assert_eq!(seen.payloads(), [json!({"id": 1}), json!({"id": 2})]);
}

#[tokio::test]
async fn a_part_of_the_stream_that_is_emptied_is_gone() {
    let namespace = namespace();
    let products = redstream_at(&redis_url(), &namespace).await.stream("products").unwrap();
    for (ms, id) in [(1, 1), (2, 2), (3, 3)] {
        add_at(&namespace, ms, 0, &format!(r#"{{"id":{id}}}"#)).await;
    }
    // As a writer does after a commit.
    let mut raw = raw_redis(&redis_url()).await;
    let key = format!("{namespace}:redstream:stream:products.delay");
    redis::cmd("XDEL").arg(&key).arg("3-0").exec_async(&mut raw).await.unwrap();
    let moved = products.delayer(HOUR).run_once().await.unwrap().expect("the lock is free");
    assert_eq!((moved.queued, products.delay_len().await.unwrap(), products.len().await.unwrap()), (2, 0, 2));
    let info: Vec<redis::Value> = redis::cmd("XINFO").arg("STREAM").arg(&key).query_async(&mut raw).await.unwrap();
    let keys = info.iter().position(|part| *part == redis::Value::BulkString(b"radix-tree-keys".to_vec())).unwrap();
    assert_eq!(info[keys + 1], redis::Value::Int(0));
    assert_eq!(products.last_delay_id().await.unwrap(), MessageId::new(3, 0), "the stream is there");
}

#[tokio::test]
async fn a_payload_that_is_due_several_times_is_queued_once() {
    let namespace = namespace();
    let products = redstream_at(&redis_url(), &namespace).await.stream("products").unwrap();
    for (ms, id) in [(1, 1), (2, 2), (3, 1), (4, 1), (5, 2)] {
        add_at(&namespace, ms, 0, &format!(r#"{{"id":{id}}}"#)).await;
    }
    let moved = products.delayer(HOUR).run_once().await.unwrap().unwrap();
    assert_eq!((moved.due, moved.queued, moved.next), (5, 2, None));
    assert_eq!((products.len().await.unwrap(), products.delay_len().await.unwrap()), (2, 0));
}

/// Runs it until no message waits: then the queued payloads are the numbers from 0 to `count`, each once.
async fn all_are_moved_in_order(products: &Stream, delayer: Delayer, count: u32) {
    let shutdown = CancellationToken::new();
    let running = tokio::spawn({
        let shutdown = shutdown.clone();
        async move { delayer.run(shutdown).await }
    });
    eventually(SOON, "all to be moved", async || products.delay_len().await.unwrap() == 0).await;
    shutdown.cancel();
    running.await.unwrap().unwrap();
    let seen = Recorder::default();
    products.consumer("search", seen.clone()).batch_size(10_000).run_once().await.unwrap();
    assert_eq!(seen.payloads(), (0..count).map(|n| json!(n)).collect::<Vec<_>>());
}

/// As many fields as Redis accepts: a script cannot pass them all to one command.
#[tokio::test]
async fn what_has_no_payload_becomes_a_dead_letter_and_stops_nothing() {
    let namespace = namespace();
    let products = redstream_at(&redis_url(), &namespace).await.stream("products").unwrap();
    let mut raw = raw_redis(&redis_url()).await;
    add_at(&namespace, 1, 0, "1").await;
    for (ms, pairs) in [(2, 1), (3, 4001)] {
        let mut xadd = redis::cmd("XADD");
        xadd.arg(format!("{namespace}:redstream:stream:products.delay")).arg(format!("{ms}-0"));
        for pair in 0..pairs {
            xadd.arg(format!("other{pair}")).arg("x".repeat(100));
        }
        let _: String = xadd.query_async(&mut raw).await.unwrap();
    }
    add_at(&namespace, 4, 0, "2").await;
    let logs = Logs::capture();
    let moved = products.delayer(Duration::from_millis(1)).run_once().await.unwrap().expect("the lock is free");
    assert_eq!((moved.due, moved.queued), (4, 2));
    assert!(logs.has(&["ERROR", "without a field `payload`", "products", "entries=2", "first=2-0"]), "{}", logs.text());

    let seen = Recorder::default();
    products.consumer("search", seen.clone()).run_once().await.unwrap();
    assert_eq!(seen.payloads(), [json!(1), json!(2)]);
    let letters = products.delayer_dead_letters();
    let told = letters.list(MessageId::MIN, 10).await.unwrap();
    assert_eq!(
        told.iter().map(|letter| letter.message_id).collect::<Vec<_>>(),
        [MessageId::new(2, 0), MessageId::new(3, 0)]
    );
    assert!(told[1].error.contains("4001 others: other0=xxx") && told[1].error.len() < 2000, "{}", told[1].error);
    assert_eq!(letters.discard_all().await.unwrap(), 2);
}

/// If the key of the main stream has another type, a failed move leaves nothing behind, however often it is tried.
#[tokio::test]
async fn a_move_that_fails_leaves_nothing_of_it_behind() {
    let namespace = namespace();
    let products = redstream_at(&redis_url(), &namespace).await.stream("products").unwrap();
    let mut raw = raw_redis(&redis_url()).await;
    let key = |stream: &str| format!("{namespace}:redstream:stream:{stream}");
    add_at(&namespace, 1, 0, "1").await;
    let xadd = redis::cmd("XADD").arg(key("products.delay")).arg("2-0").arg("other").arg("x").to_owned();
    xadd.exec_async(&mut raw).await.unwrap();
    redis::cmd("SET").arg(key("products")).arg("no stream").exec_async(&mut raw).await.unwrap();
    let delayer = products.delayer(Duration::from_millis(1));
    for _ in 0..3 {
        delayer.run_once().await.unwrap_err();
    }
    assert_eq!(products.delayer_dead_letters().count().await.unwrap(), 0);
    redis::cmd("DEL").arg(key("products")).exec_async(&mut raw).await.unwrap();
    delayer.run_once().await.unwrap();
    assert_eq!((products.len().await.unwrap(), products.delayer_dead_letters().count().await.unwrap()), (1, 1));
}

#[tokio::test]
async fn moves_thousands_that_are_due_one_after_the_other() {
    let redstream = redstream().await;
    let products = redstream.stream("products").unwrap();
    let messages: Vec<_> =
        (0..5000).map(|n: u32| NewMessage::new(products.name().clone(), Payload::encode(&n).unwrap())).collect();
    redstream.producer().delay_all(&messages).await.unwrap();
    all_are_moved_in_order(&products, products.delayer(Duration::from_millis(20)).batch_size(300), 5000).await;
}

#[tokio::test]
async fn what_falls_due_amid_the_work_comes_once_and_in_its_turn() {
    let namespace = namespace();
    let products = redstream_at(&redis_url(), &namespace).await.stream("products").unwrap();
    let key = format!("{namespace}:redstream:stream:products.delay");
    let (first, mut adding) = (redis_ms().await, redis::pipe());
    for n in 0..3000 {
        // Six a millisecond, so that every reading of the clock ends within a batch.
        adding.cmd("XADD").arg(&key).arg(format!("{}-{n}", first + n / 6)).arg("payload").arg(n).ignore();
    }
    adding.query_async::<()>(&mut raw_redis(&redis_url()).await).await.unwrap();
    all_are_moved_in_order(&products, products.delayer(Duration::from_millis(100)).batch_size(10), 3000).await;
}

#[tokio::test]
async fn moves_batch_after_batch_and_keeps_to_numbers() {
    let namespace = namespace();
    let products = redstream_at(&redis_url(), &namespace).await.stream("products").unwrap();
    for seq in 1..=12 {
        add_at(&namespace, 5, seq, &seq.to_string()).await;
    }
    let delayer = products.delayer(HOUR).batch_size(10);
    assert_eq!(delayer.run_once().await.unwrap().unwrap().due, 10);
    // The ids after 5-10 are left, not those that come after it as text.
    assert_eq!(products.delay_len().await.unwrap(), 2);
    assert_eq!(delayer.run_once().await.unwrap().unwrap().due, 2);
    let seen = Recorder::default();
    products.consumer("search", seen.clone()).run_once().await.unwrap();
    assert_eq!(seen.payloads(), (1..=12).map(|n| json!(n)).collect::<Vec<_>>());
}

#[tokio::test]
async fn a_sequence_number_at_its_end_is_counted_right() {
    let namespace = namespace();
    let products = redstream_at(&redis_url(), &namespace).await.stream("products").unwrap();
    add_at(&namespace, 5, 9_999_999_999_999_999_999, "1").await;
    add_at(&namespace, 5, 10_000_000_000_000_000_000, "2").await;
    let delayer = products.delayer(HOUR).batch_size(1);
    delayer.run_once().await.unwrap();
    assert_eq!(products.delay_len().await.unwrap(), 1);
    delayer.run_once().await.unwrap();
    assert_eq!((products.len().await.unwrap(), products.delay_len().await.unwrap()), (2, 0));
}

#[tokio::test]
async fn wakes_when_the_oldest_falls_due() {
    let redstream = redstream().await;
    let products = redstream.stream("products").unwrap();
    let delay = Duration::from_millis(300);
    let shutdown = CancellationToken::new();
    let running = tokio::spawn({
        let (delayer, shutdown) = (products.delayer(delay), shutdown.clone());
        async move { delayer.run(shutdown).await }
    });
    let id = redstream.producer().delay(products.name(), &json!({"id": 1})).await.unwrap();
    eventually(SOON, "the message to be queued", async || products.len().await.unwrap() == 1).await;
    let main = products.last_id().await.unwrap();
    assert!(main.ms - id.ms >= 300, "not before its time: {main} {id}");
    shutdown.cancel();
    running.await.unwrap().unwrap();
}

#[tokio::test]
async fn several_delayers_move_a_message_once() {
    let redstream = redstream().await;
    let products = redstream.stream("products").unwrap();
    let shutdown = CancellationToken::new();
    let delayers: Vec<_> = (0..4)
        .map(|_| {
            let (delayer, shutdown) = (products.delayer(Duration::from_millis(50)), shutdown.clone());
            tokio::spawn(async move { delayer.run(shutdown).await })
        })
        .collect();
    for id in 0..100 {
        redstream.producer().delay(products.name(), &id).await.unwrap();
    }
    eventually(SOON, "all to be moved", async || products.delay_len().await.unwrap() == 0).await;
    shutdown.cancel();
    for delayer in delayers {
        delayer.await.unwrap().unwrap();
    }
    assert_eq!(products.len().await.unwrap(), 100);
}

#[tokio::test]
async fn one_that_lost_its_lock_moves_nothing() {
    let namespace = namespace();
    let products = redstream_at(&redis_url(), &namespace).await.stream("products").unwrap();
    add_at(&namespace, 1, 0, "1").await;
    let lock = format!("{namespace}:redstream:lock:consumer:products.delay:delayer");
    let mut raw = raw_redis(&redis_url()).await;
    let () =
        redis::cmd("SET").arg(&lock).arg("f".repeat(32)).arg("PX").arg(60_000).query_async(&mut raw).await.unwrap();
    assert_eq!(products.delayer(HOUR).run_once().await.unwrap(), None, "another holds the lock");
    assert_eq!(products.len().await.unwrap(), 0);
}

#[tokio::test]
async fn its_offset_is_the_last_message_it_moved() {
    let namespace = namespace();
    let products = redstream_at(&redis_url(), &namespace).await.stream("products").unwrap();
    add_at(&namespace, 3, 7, "1").await;
    products.delayer(HOUR).run_once().await.unwrap();
    let mut raw = raw_redis(&redis_url()).await;
    let offset: String = redis::cmd("GET")
        .arg(format!("{namespace}:redstream:offset:products.delay:delayer"))
        .query_async(&mut raw)
        .await
        .unwrap();
    assert_eq!(offset.parse::<MessageId>().unwrap(), MessageId::new(3, 7));
}

#[tokio::test]
async fn a_delay_of_zero_is_refused() {
    let products = redstream().await.stream("products").unwrap();
    let error = products.delayer(Duration::ZERO).run_once().await.unwrap_err();
    assert!(matches!(error, Error::InvalidOption { option: "delay", .. }), "{error}");
    let error = products.delayer(HOUR).batch_size(0).run_once().await.unwrap_err();
    assert!(matches!(error, Error::InvalidOption { option: "batch_size", .. }), "{error}");
}
