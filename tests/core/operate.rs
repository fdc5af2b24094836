//! Operations from any host: pause, resume, rewind, read the lag; and a writer that waits.

use std::time::{Duration, SystemTime};

use redstream_core::{
    Batch, CancellationToken, Consumer, Error, MessageId, NewMessage, Payload, Redstream, Result, Start, Stream,
    SyncToken,
};
use serde_json::{Value, json};
use tokio::task::JoinHandle;

use super::SOON;
use super::recorder::Recorder;
use super::waiting_handler::Held;
use crate::support::{eventually, namespace, raw_redis, redis_code, redis_url, redstream, redstream_at};

async fn add(redstream: &Redstream, stream: &Stream, ids: std::ops::Range<i64>) {
    for id in ids {
        redstream.producer().queue(stream.name(), &id).await.unwrap();
    }
}

fn numbers(ids: std::ops::Range<i64>) -> Vec<Value> {
    ids.map(|id| json!(id)).collect()
}

struct Running(CancellationToken, JoinHandle<Result<()>>);

fn start(consumer: Consumer) -> Running {
    let shutdown = CancellationToken::new();
    let token = shutdown.clone();
    let consumer = consumer.backoff(Duration::from_millis(5), Duration::from_millis(50));
    Running(shutdown, tokio::spawn(async move { consumer.run(token).await }))
}

impl Running {
    async fn stop(self) {
        self.0.cancel();
        tokio::time::timeout(SOON, self.1).await.expect("it stops").unwrap().unwrap();
    }
}

#[tokio::test]
async fn a_paused_consumer_rests_until_it_is_resumed() {
    let redstream = redstream().await;
    let products = redstream.stream("products").unwrap();
    let seen = Recorder::default();
    let running = start(products.consumer("search", seen.clone()).lock_ttl(Duration::from_millis(300)));
    add(&redstream, &products, 0..3).await;
    eventually(SOON, "the first messages", async || seen.len() == 3).await;

    assert!(products.pause("search", SOON).await.unwrap(), "it comes to rest");
    assert!(products.is_paused("search").await.unwrap());
    add(&redstream, &products, 3..6).await;
    // Another host cannot start it either.
    let error = products.consumer("search", seen.clone()).run_once().await.unwrap_err();
    assert!(matches!(error, Error::Paused { .. }), "{error}");
    assert!(matches!(products.lock("search", SOON).unwrap().try_acquire().await, Err(Error::Paused { .. })));
    assert_eq!(seen.len(), 3);

    products.resume("search").await.unwrap();
    eventually(SOON, "the rest", async || seen.len() == 6).await;
    assert!(!products.is_paused("search").await.unwrap());
    running.stop().await;
    assert_eq!(seen.payloads(), numbers(0..6));
}

#[tokio::test]
async fn a_batch_at_hand_when_the_pause_comes_is_not_committed() {
    let redstream = redstream().await;
    let products = redstream.stream("products").unwrap();
    let held = Held::default();
    add(&redstream, &products, 0..1).await;
    let running = start(products.consumer("search", held.clone()).lock_ttl(Duration::from_secs(60)));
    held.begun().await;
    assert!(!products.pause("search", Duration::from_millis(50)).await.unwrap(), "it is at work still");
    held.go_on();
    assert!(products.pause("search", SOON).await.unwrap());
    assert_eq!(products.lag("search").await.unwrap(), 1);
    products.resume("search").await.unwrap();
    held.begun().await;
    held.go_on();
    eventually(SOON, "the commit", async || products.lag("search").await.unwrap() == 0).await;
    running.stop().await;
}

#[tokio::test]
async fn what_is_not_there_is_refused_by_its_name_and_changes_nothing() {
    let products = redstream().await.stream("products").unwrap();
    products.register("search", Start::Earliest).await.unwrap();
    for outcome in [
        products.pause("serach", SOON).await.map(drop),
        products.resume("serach").await,
        products.rewind("serach", Start::Earliest).await.map(drop),
        products.forget("serach").await,
    ] {
        let error = outcome.unwrap_err();
        assert!(matches!(&error, Error::NoSuchConsumer { known, .. } if known == &["search"]), "{error:?}");
        assert_eq!(error.to_string(), "stream products has no consumer serach: registered are search");
    }
    let letters = products.dead_letters("serach").unwrap();
    let id = MessageId::new(1, 1);
    for outcome in [
        letters.count().await.map(drop),
        letters.list(MessageId::MIN, 10).await.map(drop),
        letters.of_message(id).await.map(drop),
        letters.redrive(id).await.map(drop),
        letters.redrive_all().await.map(drop),
        letters.discard(id).await.map(drop),
        letters.discard_all().await.map(drop),
    ] {
        let error = outcome.unwrap_err();
        assert!(matches!(&error, Error::NoSuchConsumer { known, .. } if known == &["search"]), "{error:?}");
    }
    assert!(!products.is_paused("serach").await.unwrap());
    assert_eq!(products.consumers().await.unwrap(), ["search"], "none was registered by the way");
}

#[tokio::test]
async fn a_consumer_of_the_ruby_gem_which_has_a_place_and_no_entry_can_be_forgotten() {
    let namespace = namespace();
    let products = redstream_at(&redis_url(), &namespace).await.stream("products").unwrap();
    let mut raw = raw_redis(&redis_url()).await;
    let offset = format!("{namespace}:redstream:offset:products:search");
    let () = redis::cmd("SET").arg(offset).arg("5-0").query_async(&mut raw).await.unwrap();
    products.forget("search").await.unwrap();
    assert_eq!(products.offsets().get("search").await.unwrap(), None);
}

#[tokio::test]
async fn rewinding_handles_again_and_skipping_goes_ahead() {
    let redstream = redstream().await;
    let products = redstream.stream("products").unwrap();
    add(&redstream, &products, 0..4).await;
    let seen = Recorder::default();
    let consumer = products.consumer("search", seen.clone());
    consumer.run_once().await.unwrap();
    let ids = seen.ids();

    assert_eq!(products.rewind("search", Start::After(ids[1])).await.unwrap(), ids[1]);
    consumer.run_once().await.unwrap();
    assert_eq!(seen.payloads()[4..], numbers(2..4));

    assert_eq!(products.rewind("search", Start::Earliest).await.unwrap(), MessageId::MIN);
    consumer.run_once().await.unwrap();
    assert_eq!(seen.payloads()[6..], numbers(0..4));

    add(&redstream, &products, 4..6).await;
    assert_eq!(products.rewind("search", Start::Latest).await.unwrap(), products.last_id().await.unwrap());
    consumer.run_once().await.unwrap();
    assert_eq!(seen.len(), 10);
}

#[tokio::test]
async fn rewinding_to_a_time_begins_with_the_first_message_of_that_time() {
    let namespace = namespace();
    let products = redstream_at(&redis_url(), &namespace).await.stream("products").unwrap();
    let mut raw = raw_redis(&redis_url()).await;
    for id in ["1000-0", "2000-0", "2000-1", "3000-0"] {
        let xadd = redis::cmd("XADD")
            .arg(format!("{namespace}:redstream:stream:products"))
            .arg(id)
            .arg("payload")
            .arg("1")
            .to_owned();
        let _: String = xadd.query_async(&mut raw).await.unwrap();
    }
    let seen = Recorder::default();
    let time = SystemTime::UNIX_EPOCH + Duration::from_secs(2);
    products.consumer("late", seen.clone()).start(Start::At(time)).run_once().await.unwrap();
    assert_eq!(seen.ids(), [MessageId::new(2000, 0), MessageId::new(2000, 1), MessageId::new(3000, 0)]);

    products.rewind("late", Start::At(SystemTime::UNIX_EPOCH)).await.unwrap();
    products.consumer("late", seen.clone()).run_once().await.unwrap();
    assert_eq!(seen.len(), 7);
}

#[tokio::test]
async fn a_running_owner_cannot_undo_a_rewind() {
    let redstream = redstream().await;
    let products = redstream.stream("products").unwrap();
    add(&redstream, &products, 0..2).await;
    let held = Held::default();
    let running = start(products.consumer("search", held.clone()).lock_ttl(Duration::from_secs(60)));
    held.begun().await;
    products.rewind("search", Start::Earliest).await.unwrap();
    held.go_on();
    held.begun().await;
    assert_eq!(products.offsets().get("search").await.unwrap(), Some(MessageId::MIN), "the old commit was refused");
    held.go_on();
    eventually(SOON, "the commit of the new owner", async || products.lag("search").await.unwrap() == 0).await;
    running.stop().await;
    assert_eq!(held.seen.payloads(), [numbers(0..2), numbers(0..2)].concat());
}

#[tokio::test]
async fn lag_is_told_in_messages_and_in_time() {
    let namespace = namespace();
    let redstream = redstream_at(&redis_url(), &namespace).await;
    let products = redstream.stream("products").unwrap();
    assert_eq!(products.lag_time("search").await.unwrap(), Duration::ZERO);
    let mut raw = raw_redis(&redis_url()).await;
    let (seconds, _): (u64, u64) = redis::cmd("TIME").query_async(&mut raw).await.unwrap();
    let _: String = redis::cmd("XADD")
        .arg(format!("{namespace}:redstream:stream:products"))
        .arg(format!("{}-0", (seconds - 100) * 1000))
        .arg("payload")
        .arg("1")
        .query_async(&mut raw)
        .await
        .unwrap();
    add(&redstream, &products, 0..25_000).await;
    assert_eq!(products.lag("search").await.unwrap(), 25_001);
    let lag = products.lag_time("search").await.unwrap();
    assert!(lag >= Duration::from_secs(100) && lag < Duration::from_secs(300), "{lag:?}");

    products.consumer("search", Recorder::default()).batch_size(1).run_once().await.unwrap();
    assert_eq!(products.lag("search").await.unwrap(), 25_000);
    assert!(products.lag_time("search").await.unwrap() < Duration::from_secs(100));
}

fn message(stream: &Stream, id: i64) -> NewMessage {
    NewMessage::new(stream.name().clone(), Payload::encode(&id).unwrap())
}

#[tokio::test]
async fn a_writer_waits_until_the_consumer_has_passed_its_write() {
    let redstream = redstream().await;
    let (products, orders) = (redstream.stream("products").unwrap(), redstream.stream("orders").unwrap());
    let seen = Recorder::default();
    for stream in [&products, &orders] {
        stream.register("search", Start::Earliest).await.unwrap();
    }
    let running = [start(products.consumer("search", seen.clone())), start(orders.consumer("search", seen.clone()))];
    let mut token = SyncToken::new();
    for stream in [&products, &orders] {
        let id = redstream.producer().queue(stream.name(), &7).await.unwrap();
        token.add(message(stream, 7), Some(id));
    }
    // A change whose main message failed after the commit.
    let mut lost = SyncToken::new();
    lost.add(message(&products, 8), None);
    token.merge(lost);

    redstream.wait_until_synced("search", &token, SOON).await.unwrap();
    assert_eq!(seen.payloads().iter().filter(|number| **number == json!(7)).count(), 2);
    assert!(seen.payloads().contains(&json!(8)));
    for consumer in running {
        consumer.stop().await;
    }
    assert!(SyncToken::new().is_empty());
    redstream.wait_until_synced("search", &SyncToken::new(), SOON).await.unwrap();
}

#[tokio::test]
async fn a_wait_for_a_consumer_that_does_not_come_ends_with_where_it_stands() {
    let redstream = redstream().await;
    let products = redstream.stream("products").unwrap();
    products.register("search", Start::Earliest).await.unwrap();
    let id = redstream.producer().queue(products.name(), &1).await.unwrap();
    let mut token = SyncToken::new();
    token.add(message(&products, 1), Some(id));
    let error = redstream.wait_until_synced("search", &token, Duration::from_millis(100)).await.unwrap_err();
    let Error::NotSynced { consumer, wanted, offset: None, .. } = &error else { panic!("{error:?}") };
    assert_eq!((consumer.as_str(), *wanted), ("search", id));
    assert!(error.to_string().contains("search") && error.to_string().contains(&id.to_string()), "{error}");
}

#[tokio::test]
async fn a_write_that_cannot_be_queued_again_is_not_waited_for_in_vain() {
    let server = crate::support::private_redis().await;
    let redstream = Redstream::connect(server.url()).await.unwrap();
    let products = redstream.stream("products").unwrap();
    let running = start(products.consumer("search", Recorder::default()));
    add(&redstream, &products, 0..1).await;
    eventually(SOON, "the first message", async || products.lag("search").await.unwrap() == 0).await;
    // It can be read, and refuses writes.
    let mut raw = raw_redis(&server.url()).await;
    redis::cmd("CONFIG").arg("SET").arg("min-replicas-to-write").arg(1).exec_async(&mut raw).await.unwrap();
    let mut token = SyncToken::new();
    token.add(message(&products, 1), None);
    let error = redstream.wait_until_synced("search", &token, SOON).await.unwrap_err();
    assert!(matches!(error, Error::Redis { .. }) && redis_code(&error).as_deref() == Some("NOREPLICAS"), "{error:?}");
    running.stop().await;
}

#[tokio::test]
async fn a_dead_letter_of_the_write_is_no_success() {
    let redstream = redstream().await;
    let products = redstream.stream("products").unwrap();
    let handler = async |batch: Batch| {
        let numbers = batch.payloads::<i64>().collect::<Result<Vec<_>, _>>()?;
        if numbers.contains(&1) { Err("not this one".into()) } else { Ok(()) }
    };
    products.register("search", Start::Earliest).await.unwrap();
    let running = start(products.consumer("search", handler).attempts(1));
    add(&redstream, &products, 0..1).await;
    let id = redstream.producer().queue(products.name(), &1).await.unwrap();
    let other = redstream.producer().queue(products.name(), &2).await.unwrap();
    let token = |number, id| {
        let mut token = SyncToken::new();
        token.add(message(&products, number), Some(id));
        token
    };
    redstream.wait_until_synced("search", &token(2, other), SOON).await.unwrap();
    let error = redstream.wait_until_synced("search", &token(1, id), SOON).await.unwrap_err();
    let Error::DeadLettered { message, error: told, .. } = &error else { panic!("{error:?}") };
    assert_eq!((*message, told.as_str()), (id, "not this one"));
    running.stop().await;
}

#[tokio::test]
async fn a_wait_for_a_mistyped_consumer_ends_at_once_and_sends_nothing() {
    let redstream = redstream().await;
    let products = redstream.stream("products").unwrap();
    products.register("search", Start::Earliest).await.unwrap();
    let mut token = SyncToken::new();
    token.add(message(&products, 1), None);
    let waited = tokio::time::timeout(SOON, redstream.wait_until_synced("serach", &token, SOON * 60));
    let error = waited.await.expect("at once").unwrap_err();
    assert!(matches!(&error, Error::NoSuchConsumer { consumer, .. } if consumer == "serach"), "{error:?}");
    assert!(products.is_empty().await.unwrap());
}

/// For example a book and its link to a category: the search has no consumer of the links.
#[tokio::test]
async fn streams_without_a_consumer_of_that_name_are_not_waited_for() {
    let redstream = redstream().await;
    let (books, links) = (redstream.stream("books").unwrap(), redstream.stream("links").unwrap());
    books.register("search", Start::Earliest).await.unwrap();
    let running = start(books.consumer("search", Recorder::default()));
    let mut token = SyncToken::new();
    for stream in [&books, &links] {
        let id = redstream.producer().queue(stream.name(), &7).await.unwrap();
        token.add(message(stream, 7), Some(id));
    }
    redstream.wait_until_synced("search", &token, SOON).await.unwrap();

    let only = token.only(|stream| stream == links.name());
    assert_eq!(only.streams().into_iter().collect::<Vec<_>>(), [links.name()]);
    let error = redstream.wait_until_synced("search", &only, SOON).await.unwrap_err();
    assert!(matches!(&error, Error::NoSuchConsumer { stream, .. } if stream == links.name()), "{error:?}");
    // The error names the stream that has consumers, whose names show what was meant.
    let error = redstream.wait_until_synced("serach", &token, SOON).await.unwrap_err();
    assert!(matches!(&error, Error::NoSuchConsumer { known, .. } if known == &["search"]), "{error:?}");
    running.stop().await;
}
