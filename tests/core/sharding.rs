//! Sharding: which shard, in which order, and on which host.

mod generations;
mod hosts;
mod map;
mod spreading;

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use redstream_core::{
    CancellationToken, Error, HandlerError, Message, MessageId, Payload, Supervisor, Trimmed, WorkerState,
};
use serde_json::{Value, json};

use super::SOON;
use super::recorder::Recorder;
use crate::support::{eventually, redstream};

#[tokio::test]
async fn the_hash_never_changes() {
    let redstream = redstream().await;
    let shard =
        |count, value: Value| redstream.shards("products", count).unwrap().shard_of(&Payload::encode(&value).unwrap());
    // The check value of CRC-32/ISO-HDLC in every catalogue: the digits 1 to 9 give 0xCBF43926.
    assert_eq!(shard(1000, json!(123_456_789)), 0xCBF4_3926 % 1000);
    // As computed by zlib.crc32(json) % count in Ruby and Python.
    for (value, of_8, of_10) in [
        (json!(1), 7, 3),
        (json!({"id":1}), 5, 1),
        (json!({"id":42}), 2, 4),
        (json!({"id":"6f1e"}), 3, 7),
        (json!("Zürich"), 1, 9),
        (json!({"country":"CH","name":"Bern"}), 6, 0),
    ] {
        assert_eq!((shard(8, value.clone()), shard(10, value.clone())), (of_8, of_10), "{value}");
    }
}

#[tokio::test]
async fn the_hash_fills_all_shards_alike() {
    let shards = redstream().await.shards("products", 8).unwrap();
    let mut counts = [0; 8];
    for id in 1..=10_000 {
        counts[shards.shard_of(&Payload::encode(&json!({ "id": id })).unwrap()) as usize] += 1;
    }
    assert!(counts.iter().all(|count| (1150..1350).contains(count)), "{counts:?}");
}

#[tokio::test]
async fn no_shards_or_a_bad_name_are_refused() {
    let redstream = redstream().await;
    let error = redstream.shards("products", 0).unwrap_err();
    assert!(matches!(error, Error::InvalidOption { option: "shards", .. }), "{error}");
    assert!(matches!(redstream.shards("pro ducts", 2).unwrap_err(), Error::InvalidName { .. }));
    let worker = redstream.shards("products", 2).unwrap().consumer("sea rch", Recorder::default());
    let error = Supervisor::new().with(worker).run_until(async {}).await.unwrap_err();
    assert!(matches!(error, Error::InvalidName { .. }), "{error}");
}

#[tokio::test]
async fn messages_of_one_key_stay_in_order() {
    let shards = redstream().await.shards("products", 4).unwrap();
    let mut written: HashMap<u32, Vec<MessageId>> = HashMap::new();
    for n in 0..200 {
        let id = shards.queue(&json!({ "id": n % 10 })).await.unwrap();
        written.entry(n % 10).or_default().push(id);
    }
    let seen = Recorder::default();
    let consumer = shards.consumer("search", seen.clone()).each(|consumer| consumer.batch_size(7));
    let all = eventually(SOON, "all messages", async || seen.len() == 200);
    Supervisor::new().with(consumer).run_until(all).await.unwrap();

    assert!(seen.batches().iter().all(|batch| batch.len() <= 7), "the option reaches every shard");
    let mut handled: HashMap<u32, Vec<MessageId>> = HashMap::new();
    for message in seen.batches().iter().flatten() {
        handled.entry(key(message)).or_default().push(message.id());
    }
    assert_eq!(handled, written);
    let mut used = 0;
    for stream in shards.streams() {
        used += u32::from(!stream.is_empty().await.unwrap());
    }
    assert!(used > 1, "they were in several shards");
}

#[tokio::test]
async fn delayers_and_trimmers_of_all_shards_run_as_one_worker() {
    let shards = redstream().await.shards("products", 3).unwrap();
    for id in 0..30 {
        shards.delay(&json!({ "id": id })).await.unwrap();
    }
    let seen = Recorder::default();
    let supervisor = Supervisor::new()
        .with(shards.consumer("search", seen.clone()))
        .with(shards.delayer(Duration::from_millis(10)))
        .with(shards.trimmer().each(|trimmer| trimmer.interval(Duration::from_millis(20))));
    let swept = eventually(SOON, "messages moved, handled and swept away", async || {
        let mut left = 0;
        for stream in shards.streams() {
            left += stream.len().await.unwrap() + stream.delay_len().await.unwrap();
        }
        seen.len() == 30 && left == 0
    });
    supervisor.run_until(swept).await.unwrap();
    for stream in shards.streams() {
        assert_ne!(stream.trimmer().run_once().await.unwrap(), Trimmed::Standby, "its lock was given back");
    }
}

#[tokio::test]
async fn a_shard_is_given_back_only_after_its_batch() {
    let redstream = redstream().await;
    let shards = redstream.shards("products", 2).unwrap();
    let gate = Arc::new(tokio::sync::Semaphore::new(0));
    let (open, begun) = (gate.clone(), Arc::new(tokio::sync::Semaphore::new(0)));
    let started = begun.clone();
    for stream in shards.streams() {
        redstream.producer().queue(stream.name(), &1).await.unwrap();
    }
    let slow = shards.consumer("search", move |_| {
        let (gate, begun) = (gate.clone(), begun.clone());
        async move {
            begun.add_permits(1);
            gate.acquire().await?.forget();
            Ok(())
        }
    });
    let round = Duration::from_millis(50);
    let (stop, other) = (CancellationToken::new(), Recorder::default());
    let first = tokio::spawn(Supervisor::new().with(slow.round(round)).run_until(stop.clone().cancelled_owned()));
    let _both = started.acquire_many(2).await.unwrap();

    // A second host joins. Both batches are being handled, so it gets a shard only when its batch is committed.
    let second = Supervisor::new().with(shards.consumer("search", other.clone()).round(round));
    let second = tokio::spawn(second.run_until(stop.clone().cancelled_owned()));
    let hosts = hosts::Hosts::of(&shards);
    eventually(SOON, "the second host to show", async || hosts.alive().await == 2).await;
    rounds(&hosts, 10).await;
    assert_eq!(hosts.loads().await, [2]);
    open.add_permits(2);
    eventually(SOON, "a shard each", async || hosts.loads().await == [1, 1]).await;
    assert_eq!(other.len(), 0, "nothing was handled twice");
    stop.cancel();
    first.await.unwrap().unwrap();
    second.await.unwrap().unwrap();
    assert_eq!(hosts.alive().await, 0, "who leaves is counted no more");
}

#[tokio::test]
async fn its_health_is_that_of_the_worst_shard() {
    let shards = redstream().await.shards("products", 4).unwrap();
    let broken = Arc::new(AtomicBool::new(true));
    let handler = {
        let broken = broken.clone();
        move |_| {
            let failed = broken.load(Ordering::SeqCst);
            async move { if failed { Err(HandlerError::new("on purpose")) } else { Ok(()) } }
        }
    };
    let quick = Duration::from_millis(20);
    let consumer = shards.consumer("search", handler).each(|consumer| consumer.backoff(quick, quick)).round(quick);
    let supervisor = Supervisor::new().with(consumer);
    let health = supervisor.health();
    let story = async {
        eventually(SOON, "all shards at work", async || health.is_ready()).await;
        shards.queue(&1).await.unwrap();
        eventually(SOON, "one that fails", async || !health.is_ready()).await;
        assert_eq!(health.workers()[0].state, WorkerState::Failing);
        broken.store(false, Ordering::SeqCst);
        eventually(SOON, "all well", async || health.workers()[0].state == WorkerState::Idle).await;
    };
    supervisor.run_until(story).await.unwrap();
}

/// Waits until this many rounds have passed, of all hosts together: to check what must not happen meanwhile.
async fn rounds(hosts: &hosts::Hosts, count: usize) {
    let mut beats = HashSet::new();
    let passed = async || beats.insert(hosts.heartbeats().await) && beats.len() > count;
    eventually(SOON, "some rounds", passed).await;
}

/// The key in a payload `{"id":key}`.
fn key(message: &Message) -> u32 {
    let payload: Value = message.payload().unwrap();
    u32::try_from(payload["id"].as_u64().unwrap()).unwrap()
}
