//! Broken connections, lost replies, and a Redis that refuses, hangs or loses data: the result for each part, within a
//! bound, and that all recover by themselves.

mod failover;
mod held_up;
mod refusals;

use std::collections::HashMap;
use std::time::{Duration, Instant};

use redstream_core::{CancellationToken, ConnectOptions, MessageId, Progress, Redstream, Stream, Supervisor};
use redstream_proxy::{Fault, Proxy};
use serde_json::{Value, json};

use super::recorder::Recorder;
use crate::support::{eventually, private_redis, raw_redis};

/// The bound on a call of the producer that gives up, with room for a slow machine.
const GIVES_UP: Duration = Duration::from_secs(5);

/// The bound on recovery: the longest lock and the longest pause are shorter.
const BACK: Duration = Duration::from_secs(40);

const PAUSES: (Duration, Duration) = (Duration::from_millis(10), Duration::from_millis(100));

/// A Redis, a proxy in front of it, and a handle on either side.
struct Stage {
    redis: redstream_servers::Redis,
    proxy: Proxy,
    /// Through the proxy.
    products: Stream,
    through: Redstream,
    /// Past it.
    direct: Redstream,
    truth: Stream,
}

impl Stage {
    async fn new() -> Self {
        let redis = private_redis().await;
        let proxy = Proxy::start(redis.port()).await.unwrap();
        let options = ConnectOptions::new(proxy.url()).response_timeout(Duration::from_millis(500));
        let through = Redstream::connect(options).await.unwrap();
        let direct = Redstream::connect(redis.url()).await.unwrap();
        let (products, truth) = (through.stream("products").unwrap(), direct.stream("products").unwrap());
        Self { redis, proxy, products, through, direct, truth }
    }

    async fn queue(&self, keys: std::ops::Range<u64>) {
        for key in keys {
            self.direct.producer().queue(self.truth.name(), &json!(key)).await.unwrap();
        }
    }

    /// The payloads of the main stream.
    async fn messages(&self) -> Vec<Value> {
        self.listed().await.into_iter().map(|(_, payload)| payload).collect()
    }

    /// The payloads of the main stream, by their ids.
    async fn entries(&self) -> HashMap<String, Value> {
        self.listed().await.into_iter().collect()
    }

    async fn listed(&self) -> Vec<(String, Value)> {
        let mut raw = raw_redis(&self.redis.url()).await;
        let xrange = redis::cmd("XRANGE").arg("redstream:stream:products").arg("-").arg("+").to_owned();
        let entries: Vec<(String, (String, String))> = xrange.query_async(&mut raw).await.unwrap();
        entries.into_iter().map(|(id, (_, payload))| (id, serde_json::from_str(&payload).unwrap())).collect()
    }

    async fn offset(&self) -> MessageId {
        self.truth.offsets().get("search").await.unwrap().unwrap_or_default()
    }

    fn consumer(&self, seen: &Recorder) -> redstream_core::Consumer {
        self.products
            .consumer("search", seen.clone())
            .batch_size(5)
            .lock_ttl(Duration::from_secs(1))
            .backoff(PAUSES.0, PAUSES.1)
    }

    /// The consumer, a delayer and a trimmer.
    fn workers(&self, seen: &Recorder) -> Supervisor {
        Supervisor::new()
            .with(self.consumer(seen))
            .with(self.products.delayer(Duration::from_millis(20)))
            .with(self.products.trimmer().interval(Duration::from_millis(10)))
    }
}

/// The first handling of each payload.
fn firsts(seen: &Recorder) -> Vec<Value> {
    let mut firsts = Vec::new();
    for payload in seen.payloads() {
        if !firsts.contains(&payload) {
            firsts.push(payload);
        }
    }
    firsts
}

fn numbers(keys: std::ops::Range<u64>) -> Vec<Value> {
    keys.map(|key| json!(key)).collect()
}

/// Waits, and checks meanwhile that the offset never moves back.
async fn forward_until(stage: &Stage, what: &str, mut done: impl AsyncFnMut() -> bool) {
    let mut highest = MessageId::MIN;
    eventually(BACK, what, async || {
        let offset = stage.offset().await;
        assert!(offset >= highest, "the offset moved back from {highest} to {offset}");
        highest = offset;
        done().await
    })
    .await;
}

#[tokio::test]
async fn a_message_whose_reply_is_lost_is_there_at_least_once_and_at_most_twice() {
    let stage = Stage::new().await;
    for fault in Fault::ALL {
        for (stream, kind) in [("products", "main"), ("products.delay", "delay")] {
            let before = stage.proxy.struck();
            stage.proxy.strike(&format!("redstream:stream:{stream}\r\n"), fault, 1);
            let payload = json!({ "fault": format!("{fault:?}"), "kind": kind });
            let begun = Instant::now();
            let producer = stage.through.producer();
            let id = match kind {
                "main" => producer.queue(stage.products.name(), &payload).await,
                _ => producer.delay(stage.products.name(), &payload).await,
            };
            let id = id.unwrap_or_else(|error| panic!("{fault:?} of a {kind} message: {error:?}"));
            assert!(begun.elapsed() < GIVES_UP && id > MessageId::MIN);
            assert_eq!(stage.proxy.struck(), before + 1, "the fault happened");
        }
        let payload = json!({ "fault": format!("{fault:?}"), "kind": "main" });
        let times = stage.messages().await.iter().filter(|message| **message == payload).count();
        let expected = if fault == Fault::BreakBefore { 1 } else { 2 };
        assert_eq!(times, expected, "{fault:?}");
    }
    assert_eq!(stage.truth.delay_len().await.unwrap(), 7);
}

#[tokio::test]
async fn a_pipeline_that_breaks_in_the_middle_of_its_replies_is_sent_again() {
    let stage = Stage::new().await;
    let payload = |key: u64| redstream_core::Payload::encode(&key).unwrap();
    let messages: Vec<_> =
        (0..600).map(|key| redstream_core::NewMessage::new(stage.products.name().clone(), payload(key))).collect();
    stage.proxy.strike("XADD", Fault::BreakWithin, 1);
    let ids = stage.through.producer().queue_all(&messages).await.unwrap();
    assert_eq!((ids.len(), stage.proxy.struck()), (600, 1));
    let there = stage.messages().await;
    for key in 0..600 {
        let times = there.iter().filter(|message| **message == json!(key)).count();
        assert!((1..=2).contains(&times), "{key} is there {times} times");
    }
}

#[tokio::test]
async fn of_a_long_list_only_what_was_on_its_way_is_sent_again() {
    let stage = Stage::new().await;
    let payload = |key: u64| redstream_core::Payload::encode(&key).unwrap();
    let messages: Vec<_> =
        (0..20_000).map(|key| redstream_core::NewMessage::new(stage.products.name().clone(), payload(key))).collect();
    for fault in [Fault::BreakBefore, Fault::BreakWithin] {
        let (before, there) = (stage.proxy.struck(), stage.truth.len().await.unwrap());
        stage.proxy.strike("\r\n15000\r\n", fault, 1);
        let ids = stage.through.producer().queue_all(&messages).await.unwrap();
        assert_eq!(stage.proxy.struck(), before + 1, "{fault:?} happened");
        let added = stage.truth.len().await.unwrap() - there;
        // Sixteen pipelines of 250 are in flight at most.
        assert!((20_000..=24_000).contains(&added), "{fault:?}: {added} were added");
        let entries = stage.entries().await;
        let told: Vec<_> = ids.iter().map(|id| entries[&id.to_string()].clone()).collect();
        assert_eq!(told, numbers(0..20_000), "{fault:?}: each id is that of its message");
    }
}

#[tokio::test]
async fn a_consumer_whose_connection_breaks_handles_all_in_order_and_its_offset_never_moves_back() {
    let stage = Stage::new().await;
    let seen = Recorder::default();
    let (consumer, shutdown) = (stage.consumer(&seen), CancellationToken::new());
    let token = shutdown.clone();
    let running = tokio::spawn(async move { consumer.run(token).await });
    let mut queued = 0;
    // During a read, a commit, the acquisition of the lock.
    for needle in ["XREAD", "redstream:version:products:search", "redstream:lock:consumer:products:search.notify"] {
        for fault in Fault::ALL {
            let before = stage.proxy.struck();
            stage.proxy.strike(needle, fault, 1);
            stage.queue(queued..queued + 20).await;
            queued += 20;
            if needle.ends_with(".notify") {
                stage.proxy.cut();
            }
            forward_until(&stage, &format!("all messages, with {fault:?} at {needle}"), async || {
                assert!(!running.is_finished(), "the consumer ended");
                stage.proxy.struck() > before && stage.truth.lag("search").await.unwrap() == 0
            })
            .await;
        }
    }
    shutdown.cancel();
    running.await.unwrap().unwrap();
    assert_eq!(firsts(&seen), numbers(0..queued));
    let again = seen.len() - firsts(&seen).len();
    assert!(again <= 16 * 5, "a batch is handled again at the most for each fault, not {again} messages");
}

#[tokio::test]
async fn a_delayer_whose_connection_breaks_moves_each_message_once() {
    let stage = Stage::new().await;
    let delayer = stage.products.delayer(Duration::from_millis(20)).lock_ttl(Duration::from_secs(1));
    let shutdown = CancellationToken::new();
    let token = shutdown.clone();
    let running = tokio::spawn(async move { delayer.run(token).await });
    for (key, fault) in (0..).zip(Fault::ALL) {
        let before = stage.proxy.struck();
        // The only script of a delayer that names the main stream is the one that moves.
        stage.proxy.strike("redstream:stream:products\r\n", fault, 1);
        stage.direct.producer().delay(stage.truth.name(), &json!(key)).await.unwrap();
        eventually(BACK, &format!("the message to be moved, with {fault:?}"), async || {
            stage.proxy.struck() > before
                && stage.truth.delay_len().await.unwrap() == 0
                && stage.truth.len().await.unwrap() > key
        })
        .await;
    }
    shutdown.cancel();
    running.await.unwrap().unwrap();
    assert_eq!(stage.messages().await, numbers(0..4), "nothing is lost, nothing doubled");
}

#[tokio::test]
async fn a_trimmer_whose_connection_breaks_goes_on_and_removes_no_more_than_was_committed() {
    let stage = Stage::new().await;
    let trimmer = stage.products.trimmer().interval(Duration::from_millis(20)).lock_ttl(Duration::from_secs(1));
    let shutdown = CancellationToken::new();
    let token = shutdown.clone();
    stage.truth.register("search", redstream_core::Start::Earliest).await.unwrap();
    let running = tokio::spawn(async move { trimmer.run(token).await });
    for fault in Fault::ALL {
        let before = stage.proxy.struck();
        stage.proxy.strike("redstream:offset:products:search", fault, 1);
        stage.queue(0..6).await;
        stage.truth.consumer("search", Recorder::default()).batch_size(3).run_once().await.unwrap();
        eventually(BACK, &format!("the sweep, with {fault:?}"), async || {
            stage.proxy.struck() > before && stage.truth.len().await.unwrap() == 3
        })
        .await;
        let rest = stage.truth.consumer("search", Recorder::default()).run_once().await.unwrap();
        assert_eq!(rest, Progress::Handled(3));
        eventually(BACK, &format!("the next sweep, after {fault:?}"), async || {
            assert!(!running.is_finished(), "the trimmer ended");
            stage.truth.is_empty().await.unwrap()
        })
        .await;
    }
    shutdown.cancel();
    running.await.unwrap().unwrap();
}

#[tokio::test]
async fn everything_that_was_acknowledged_is_handled_while_all_connections_are_cut_again_and_again() {
    let stage = Stage::new().await;
    let seen = Recorder::default();
    let supervisor = stage.workers(&seen);
    let story = async {
        for key in 0..60 {
            let producer = stage.through.producer();
            let added = match key % 2 {
                0 => producer.queue(stage.products.name(), &key).await,
                _ => producer.delay(stage.products.name(), &key).await,
            };
            added.unwrap_or_else(|error| panic!("message {key}: {error:?}"));
            stage.proxy.cut();
        }
        forward_until(&stage, "all of them", async || firsts(&seen).len() == 60).await;
        eventually(BACK, "the trimmer", async || stage.truth.is_empty().await.unwrap()).await;
    };
    supervisor.run_until(story).await.unwrap();
}
