//! Shards are distributed evenly when hosts join and leave, and no message is lost.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use redstream_core::{Batch, CancellationToken, MessageId, Shards};
use serde_json::json;

use super::hosts::{Host, Hosts};
use super::key;
use crate::support::{eventually, namespace, redis_url, redstream_at};

const BOUND: Duration = Duration::from_secs(30);

/// What was handled, on any host.
#[derive(Clone, Default)]
struct Seen(Arc<Mutex<Record>>);

#[derive(Default)]
struct Record {
    known: HashSet<(u32, MessageId)>,
    /// The ids of each key, in the order in which they were first handled.
    by_key: HashMap<u32, Vec<MessageId>>,
}

impl Seen {
    fn saw(&self, batch: &Batch) {
        let mut seen = self.0.lock().unwrap();
        for message in batch.messages() {
            if seen.known.insert((key(message), message.id())) {
                seen.by_key.entry(key(message)).or_default().push(message.id());
            }
        }
    }

    fn by_key(&self) -> HashMap<u32, Vec<MessageId>> {
        self.0.lock().unwrap().by_key.clone()
    }

    fn host(&self, namespace: &str, shards: &Shards) -> Host {
        let seen = self.clone();
        Host::start(namespace, shards.count(), move |batch: Batch| {
            let seen = seen.clone();
            async move {
                seen.saw(&batch);
                Ok(())
            }
        })
    }
}

/// Writes without a pause until told to stop; returns what it wrote, by key.
async fn write(shards: Shards, stop: CancellationToken) -> HashMap<u32, Vec<MessageId>> {
    let mut written: HashMap<u32, Vec<MessageId>> = HashMap::new();
    for n in 0.. {
        if stop.is_cancelled() {
            break;
        }
        let key = n % 50;
        written.entry(key).or_default().push(shards.queue(&json!({ "id": key })).await.unwrap());
    }
    written
}

#[tokio::test]
async fn eight_shards_on_three_hosts_one_of_which_dies_and_comes_back() {
    let namespace = namespace();
    let redstream = redstream_at(&redis_url(), &namespace).await;
    let shards = redstream.shards("products", 8).unwrap();
    let (hosts, seen, stop) = (Hosts::of(&shards), Seen::default(), CancellationToken::new());
    let writing = tokio::spawn(write(shards.clone(), stop.clone()));

    let first = seen.host(&namespace, &shards);
    eventually(BOUND, "one host with all shards", async || hosts.loads().await == [8]).await;
    let second = seen.host(&namespace, &shards);
    eventually(BOUND, "two hosts with four each", async || hosts.loads().await == [4, 4]).await;
    let third = seen.host(&namespace, &shards);
    eventually(BOUND, "three hosts with 3, 3 and 2", async || hosts.loads().await == [2, 3, 3]).await;

    drop(second);
    assert_eq!(hosts.loads().await.iter().sum::<usize>(), 8, "who dies gives nothing back");
    eventually(BOUND, "the two others with four each", async || hosts.loads().await == [4, 4]).await;
    let second = seen.host(&namespace, &shards);
    eventually(BOUND, "three hosts again", async || hosts.loads().await == [2, 3, 3]).await;
    third.stop().await;
    eventually(BOUND, "four each again", async || hosts.loads().await == [4, 4]).await;

    stop.cancel();
    let written = writing.await.unwrap();
    eventually(BOUND, "all messages", async || {
        let (seen, count) =
            (seen.by_key(), |of: &HashMap<u32, Vec<MessageId>>| of.values().map(Vec::len).sum::<usize>());
        count(&seen) >= count(&written)
    })
    .await;
    assert_eq!(seen.by_key(), written, "each message was handled, in order of its key");
    first.stop().await;
    second.stop().await;
}

/// A cap of `ceil(shards / hosts)` would allow 2, 2 and 0.
#[tokio::test]
async fn no_host_is_left_without_work() {
    let namespace = namespace();
    let redstream = redstream_at(&redis_url(), &namespace).await;
    let shards = redstream.shards("products", 4).unwrap();
    let (hosts, seen) = (Hosts::of(&shards), Seen::default());
    let _running = [seen.host(&namespace, &shards), seen.host(&namespace, &shards)];
    eventually(BOUND, "two hosts with two each", async || hosts.loads().await == [2, 2]).await;
    let _third = seen.host(&namespace, &shards);
    eventually(BOUND, "one for the third", async || hosts.loads().await == [1, 1, 2]).await;
}

/// With the usual options: a TTL of 5 seconds.
#[tokio::test]
async fn many_shards_move_at_once() {
    const EVEN: Duration = Duration::from_secs(10);
    // The TTL and a second; the rest is for a busy machine.
    const OWNED: Duration = Duration::from_millis(6000 + 1500);
    let namespace = namespace();
    let redstream = redstream_at(&redis_url(), &namespace).await;
    let shards = redstream.shards("products", 64).unwrap();
    let hosts = Hosts::of(&shards);
    let host = || Host::with(&namespace, 64, async |_: Batch| Ok(()), |consumer| consumer);

    let mut running: Vec<Host> = (0..3).map(|_| host()).collect();
    eventually(EVEN, "three hosts with 21 or 22 each", async || hosts.loads().await == [21, 21, 22]).await;
    running.push(host());
    eventually(EVEN, "four hosts with 16 each", async || hosts.loads().await == [16; 4]).await;

    drop(running.pop());
    eventually(OWNED, "all shards with the three that live", async || {
        let loads = hosts.loads().await;
        loads.len() == 3 && loads.iter().sum::<usize>() == 64
    })
    .await;
    eventually(EVEN, "three hosts with 21 or 22 each again", async || hosts.loads().await == [21, 21, 22]).await;
    for host in running {
        host.stop().await;
    }
}
