//! A Redis Cluster of three masters: the same methods, all keys of a stream in one slot.

mod found_out;
mod lost_replies;
mod outages;
mod slots;

use std::time::Duration;

use redstream_core::{CancellationToken, ConnectOptions, NewMessage, Payload, Redstream, Start, Supervisor, Trimmed};
use serde_json::json;

use super::SOON;
use super::editions::story;
use super::recorder::Recorder;
use super::reindex::source::Numbers;
use crate::support::eventually;
use crate::support::nodes::{self, AGREED, Cluster};

fn message(redstream: &Redstream, stream: &str, id: i64) -> NewMessage {
    let stream = redstream.stream(stream).unwrap();
    NewMessage::new(stream.name().clone(), Payload::encode(&json!({ "id": id })).unwrap())
}

#[tokio::test]
async fn announcing_and_removing_delays_works_over_many_slots() {
    let cluster = Cluster::start().await;
    let redstream = Redstream::connect(cluster.options()).await.unwrap();
    let streams = ["products", "orders", "users", "cities", "lines"];
    let messages: Vec<_> = (0..50).map(|n| message(&redstream, streams[n % 5], i64::try_from(n).unwrap())).collect();
    let delayed = redstream.producer().delay_all(&messages).await.unwrap();
    let insured: Vec<_> = messages.into_iter().zip(delayed).map(|(message, id)| (message, vec![id])).collect();
    assert_eq!(redstream.producer().announce_and_remove_delays(&insured).await.unwrap().len(), 50);
    for name in streams {
        let stream = redstream.stream(name).unwrap();
        assert_eq!((stream.len().await.unwrap(), stream.delay_len().await.unwrap()), (10, 0), "{name}");
    }
}

#[tokio::test]
async fn a_reindex_works_over_many_slots() {
    let cluster = Cluster::start().await;
    let redstream = Redstream::connect(cluster.options()).await.unwrap();
    let shards = redstream.shards("numbers", 5).unwrap();
    for stream in shards.streams() {
        stream.register("search", Start::Earliest).await.unwrap();
    }
    let seen = Recorder::default();
    let walk = shards.reindex(Numbers::to(1000).sharded(shards.map()));
    let walking = async { assert!(walk.run(CancellationToken::new()).await.unwrap().is_done()) };
    Supervisor::new().with(shards.consumer("search", seen.clone())).run_until(walking).await.unwrap();
    assert_eq!(seen.len(), 1000);
    assert_eq!(shards.reindexes().list().await.unwrap().len(), 1);
}

#[tokio::test]
async fn everything_works_over_many_slots() {
    let cluster = Cluster::start().await;
    let redstream = Redstream::connect(cluster.options()).await.unwrap();
    let streams = ["products", "orders", "users", "cities", "lines"];
    let messages: Vec<_> = (0..500).map(|n| message(&redstream, streams[n % 5], i64::try_from(n).unwrap())).collect();
    let ids = redstream.producer().queue_all(&messages).await.unwrap();
    assert_eq!(ids.len(), 500);
    redstream.producer().delay_all(&messages[..50]).await.unwrap();

    let seen: Vec<Recorder> = streams.iter().map(|_| Recorder::default()).collect();
    let mut supervisor = Supervisor::new();
    for (name, seen) in streams.iter().zip(&seen) {
        let stream = redstream.stream(name).unwrap();
        supervisor = supervisor
            .with(stream.consumer("search", seen.clone()))
            .with(stream.delayer(Duration::from_millis(100)))
            .with(stream.trimmer().interval(Duration::from_millis(50)));
    }
    let story = async {
        for (name, seen) in streams.iter().zip(&seen) {
            let stream = redstream.stream(name).unwrap();
            eventually(AGREED, "all messages and the delayed ones", async || seen.len() == 110).await;
            eventually(SOON, "the trimmer", async || stream.is_empty().await.unwrap()).await;
            assert_eq!(
                seen.ids()[..100],
                ids.iter()
                    .skip(streams.iter().position(|s| s == name).unwrap())
                    .step_by(5)
                    .copied()
                    .collect::<Vec<_>>()[..]
            );
        }
    };
    supervisor.run_until(story).await.unwrap();
}

#[tokio::test]
async fn the_streams_name_is_a_hash_tag_in_every_key() {
    let cluster = Cluster::start().await;
    let redstream = Redstream::connect(cluster.options()).await.unwrap();
    let products = redstream.stream("products").unwrap();
    redstream.producer().queue(products.name(), &1).await.unwrap();
    redstream.producer().delay(products.name(), &1).await.unwrap();
    products.consumer("search", Recorder::default()).run_once().await.unwrap();
    products.delayer(Duration::from_secs(300)).run_once().await.unwrap();
    assert_eq!(products.trimmer().run_once().await.unwrap(), Trimmed::Removed(1));
    assert_eq!(
        cluster.keys().await,
        [
            "redstream:consumers:{products}",
            "redstream:consumers:{products}.delay",
            "redstream:lock:consumer:{products}.delay:delayer.notify",
            "redstream:lock:consumer:{products}:search.notify",
            "redstream:lock:trimmer:{products}.notify",
            "redstream:offset:{products}:search",
            "redstream:stream:{products}",
            "redstream:stream:{products}.delay",
            "redstream:version:{products}:search",
        ]
    );
}

#[tokio::test]
async fn operators_verbs_work_too() {
    let cluster = Cluster::start().await;
    let redstream = Redstream::connect(cluster.options()).await.unwrap();
    let products = redstream.stream("products").unwrap();
    redstream.producer().queue(products.name(), &1).await.unwrap();
    assert!(products.register("search", redstream_core::Start::Earliest).await.unwrap());
    assert_eq!((products.lag("search").await.unwrap(), products.len().await.unwrap()), (1, 1));
    assert!(products.pause("search", SOON).await.unwrap());
    products.resume("search").await.unwrap();
    products.rewind("search", redstream_core::Start::Latest).await.unwrap();
    assert_eq!(products.lag("search").await.unwrap(), 0);
    assert_eq!(products.consumers().await.unwrap(), ["search"]);
    let error = redstream.producer().confirmed_by(1, SOON).delay(products.name(), &1).await.unwrap_err();
    assert!(matches!(error, redstream_core::Error::InvalidOption { option: "confirmed_by", .. }), "{error:?}");
    products.forget("search").await.unwrap();
}

#[tokio::test]
async fn a_node_that_is_killed_and_comes_back_loses_nothing() {
    let mut cluster = Cluster::start().await;
    let redstream = Redstream::connect(cluster.options()).await.unwrap();
    let streams = ["products", "orders", "users", "cities"];
    let seen = Recorder::default();
    let mut supervisor = Supervisor::new();
    for name in streams {
        let consumer = redstream.stream(name).unwrap().consumer("search", seen.clone());
        supervisor = supervisor.with(consumer.backoff(Duration::from_millis(20), Duration::from_millis(200)));
    }
    let acknowledged = std::sync::Mutex::new(Vec::new());
    let write = async |n: i64| {
        let id = n;
        let message = message(&redstream, streams[usize::try_from(n).unwrap() % 4], id);
        let written = redstream.producer().queue_all(&[message]).await.is_ok();
        if written {
            acknowledged.lock().unwrap().push(json!({ "id": id }));
        }
        written
    };
    let story = async {
        for n in 0..20 {
            assert!(write(n).await);
        }
        cluster.nodes[0].kill().unwrap();
        for n in 20..24 {
            write(n).await;
        }
        cluster.nodes[0].restart().unwrap();
        for n in 24..40 {
            eventually(AGREED, "the cluster to take a write again", async || write(n).await).await;
        }
        eventually(AGREED, "all that was acknowledged", async || {
            let seen = seen.payloads();
            acknowledged.lock().unwrap().iter().all(|payload| seen.contains(payload))
        })
        .await;
    };
    supervisor.run_until(story).await.unwrap();
}

#[tokio::test]
async fn shards_are_in_several_slots_and_one_worker_runs_them_all() {
    let cluster = Cluster::start().await;
    let redstream = Redstream::connect(cluster.options()).await.unwrap();
    let old = redstream.shards("products", 4).unwrap();
    let new = redstream.shards("products", 6).unwrap().generation(2).unwrap();
    for id in 0..40 {
        old.queue(&json!({ "id": id })).await.unwrap();
        old.delay(&json!({ "id": id })).await.unwrap();
        new.queue(&json!({ "id": id })).await.unwrap();
    }
    let (olds, news) = (Recorder::default(), Recorder::default());
    let supervisor = Supervisor::new()
        .with(old.consumer("search", olds.clone()))
        .with(old.delayer(Duration::from_millis(50)))
        .with(old.trimmer())
        .with(new.consumer("search", news.clone()).round(Duration::from_millis(100)));
    let taken_over = async {
        new.take_over(&old, AGREED).await.unwrap();
        assert_eq!(olds.len(), 80);
        eventually(SOON, "the new generation", async || news.len() == 40).await;
    };
    supervisor.run_until(taken_over).await.unwrap();
}

#[tokio::test]
async fn every_command_works_in_both_protocols() {
    let cluster = Cluster::start().await;
    story(cluster.options()).await;
    let urls = cluster.nodes.iter().map(|node| node.url() + "?protocol=resp3");
    story(ConnectOptions::cluster(urls).namespace("resp3")).await;
}
