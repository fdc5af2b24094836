//! Payloads and errors of any size: at most a few KiB of them are logged and stored.

use std::time::Duration;

use redstream_core::{Batch, Consumer, DecodeError, Error, MessageId, OnPoison, Redstream, Supervisor};

use super::SOON;
use super::recorder::Recorder;
use crate::support::{Logs, eventually, redstream};

const KIB: usize = 1024;

fn quick(consumer: Consumer) -> Consumer {
    consumer.attempts(2).backoff(Duration::from_millis(5), Duration::from_millis(20))
}

async fn queue(redstream: &Redstream, payloads: &[String]) -> Vec<MessageId> {
    let stream = redstream.stream("products").unwrap();
    let mut ids = Vec::new();
    for payload in payloads {
        ids.push(redstream.producer().queue(stream.name(), payload).await.unwrap());
    }
    ids
}

#[tokio::test]
async fn a_payload_that_is_too_large_is_set_aside_unparsed_with_its_beginning() {
    let redstream = redstream().await;
    let products = redstream.stream("products").unwrap();
    let seen = Recorder::default();
    let consumer = quick(products.consumer("search", seen.clone())).max_payload(100 * KIB);
    let ids = queue(&redstream, &["a".to_owned(), "b".repeat(300 * KIB), "c".to_owned()]).await;
    let logs = Logs::capture();
    let story = async {
        eventually(SOON, "the whole stream", async || products.lag("search").await.unwrap() == 0).await;
    };
    Supervisor::new().with(consumer).run_until(story).await.unwrap();
    assert_eq!(seen.ids(), [ids[0], ids[2]]);
    assert!(logs.has(&["ERROR", "goes to the dead letters", "max_payload", &ids[1].to_string()]), "{}", logs.text());

    let letters = products.dead_letters("search").unwrap();
    let [letter] = &letters.list(MessageId::MIN, 10).await.unwrap()[..] else { panic!("one dead letter") };
    assert_eq!(
        (letter.message_id, letter.payload.len(), letter.payload_bytes),
        (ids[1], 4 * KIB, 300 * KIB as u64 + 2)
    );
    assert_eq!(letter.attempts, 0);
    let error = letters.redrive(letter.id).await.unwrap_err();
    assert!(matches!(error, Error::PayloadCut { .. }), "{error}");
    assert_eq!(letters.redrive_all().await.unwrap(), 0);
    assert_eq!((letters.count().await.unwrap(), products.len().await.unwrap()), (1, 3), "it stays");
}

#[tokio::test]
async fn run_once_sets_it_aside_too_and_a_consumer_that_stops_at_poison_stops() {
    let redstream = redstream().await;
    let products = redstream.stream("products").unwrap();
    let ids = queue(&redstream, &["b".repeat(2 * KIB)]).await;
    let seen = Recorder::default();
    let small = |name: &str| products.consumer(name, seen.clone()).max_payload(KIB);
    let error = small("stops").on_poison(OnPoison::Stop).run_once().await.unwrap_err();
    assert!(matches!(error, Error::Poison { message, attempts: 0, .. } if message == ids[0]), "{error}");
    small("search").run_once().await.unwrap();
    assert_eq!((seen.len(), products.lag("search").await.unwrap()), (0, 0));
    let letters = products.dead_letters("search").unwrap().list(MessageId::MIN, 10).await.unwrap();
    assert_eq!((letters[0].payload.len(), letters[0].payload_bytes), (2 * KIB + 2, 2 * KIB as u64 + 2), "all of it");
    small("blocks").on_poison(OnPoison::Block).run_once().await.unwrap();
    assert_eq!(seen.ids(), ids, "one that blocks gets it");
}

#[tokio::test]
async fn an_error_that_quotes_a_payload_is_logged_and_kept_in_short() {
    let redstream = redstream().await;
    let products = redstream.stream("products").unwrap();
    let handler = async |batch: Batch| {
        batch.payloads::<i64>().collect::<Result<Vec<_>, _>>()?;
        Ok(())
    };
    let large = "x".repeat(1000 * KIB);
    queue(&redstream, std::slice::from_ref(&large)).await;
    let logs = Logs::capture();
    let story = async {
        eventually(SOON, "the dead letter", async || products.lag("search").await.unwrap() == 0).await;
    };
    Supervisor::new().with(quick(products.consumer("search", handler))).run_until(story).await.unwrap();
    let longest = logs.text().lines().map(str::len).max().unwrap();
    assert!(longest < 8 * KIB, "a line of {longest} bytes");
    let letters = products.dead_letters("search").unwrap().list(MessageId::MIN, 10).await.unwrap();
    let error = &letters[0].error;
    assert!(error.contains("invalid type: string \"xxx") && error.len() < KIB, "{error}");
    assert_eq!(letters[0].payload.len(), 1000 * KIB + 2, "small enough to be kept whole");
    let message = &products.messages(MessageId::MIN, 1).await.unwrap()[0];
    let error: DecodeError = message.payload::<i64>().unwrap_err();
    assert!(format!("{error:?}").len() < KIB);
}

#[tokio::test]
async fn a_handlers_own_error_is_cut_as_well() {
    let redstream = redstream().await;
    let products = redstream.stream("products").unwrap();
    let seen = Recorder::default();
    products.consumer("first", seen).run_once().await.unwrap();
    queue(&redstream, &["a".to_owned()]).await;
    let verbose = products.consumer("search", async |_: Batch| Err(format!("ä{}", "ö".repeat(1000 * KIB)).into()));
    let error = verbose.run_once().await.unwrap_err();
    let Error::Handler { source, .. } = error else { panic!("{error}") };
    assert!(source.to_string().starts_with("äö") && source.to_string().len() < 5 * KIB, "{}", source.to_string().len());
    let short = products.consumer("search", async |_: Batch| Err(std::io::Error::other("short").into()));
    let Error::Handler { source, .. } = short.run_once().await.unwrap_err() else { panic!("another error") };
    assert!(source.downcast_ref::<std::io::Error>().is_some(), "a short one stays what it is");
}
