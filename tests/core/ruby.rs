//! Two languages, one stream: hosts that run the Ruby gem and hosts that run ours, on the same Redis, concurrently.

mod gem;
mod packs;
mod sweepers;

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use redstream_core::{
    Batch, CancellationToken, Consumer, Handler, HandlerError, MessageId, Progress, Redstream, Stream,
};
use serde_json::{Value, json};

use self::gem::Gem;
use super::{AT_ONCE, SOON};
use crate::support::{eventually, namespace, raw_redis, redis_url, redstream_at};

const MOMENT: Duration = Duration::from_millis(50);

/// What both languages have handled, in the order in which they did.
#[derive(Clone, Default)]
pub(super) struct Seen(Arc<Mutex<Vec<Value>>>);

impl Seen {
    fn add(&self, payloads: impl IntoIterator<Item = Value>) {
        self.0.lock().unwrap().extend(payloads);
    }

    fn all(&self) -> Vec<Value> {
        self.0.lock().unwrap().clone()
    }

    fn len(&self) -> usize {
        self.0.lock().unwrap().len()
    }
}

#[async_trait]
impl Handler for Seen {
    async fn handle(&self, batch: Batch) -> Result<(), HandlerError> {
        batch.version().await?;
        self.add(batch.payloads().collect::<Result<Vec<Value>, _>>()?);
        Ok(())
    }
}

/// One namespace, one process of each language, and what they have handled together.
struct Stage {
    namespace: String,
    redstream: Redstream,
    products: Stream,
    gem: Gem,
    seen: Seen,
}

impl Stage {
    async fn new() -> Self {
        let namespace = namespace();
        let redstream = redstream_at(&redis_url(), &namespace).await;
        let products = redstream.stream("products").unwrap();
        let gem = Gem::new(&redis_url(), &namespace).await;
        Self { namespace, redstream, products, gem, seen: Seen::default() }
    }

    async fn another_gem(&self) -> Gem {
        Gem::new(&redis_url(), &self.namespace).await
    }

    fn ours(&self) -> Consumer {
        self.products.consumer("search", self.seen.clone())
    }

    async fn we_queue(&self, id: u64) {
        self.redstream.producer().queue(self.products.name(), &key(id)).await.unwrap();
    }

    async fn ruby_queues(&mut self, id: u64) {
        self.gem.queue("products", &key(id)).await;
    }

    async fn ruby_handles(&mut self) -> Option<usize> {
        self.gem.consume_once("products", "search", &self.seen).await
    }

    async fn holder(&self) -> Option<String> {
        let mut raw = raw_redis(&redis_url()).await;
        redis::cmd("GET").arg(self.gem.consumer_lock("products", "search")).query_async(&mut raw).await.unwrap()
    }
}

fn key(id: u64) -> Value {
    json!({ "id": id })
}

fn keys(ids: impl IntoIterator<Item = u64>) -> Vec<Value> {
    ids.into_iter().map(key).collect()
}

/// Waits until a client has begun to wait for a lock in Redis, where only a release wakes it early.
async fn somebody_waits() {
    let mut raw = raw_redis(&redis_url()).await;
    eventually(SOON, "somebody to wait for the lock", async || {
        let clients: String = redis::cmd("CLIENT").arg("LIST").query_async(&mut raw).await.unwrap();
        clients.contains("cmd=brpop")
    })
    .await;
}

#[tokio::test]
async fn each_reads_what_the_other_wrote() {
    let mut stage = Stage::new().await;
    stage.ruby_queues(1).await;
    stage.we_queue(2).await;
    assert_eq!(stage.ours().run_once().await.unwrap(), Progress::Handled(2));
    assert_eq!(stage.seen.all(), keys(1..=2));

    let ruby = Seen::default();
    assert_eq!(stage.gem.consume_once("products", "cache", &ruby).await, Some(2));
    assert_eq!(ruby.all(), keys(1..=2));
}

#[tokio::test]
async fn each_goes_on_where_the_other_stopped() {
    let mut stage = Stage::new().await;
    for id in 1..=4 {
        stage.ruby_queues(id).await;
    }
    assert_eq!(stage.ours().batch_size(2).run_once().await.unwrap(), Progress::Handled(2));
    assert_eq!(stage.ruby_handles().await, Some(2));
    stage.we_queue(5).await;
    assert_eq!(stage.ours().run_once().await.unwrap(), Progress::Handled(1));
    assert_eq!(stage.ruby_handles().await, Some(0), "nothing is left");
    assert_eq!(stage.ours().run_once().await.unwrap(), Progress::Idle);
    assert_eq!(stage.seen.all(), keys(1..=5));
}

#[tokio::test]
async fn our_release_wakes_ruby_at_once() {
    let stage = Stage::new().await;
    let (ours, ours_stops) = (stage.ours().lock_ttl(Duration::from_secs(60)), CancellationToken::new());
    let token = ours_stops.clone();
    let working = tokio::spawn(async move { ours.run(token).await });
    stage.we_queue(1).await;
    eventually(SOON, "ours at work", async || stage.seen.len() == 1).await;

    let (gem, seen, ruby_stops) = (stage.another_gem().await, stage.seen.clone(), CancellationToken::new());
    let token = ruby_stops.clone();
    let standby = tokio::spawn(async move { gem.consume("products", "search", &seen, &token).await });
    somebody_waits().await;
    ours_stops.cancel();
    working.await.unwrap().unwrap();
    stage.we_queue(2).await;
    // It would check by itself only after five seconds.
    eventually(AT_ONCE, "Ruby at work", async || stage.seen.all() == keys(1..=2)).await;
    ruby_stops.cancel();
    standby.await.unwrap();
}

#[tokio::test]
async fn rubys_release_wakes_us_at_once() {
    let mut stage = Stage::new().await;
    let lock = stage.gem.consumer_lock("products", "search");
    assert!(stage.gem.acquire(&lock).await);
    stage.ruby_queues(1).await;
    let (ours, shutdown) = (stage.ours(), CancellationToken::new());
    let token = shutdown.clone();
    let standby = tokio::spawn(async move { ours.run(token).await });
    somebody_waits().await;
    stage.gem.extend(&lock).await;
    assert_eq!(stage.seen.len(), 0, "Ruby's lock is respected");
    stage.gem.release(&lock).await;
    eventually(AT_ONCE, "ours at work", async || stage.seen.len() == 1).await;

    assert_eq!(stage.ruby_handles().await, None, "and ours is respected by Ruby");
    shutdown.cancel();
    standby.await.unwrap().unwrap();
    assert_eq!(stage.ruby_handles().await, Some(0));
}

#[tokio::test]
async fn we_take_over_from_a_ruby_process_that_died_within_its_ttl() {
    let mut stage = Stage::new().await;
    let lock = stage.gem.consumer_lock("products", "search");
    stage.ruby_queues(1).await;
    assert!(stage.gem.acquire(&lock).await);
    let died = Instant::now();
    let messages = stage.gem.read("products", "search").await;
    assert_eq!(messages.len(), 1, "it had read them, and committed nothing");

    let (ours, shutdown) = (stage.ours(), CancellationToken::new());
    let token = shutdown.clone();
    let standby = tokio::spawn(async move { ours.run(token).await });
    eventually(gem::TTL + AT_ONCE, "ours at work", async || stage.seen.len() == 1).await;
    assert!(died.elapsed() + MOMENT > gem::TTL, "not before its lock expired");
    shutdown.cancel();
    standby.await.unwrap().unwrap();
}

#[tokio::test]
async fn ruby_takes_over_from_a_process_of_ours_that_died() {
    let stage = Stage::new().await;
    stage.we_queue(1).await;
    // Ending the runtime is like ending the process: the lock is neither renewed nor released.
    let process = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let (namespace, seen) = (stage.namespace.clone(), stage.seen.clone());
    process.spawn(async move {
        let products = redstream_at(&redis_url(), &namespace).await.stream("products").unwrap();
        let consumer = products.consumer("search", seen).lock_ttl(Duration::from_secs(1));
        consumer.run(CancellationToken::new()).await
    });
    eventually(SOON, "ours at work", async || stage.products.lag("search").await.unwrap() == 0).await;

    let (gem, seen, shutdown) = (stage.another_gem().await, stage.seen.clone(), CancellationToken::new());
    let token = shutdown.clone();
    let standby = tokio::spawn(async move { gem.consume("products", "search", &seen, &token).await });
    somebody_waits().await;
    process.shutdown_background();
    stage.we_queue(2).await;
    eventually(gem::TTL + AT_ONCE, "Ruby at work", async || stage.seen.all() == keys(1..=2)).await;
    shutdown.cancel();
    standby.await.unwrap();
}

#[tokio::test]
async fn hosts_of_both_languages_handle_each_message_once_and_in_order() {
    let mut stage = Stage::new().await;
    let (gem, seen, ruby_stops) = (stage.another_gem().await, stage.seen.clone(), CancellationToken::new());
    let token = ruby_stops.clone();
    let ruby = tokio::spawn(async move { gem.consume("products", "search", &seen, &token).await });
    let mut queued = 0;
    for _ in 0..10 {
        // Our worker starts and stops; Ruby has the lock in between.
        let (ours, ours_stops) = (stage.ours().batch_size(3), CancellationToken::new());
        let token = ours_stops.clone();
        let working = tokio::spawn(async move { ours.run(token).await });
        for _ in 0..5 {
            stage.ruby_queues(queued).await;
            stage.we_queue(queued + 1).await;
            queued += 2;
        }
        ours_stops.cancel();
        working.await.unwrap().unwrap();
    }
    eventually(SOON, "all of them", async || stage.seen.len() >= 100).await;
    ruby_stops.cancel();
    ruby.await.unwrap();
    assert_eq!(stage.seen.all(), keys(0..queued));
    assert_eq!(stage.holder().await, None);
}

#[tokio::test]
async fn an_offset_that_a_paused_ruby_process_moved_back_is_put_right_by_our_next_commit() {
    let mut stage = Stage::new().await;
    for id in 1..=3 {
        stage.ruby_queues(id).await;
    }
    // Ruby pauses before its commit.
    let read = stage.gem.read("products", "search").await;
    let (ours, shutdown) = (stage.ours(), CancellationToken::new());
    let token = shutdown.clone();
    let working = tokio::spawn(async move { ours.run(token).await });
    stage.we_queue(4).await;
    eventually(SOON, "ours to commit", async || stage.products.lag("search").await.unwrap() == 0).await;
    stage.gem.commit("products", "search", &read[0].0).await;
    assert_eq!(stage.products.lag("search").await.unwrap(), 3);

    stage.we_queue(5).await;
    eventually(SOON, "ours to commit again", async || stage.products.lag("search").await.unwrap() == 0).await;
    shutdown.cancel();
    working.await.unwrap().unwrap();
    assert_eq!(stage.seen.all(), keys(1..=5));
}

#[tokio::test]
async fn what_is_ours_alone_does_not_disturb_ruby() {
    let mut stage = Stage::new().await;
    // All of our features have been used: registry, versions, a dead letter, offsets, locks.
    stage.we_queue(1).await;
    stage.redstream.producer().delay(stage.products.name(), &key(2)).await.unwrap();
    stage.ours().run_once().await.unwrap();
    stage.products.delayer(Duration::from_secs(300)).run_once().await.unwrap();
    stage.products.trimmer().run_once().await.unwrap();

    assert_eq!(stage.gem.consume_once("products.delay", "another", &Seen::default()).await, Some(1));
    assert_eq!(stage.ruby_handles().await, Some(0), "our offset is its offset");
    let id = stage.gem.queue("products", &key(3)).await;
    assert_eq!(stage.ruby_handles().await, Some(1));
    assert_eq!(stage.gem.offset("products", "search").await.unwrap().parse(), Ok::<MessageId, _>(id));
    assert_eq!(stage.gem.trim("products", &["search"]).await, Some(1));
    assert_eq!(stage.seen.all(), [key(1), key(3)]);
    // And back again.
    stage.ruby_queues(4).await;
    assert_eq!(stage.ours().run_once().await.unwrap(), Progress::Handled(1));
}
