//! Losses in Redis are detected and reported, and the consumer continues.

mod marks;

use std::sync::{Arc, Mutex};
use std::time::Duration;

use redstream_core::{CancellationToken, Consumer, Loss, LossKind, MessageId, Redstream, Start};

use super::SOON;
use super::recorder::Recorder;
use crate::support::{eventually, namespace, private_redis, raw_redis, redis_url, redstream_at};

#[derive(Clone, Default)]
struct Losses(Arc<Mutex<Vec<Loss>>>);

impl Losses {
    fn told_to(&self, consumer: Consumer) -> Consumer {
        let losses = self.0.clone();
        consumer.on_loss(move |loss| losses.lock().unwrap().push(loss))
    }

    /// All except that a consumer is new.
    fn kinds(&self) -> Vec<LossKind> {
        self.all().into_iter().filter(|kind| *kind != LossKind::NoRecord).collect()
    }

    fn all(&self) -> Vec<LossKind> {
        self.0.lock().unwrap().iter().map(|loss| loss.kind).collect()
    }
}

#[tokio::test]
async fn an_offset_beyond_the_stream_is_told_and_the_next_messages_are_not_skipped() {
    let namespace = namespace();
    let products = redstream_at(&redis_url(), &namespace).await.stream("products").unwrap();
    let mut raw = raw_redis(&redis_url()).await;
    let add = async |id: &str| {
        let mut raw = raw_redis(&redis_url()).await;
        let key = format!("{namespace}:redstream:stream:products");
        let _: String =
            redis::cmd("XADD").arg(key).arg(id).arg("payload").arg("1").query_async(&mut raw).await.unwrap();
    };
    add("5-0").await;
    let offset = format!("{namespace}:redstream:offset:products:search");
    let () = redis::cmd("SET").arg(&offset).arg("9-0").query_async(&mut raw).await.unwrap();

    let (seen, losses) = (Recorder::default(), Losses::default());
    let consumer = losses.told_to(products.consumer("search", seen.clone()));
    consumer.run_once().await.unwrap();
    let (beyond, last) = (MessageId::new(9, 0), MessageId::new(5, 0));
    assert_eq!(losses.kinds(), [LossKind::OffsetBeyondStream { offset: beyond, last }]);
    assert!(losses.0.lock().unwrap().iter().any(|loss| loss.to_string().contains("9-0")));

    // A message of the server that took over, with an id that the lost ones had.
    add("7-0").await;
    consumer.run_once().await.unwrap();
    assert_eq!(seen.ids(), [MessageId::new(7, 0)]);
    assert_eq!(losses.kinds().len(), 1, "told once");
}

#[tokio::test]
async fn a_flush_under_a_running_consumer_is_told_and_new_messages_come() {
    let server = private_redis().await;
    let redstream = Redstream::connect(server.url()).await.unwrap();
    let products = redstream.stream("products").unwrap();
    let (seen, losses) = (Recorder::default(), Losses::default());
    let consumer = losses
        .told_to(products.consumer("search", seen.clone()))
        .lock_ttl(Duration::from_millis(300))
        .backoff(Duration::from_millis(10), Duration::from_millis(100));
    let shutdown = CancellationToken::new();
    let running = tokio::spawn({
        let shutdown = shutdown.clone();
        async move { consumer.run(shutdown).await }
    });
    let committed = redstream.producer().queue(products.name(), &1).await.unwrap();
    eventually(SOON, "the first message", async || products.lag("search").await.unwrap() == 0 && seen.len() == 1).await;

    let mut raw = raw_redis(&server.url()).await;
    let () = redis::cmd("FLUSHALL").query_async(&mut raw).await.unwrap();
    redstream.producer().queue(products.name(), &2).await.unwrap();
    eventually(SOON, "the message after the flush", async || seen.payloads().contains(&2.into())).await;
    eventually(SOON, "the loss to be told", async || {
        losses.kinds() == [LossKind::OffsetWentBack { committed, stored: None }]
    })
    .await;
    shutdown.cancel();
    running.await.unwrap().unwrap();
}

#[tokio::test]
async fn a_rewind_is_no_loss() {
    let redstream = crate::support::redstream().await;
    let products = redstream.stream("products").unwrap();
    redstream.producer().queue(products.name(), &1).await.unwrap();
    let (seen, losses) = (Recorder::default(), Losses::default());
    let consumer = losses.told_to(products.consumer("search", seen.clone()));
    consumer.run_once().await.unwrap();
    products.rewind("search", Start::Earliest).await.unwrap();
    consumer.run_once().await.unwrap();
    assert_eq!((seen.len(), losses.kinds()), (2, vec![]));
}
