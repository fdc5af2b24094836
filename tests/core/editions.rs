//! Every Redis that users run: the same scenario on each.

use std::collections::BTreeSet;
use std::time::Duration;

use redstream_core::{
    Batch, ConnectOptions, Error, MessageId, NewMessage, Payload, Progress, Redstream, Start, Supervisor, Trimmed,
};
use redstream_servers::{RedisEdition, RedisOptions};
use serde_json::json;

use super::SOON;
use super::recorder::Recorder;
use crate::support::{eventually, raw_redis};

/// Every script and command once.
pub(super) async fn story(options: ConnectOptions) {
    let redstream = Redstream::connect(options).await.unwrap();
    let products = redstream.stream("products").unwrap();
    let producer = redstream.producer();
    assert_eq!(products.last_id().await.unwrap(), MessageId::MIN);
    let seen = Recorder::default();
    let consumer = products.consumer("search", seen.clone());
    assert_eq!(consumer.run_once().await.unwrap(), Progress::Idle);

    producer.queue(products.name(), &json!({"id": 1})).await.unwrap();
    producer.delay(products.name(), &json!({"id": 2})).await.unwrap();
    assert_eq!(consumer.run_once().await.unwrap(), Progress::Handled(1));
    let delayer = products.delayer(Duration::from_millis(1));
    eventually(SOON, "the delay message to be moved", async || {
        delayer.run_once().await.unwrap().is_some_and(|moved| moved.queued == 1)
    })
    .await;
    assert_eq!(consumer.run_once().await.unwrap(), Progress::Handled(1));
    assert_eq!(seen.payloads(), [json!({"id": 1}), json!({"id": 2})]);

    // Messages that share an entry: written, moved and read.
    delayer.run_once().await.unwrap().unwrap();
    let messages = [3, 4, 5].map(|id| NewMessage::new(products.name().clone(), Payload::encode(&id).unwrap()));
    assert_eq!(producer.queue_all(&messages).await.unwrap()[0].index(), Some(0));
    let delayed = producer.delay_all(&messages).await.unwrap();
    assert_eq!((products.len().await.unwrap(), products.delay_len().await.unwrap()), (3, 1));
    let insured = messages.into_iter().zip(delayed).map(|(message, id)| (message, vec![id])).collect::<Vec<_>>();
    assert_eq!(producer.announce_and_remove_delays(&insured).await.unwrap()[2].index(), None);
    assert_eq!((products.lag("search").await.unwrap(), products.delay_len().await.unwrap()), (6, 0));
    assert_eq!(consumer.run_once().await.unwrap(), Progress::Handled(6));
    assert_eq!(seen.payloads()[2..], [3, 4, 5, 3, 4, 5]);

    products.register("late", Start::Latest).await.unwrap();
    assert_eq!(products.trimmer().run_once().await.unwrap(), Trimmed::Removed(4));
    assert_eq!(products.lag("search").await.unwrap(), 0);
    assert!(products.pause("search", SOON).await.unwrap());
    assert!(matches!(consumer.run_once().await, Err(Error::Paused { .. })));
    products.resume("search").await.unwrap();
    products.rewind("search", Start::Latest).await.unwrap();

    let picky = products
        .consumer("picky", async |batch: Batch| {
            batch.version().await?;
            batch.payloads::<bool>().collect::<Result<Vec<_>, _>>()?;
            Ok(())
        })
        .start(Start::Latest)
        .backoff(Duration::from_millis(5), Duration::from_millis(20));
    let shutdown = redstream_core::CancellationToken::new();
    let running = tokio::spawn({
        let shutdown = shutdown.clone();
        async move { picky.run(shutdown).await }
    });
    eventually(SOON, "its registration", async || products.consumers().await.unwrap().len() == 3).await;
    producer.queue(products.name(), &json!({"id": 3})).await.unwrap();
    let letters = products.dead_letters("picky").unwrap();
    eventually(SOON, "the dead letter", async || letters.count().await.unwrap() == 1).await;
    shutdown.cancel();
    running.await.unwrap().unwrap();
    assert_eq!(letters.discard_all().await.unwrap(), 1);
    assert_eq!(products.trimmer().expire_after(Duration::from_secs(60)).run_once().await.unwrap(), Trimmed::Removed(0));
    products.forget("picky").await.unwrap();
}

async fn on(edition: RedisEdition) {
    let server =
        tokio::task::spawn_blocking(move || RedisOptions::new().edition(edition).start()).await.unwrap().unwrap();
    story(ConnectOptions::new(server.url())).await;
    story(ConnectOptions::new(format!("{}1?protocol=resp3", server.url()))).await;
}

#[tokio::test]
async fn redis_7_0_in_both_protocols() {
    on(RedisEdition::System).await;
}

#[tokio::test]
async fn redis_8_2_in_both_protocols() {
    on(RedisEdition::Redis8_2).await;
}

#[tokio::test]
async fn redis_6_2_in_both_protocols() {
    on(RedisEdition::Redis6_2).await;
}

#[tokio::test]
async fn valkey_9_in_both_protocols() {
    on(RedisEdition::Valkey).await;
}

/// The client libraries that have named themselves to the server, which our own code does not, while a worker waits and
/// after messages were written.
async fn libraries(options: ConnectOptions, url: &str) -> BTreeSet<String> {
    let redstream = Redstream::connect(options).await.unwrap();
    let products = redstream.stream("products").unwrap();
    let consumer = products.consumer("search", Recorder::default());
    let supervisor = Supervisor::new().with(consumer);
    let (health, mut raw) = (supervisor.health(), raw_redis(url).await);
    let mut list = String::new();
    let story = async {
        eventually(SOON, "the consumer to wait", async || health.is_ready()).await;
        for count in [1, 10, 1000] {
            let message = NewMessage::new(products.name().clone(), Payload::encode(&1).unwrap());
            redstream.producer().queue_all(&vec![message; count]).await.unwrap();
        }
        list = redis::cmd("CLIENT").arg("LIST").query_async(&mut raw).await.unwrap();
    };
    supervisor.run_until(story).await.unwrap();
    let names = list.split_whitespace().filter_map(|word| word.strip_prefix("lib-name="));
    names.map(str::to_owned).collect()
}

#[tokio::test]
async fn redis_rs_alone_if_that_is_wanted() {
    let options = RedisOptions::new().edition(RedisEdition::Redis8_2);
    let server = tokio::task::spawn_blocking(move || options.start()).await.unwrap().unwrap();
    let options = || ConnectOptions::new(server.url());
    let both = libraries(options(), &server.url()).await;
    assert!(both.contains(""), "our own code is not in use: {both:?}");
    let one = libraries(options().namespace("library").redis_rs_only(true), &server.url()).await;
    assert_eq!(one, ["redis-rs".to_owned()].into());
    story(options().namespace("alone").redis_rs_only(true)).await;
    story(ConnectOptions::new(format!("{}1?protocol=resp3", server.url())).redis_rs_only(true)).await;
}
