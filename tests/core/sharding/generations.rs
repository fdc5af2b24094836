//! Another number of shards: nothing is lost, and every key stays in order.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use redstream_core::{Batch, CancellationToken, Consumer, Error, Sharded, Shards, Supervisor, Undrained};
use serde_json::json;

use super::hosts::Hosts;
use super::{key, rounds};
use crate::core::SOON;
use crate::support::{eventually, redstream};

const ROUND: Duration = Duration::from_millis(20);

/// Its one delay message is left.
fn is_held_by_delay_messages(error: &Error) {
    let is_it = matches!(error, Error::NotDrained { left: Undrained::DelayMessages { count: 1 }, .. });
    assert!(is_it, "{error:?}");
}

/// What was handled, in order: of which generation, and the key.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<(u32, u32)>>>);

impl Log {
    fn consumer(&self, shards: &Shards, generation: u32) -> Sharded<Consumer> {
        let log = self.0.clone();
        let handler = move |batch: Batch| {
            log.lock().unwrap().extend(batch.messages().iter().map(|message| (generation, key(message))));
            async { Ok(()) }
        };
        shards.consumer("search", handler).round(ROUND)
    }

    fn keys(&self, generation: u32) -> Vec<u32> {
        let mut keys: Vec<u32> =
            self.0.lock().unwrap().iter().filter(|of| of.0 == generation).map(|(_, key)| *key).collect();
        keys.sort_unstable();
        keys
    }
}

#[tokio::test]
async fn the_new_generation_begins_when_the_old_one_is_done() {
    let redstream = redstream().await;
    let old = redstream.shards("products", 3).unwrap();
    let new = redstream.shards("products", 5).unwrap().generation(2).unwrap();
    assert_eq!(new.streams()[4].name().as_str(), "products.2-4");
    let (log, stop) = (Log::default(), CancellationToken::new());
    let running = |worker| tokio::spawn(Supervisor::new().with(worker).run_until(stop.clone().cancelled_owned()));

    // Both maps are written. One message of the old one only has its delay message left.
    let consumers = running(log.consumer(&new, 2));
    for id in 0..50 {
        old.queue(&json!({ "id": id })).await.unwrap();
        new.queue(&json!({ "id": id })).await.unwrap();
    }
    old.delay(&json!({ "id": 50 })).await.unwrap();

    // While the old generation's workers are down, no consumer passes the gate.
    let error = new.take_over(&old, Duration::from_millis(50)).await.unwrap_err();
    is_held_by_delay_messages(&error);
    let hosts = Hosts::of(&new);
    rounds(&hosts, 5).await;
    assert!(hosts.loads().await.is_empty() && log.keys(2).is_empty(), "the gate is closed");

    // Its main messages are handled, but one may still be added: it is not drained yet.
    let old_consumers = running(log.consumer(&old, 1));
    eventually(SOON, "the old main messages", async || log.keys(1).len() == 50).await;
    let error = new.take_over(&old, Duration::from_millis(50)).await.unwrap_err();
    is_held_by_delay_messages(&error);

    let delayer = old.delayer(Duration::from_millis(300)).round(ROUND);
    let delayer = tokio::spawn(Supervisor::new().with(delayer).run_until(stop.clone().cancelled_owned()));
    new.take_over(&old, SOON).await.unwrap();
    assert_eq!(log.keys(1), (0..=50).collect::<Vec<_>>(), "the delayed one too");
    eventually(SOON, "the new generation", async || log.keys(2).len() == 50).await;

    let log = log.0.lock().unwrap().clone();
    assert!(log.is_sorted_by_key(|(generation, _)| *generation), "all of the old before any of the new: {log:?}");
    stop.cancel();
    for worker in [consumers, old_consumers, delayer] {
        worker.await.unwrap().unwrap();
    }
}

#[tokio::test]
async fn waits_for_every_consumer_of_the_old_generation() {
    let redstream = redstream().await;
    let old = redstream.shards("products", 2).unwrap();
    let new = old.generation(2).unwrap();
    let log = Log::default();
    old.queue(&json!({ "id": 1 })).await.unwrap();
    for stream in old.streams() {
        stream.register("cache", redstream_core::Start::Earliest).await.unwrap();
    }
    let drained = async { new.take_over(&old, Duration::from_millis(300)).await };
    let (sender, outcome) = tokio::sync::oneshot::channel();
    let attempt = async {
        eventually(SOON, "the message", async || log.keys(1) == [1]).await;
        sender.send(drained.await).unwrap();
    };
    Supervisor::new().with(log.consumer(&old, 1)).run_until(attempt).await.unwrap();
    let error = outcome.await.unwrap().unwrap_err();
    let is_it =
        matches!(&error, Error::NotDrained { left: Undrained::Consumer { consumer, .. }, .. } if consumer == "cache");
    assert!(is_it, "{error:?}");

    for stream in old.streams() {
        stream.forget("cache").await.unwrap();
    }
    new.take_over(&old, SOON).await.unwrap();
    new.take_over(&old, Duration::ZERO).await.expect("a gate that is open stays open");
}

#[tokio::test]
async fn versions_go_on_above_those_of_the_old_generation() {
    let redstream = redstream().await;
    let old = redstream.shards("products", 2).unwrap();
    let new = redstream.shards("products", 3).unwrap().generation(2).unwrap();
    let versions = Arc::new(Mutex::new(Vec::new()));
    let consumer = |shards: &Shards| {
        let versions = versions.clone();
        let handler = move |batch: Batch| {
            let versions = versions.clone();
            async move {
                let version = batch.version().await?;
                versions.lock().unwrap().push(version);
                Ok(())
            }
        };
        Supervisor::new().with(shards.consumer("search", handler).round(ROUND))
    };
    let handled = |count| {
        let versions = versions.clone();
        eventually(SOON, "a message", async move || versions.lock().unwrap().len() == count)
    };
    old.queue(&1).await.unwrap();
    consumer(&old).run_until(handled(1)).await.unwrap();
    // As after the clock of Redis was set back by ten years: the old generation's versions are far ahead.
    let ahead = versions.lock().unwrap()[0] + 315_360_000_000_000;
    Hosts::of(&old).set_version(ahead).await;
    new.queue(&1).await.unwrap();
    new.take_over(&old, SOON).await.unwrap();
    consumer(&new).run_until(handled(2)).await.unwrap();
    assert!(versions.lock().unwrap()[1] > ahead, "{versions:?} are above {ahead}");
}

#[tokio::test]
async fn only_an_earlier_generation_can_be_taken_over() {
    let redstream = redstream().await;
    let first = redstream.shards("products", 2).unwrap();
    let second = first.generation(2).unwrap();
    let other = redstream.shards("orders", 2).unwrap();
    assert_eq!(first.generation(1).unwrap().streams()[0].name(), first.streams()[0].name());
    let refused = |outcome| matches!(outcome, Err(Error::InvalidOption { option: "generation", .. }));
    assert!(refused(first.generation(0).map(|_| ())));
    for (new, old) in [(&first, &second), (&second, &second), (&second, &other)] {
        assert!(refused(new.take_over(old, SOON).await));
    }
}
