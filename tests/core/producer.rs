//! The producer: one or many, over several streams, and bounded when Redis is unavailable.

use std::time::{Duration, Instant};

use redstream_core::{ConnectOptions, Error, NewMessage, Payload, Redstream, StreamName};
use serde_json::json;

use super::SOON;
use super::recorder::Recorder;
use crate::support::{eventually, private_redis, redis_code, redstream};

fn message(stream: &StreamName, id: usize) -> NewMessage {
    NewMessage::new(stream.clone(), Payload::encode(&json!({ "id": id })).unwrap())
}

#[tokio::test]
async fn many_messages_of_several_streams_keep_their_order() {
    let redstream = redstream().await;
    let (a, b) = (redstream.stream("a").unwrap(), redstream.stream("b").unwrap());
    let messages: Vec<_> = (0..1001).map(|n| message(if n % 2 == 0 { a.name() } else { b.name() }, n)).collect();

    let ids = redstream.producer().queue_all(&messages).await.unwrap();
    redstream.producer().delay_all(&messages[..10]).await.unwrap();

    assert_eq!(ids.len(), 1001);
    let seen = Recorder::default();
    a.consumer("reader", seen.clone()).run_once().await.unwrap();
    assert_eq!(seen.ids(), ids.iter().step_by(2).copied().collect::<Vec<_>>());
    assert_eq!(seen.payloads()[500], json!({"id": 1000}));
    assert_eq!((b.len().await.unwrap(), a.delay_len().await.unwrap(), b.delay_len().await.unwrap()), (500, 5, 5));
}

#[tokio::test]
async fn nothing_to_add_is_nothing_done() {
    let redstream = redstream().await;
    assert!(redstream.producer().queue_all(&[]).await.unwrap().is_empty());
}

#[tokio::test]
async fn producers_know_whether_they_write_to_the_same_place() {
    let (one, other) = (redstream().await, redstream().await);
    assert!(one.producer().same_redis(&one.clone().producer()));
    assert!(!one.producer().same_redis(&other.producer()));
}

#[tokio::test]
async fn gives_up_within_its_bound_while_redis_hangs_and_goes_on_when_it_wakes() {
    let server = private_redis().await;
    let options = ConnectOptions::new(server.url())
        .connect_timeout(Duration::from_millis(200))
        .response_timeout(Duration::from_millis(200))
        .give_up_after(Duration::from_millis(600));
    let redstream = Redstream::connect(options).await.unwrap();
    let (producer, stream) = (redstream.producer(), redstream.stream("products").unwrap());
    producer.queue(stream.name(), &1).await.unwrap();

    server.pause().unwrap();
    let begun = Instant::now();
    let error = producer.queue(stream.name(), &2).await.unwrap_err();
    assert!(begun.elapsed() < Duration::from_secs(5), "{:?}", begun.elapsed());
    let is_it = matches!(&error, Error::GaveUp { attempt, .. } if attempt == "add main messages");
    assert!(is_it && error.is_transient(), "{error:?}");

    server.resume().unwrap();
    eventually(SOON, "the producer to come back", async || producer.queue(stream.name(), &3).await.is_ok()).await;
}

#[tokio::test]
async fn reconnects_by_itself_after_redis_was_killed_and_lost_nothing_acknowledged() {
    let mut server = private_redis().await;
    let redstream = Redstream::connect(server.url()).await.unwrap();
    let (producer, stream) = (redstream.producer(), redstream.stream("products").unwrap());
    for n in 0..10 {
        producer.queue(stream.name(), &n).await.unwrap();
    }
    server.kill().unwrap();
    server.restart().unwrap();
    producer.queue(stream.name(), &10).await.unwrap();
    assert_eq!(stream.len().await.unwrap(), 11);
}

#[tokio::test]
async fn a_refusal_of_redis_is_told_at_once() {
    let server = private_redis().await;
    let redstream = Redstream::connect(server.url()).await.unwrap();
    let stream = redstream.stream("products").unwrap();
    let mut raw = crate::support::raw_redis(&server.url()).await;
    let () = redis::cmd("SET").arg("redstream:stream:products").arg("text").query_async(&mut raw).await.unwrap();

    let error = redstream.producer().queue(stream.name(), &1).await.unwrap_err();
    assert!(matches!(error, Error::Redis { .. }) && !error.is_transient(), "{error:?}");
    assert_eq!(redis_code(&error).as_deref(), Some("WRONGTYPE"), "{error:?}");
}

#[tokio::test]
async fn announcing_adds_main_messages_and_removes_exactly_the_delay_messages_named() {
    let redstream = redstream().await;
    let (a, b) = (redstream.stream("a").unwrap(), redstream.stream("b").unwrap());
    let messages: Vec<_> = (0..600).map(|n| message(if n % 2 == 0 { a.name() } else { b.name() }, n)).collect();
    let producer = redstream.producer();
    let delayed = producer.delay_all(&messages).await.unwrap();
    let kept = producer.delay(a.name(), &json!({"id": 0})).await.unwrap();

    let insured: Vec<_> = messages.into_iter().zip(delayed).map(|(message, id)| (message, vec![id])).collect();
    let ids = producer.announce_and_remove_delays(&insured).await.unwrap();

    let seen = Recorder::default();
    a.consumer("reader", seen.clone()).run_once().await.unwrap();
    assert_eq!(seen.ids(), ids.iter().step_by(2).copied().collect::<Vec<_>>());
    assert_eq!((a.delay_len().await.unwrap(), b.delay_len().await.unwrap(), b.len().await.unwrap()), (1, 0, 300));
    assert!(kept > insured[0].1[0], "what is left is the one that was not named");
}
