//! Start positions: times and ids, the greatest ones included.

use std::time::{Duration, SystemTime};

use redstream_core::{LossKind, MessageId, Progress, Start, Trimmed};
use serde_json::json;

use super::SOON;
use super::recorder::Recorder;
use crate::support::{Logs, eventually, namespace, raw_redis, redis_url, redstream, redstream_at};

/// A time is stored as the last id that no message of it can have, whose sequence number is the greatest possible.
#[tokio::test]
async fn what_a_consumer_at_a_time_has_passed_is_trimmed() {
    let namespace = namespace();
    let redstream = redstream_at(&redis_url(), &namespace).await;
    let products = redstream.stream("products").unwrap();
    let mut raw = raw_redis(&redis_url()).await;
    let key = format!("{namespace}:redstream:stream:products");
    for id in ["1000-1", "1999-7", "2000-0", "3000-0"] {
        let xadd = redis::cmd("XADD").arg(&key).arg(id).arg("payload").arg(1).to_owned();
        xadd.exec_async(&mut raw).await.unwrap();
    }
    let at = |ms| Start::At(SystemTime::UNIX_EPOCH + Duration::from_millis(ms));
    assert!(products.register("search", at(1500)).await.unwrap());
    assert_eq!(products.trimmer().run_once().await.unwrap(), Trimmed::Removed(1));
    assert_eq!(products.rewind("search", at(2000)).await.unwrap(), MessageId::new(1999, u64::MAX));
    assert_eq!(products.trimmer().run_once().await.unwrap(), Trimmed::Removed(1));
    assert_eq!(products.trimmer().expire_after(Duration::from_secs(1)).run_once().await.unwrap(), Trimmed::Removed(2));
}

#[tokio::test]
async fn a_start_in_the_future_is_the_end_of_the_stream_and_no_loss() {
    let redstream = redstream().await;
    let products = redstream.stream("products").unwrap();
    let logs = Logs::capture();
    let first = redstream.producer().queue(products.name(), &json!(1)).await.unwrap();
    let future = Start::At(SystemTime::now() + Duration::from_secs(3600));
    let now = Start::At(SystemTime::now() + Duration::from_millis(10));
    products.register("registered", future).await.unwrap();
    products.register("now", now).await.unwrap();
    products.register("beyond", Start::After(MessageId::MAX)).await.unwrap();
    products.register("rewound", Start::Earliest).await.unwrap();
    assert_eq!(products.rewind("rewound", future).await.unwrap(), first);
    assert_eq!(products.trimmer().run_once().await.unwrap(), Trimmed::Removed(1));
    redstream.producer().queue(products.name(), &json!(2)).await.unwrap();
    for name in ["registered", "now", "beyond", "rewound"] {
        let seen = Recorder::default();
        let lost = std::sync::Arc::new(std::sync::Mutex::new(Vec::new()));
        let losses = lost.clone();
        let consumer = products.consumer(name, seen.clone()).on_loss(move |loss| losses.lock().unwrap().push(loss));
        assert_eq!(consumer.run_once().await.unwrap(), Progress::Handled(1), "{name}");
        assert_eq!(seen.payloads(), [json!(2)], "{name}");
        // It is reported as new, and no loss is reported.
        let lost = lost.lock().unwrap();
        assert!(lost.iter().all(|loss| loss.kind == LossKind::NoRecord), "{name}: {lost:?}");
    }
    assert!(!logs.has(&["ERROR"]), "{}", logs.text());
}

/// Redis refuses to read after it.
#[tokio::test]
async fn behind_the_greatest_id_there_is_nothing() {
    let namespace = namespace();
    let redstream = redstream_at(&redis_url(), &namespace).await;
    let products = redstream.stream("products").unwrap();
    let mut raw = raw_redis(&redis_url()).await;
    let key = format!("{namespace}:redstream:stream:products");
    let xadd = redis::cmd("XADD").arg(&key).arg(MessageId::MAX.to_string()).arg("payload").arg(1).to_owned();
    xadd.exec_async(&mut raw).await.unwrap();
    let seen = Recorder::default();
    let consumer = products.consumer("search", seen.clone());
    assert_eq!(consumer.run_once().await.unwrap(), Progress::Handled(1));
    assert_eq!(consumer.run_once().await.unwrap(), Progress::Idle);
    assert_eq!(products.lag("search").await.unwrap(), 0);
    assert_eq!(products.lag_time("search").await.unwrap(), Duration::ZERO);
    assert_eq!(products.messages(MessageId::MAX, usize::MAX).await.unwrap(), []);
    assert_eq!(products.dead_letters("search").unwrap().list(MessageId::MAX, usize::MAX).await.unwrap(), []);
    products.trimmer().run_once().await.unwrap();
    let shutdown = redstream_core::CancellationToken::new();
    let running = tokio::spawn({
        let (consumer, shutdown) = (consumer.clone(), shutdown.clone());
        async move { consumer.run(shutdown).await }
    });
    let status = redstream_core::Worker::status(&consumer).unwrap();
    eventually(SOON, "it to wait", async || status.state() == redstream_core::WorkerState::Idle).await;
    shutdown.cancel();
    running.await.unwrap().unwrap();
}
