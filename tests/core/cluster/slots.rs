//! Slots that move from one node to another: left open, moved key by key, and moved as a whole.

use std::collections::HashSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use redis::aio::MultiplexedConnection;
use redstream_core::{Error, Redstream, Stream, Supervisor};
use redstream_servers::RedisEdition;
use serde_json::{Value, json};

use super::nodes::{AGREED, Cluster, strict};
use crate::core::SOON;
use crate::core::recorder::Recorder;
use crate::support::{eventually, raw_redis};

const TTL: Duration = Duration::from_millis(600);

/// The pause between two writes of the load.
const PACE: Duration = Duration::from_millis(4);

/// A stream whose slot is one of the first node's, and is moved to the second.
struct Move {
    redstream: Redstream,
    stream: Stream,
    slot: u16,
    nodes: [MultiplexedConnection; 3],
    ids: [String; 3],
    seen: Recorder,
}

fn cluster(words: &[&str]) -> redis::Cmd {
    let mut command = redis::cmd("CLUSTER");
    command.arg(words);
    command
}

impl Move {
    async fn on(cluster_of_three: &Cluster) -> Self {
        let redstream = Redstream::connect(cluster_of_three.options()).await.unwrap();
        let stream = redstream.stream("orders").unwrap();
        let mut nodes = Vec::new();
        for node in &cluster_of_three.nodes {
            nodes.push(raw_redis(&node.url()).await);
        }
        let mut nodes: [MultiplexedConnection; 3] = nodes.try_into().unwrap_or_else(|_| panic!("three nodes"));
        let slot: u16 = cluster(&["KEYSLOT", "{orders}"]).query_async(&mut nodes[0]).await.unwrap();
        assert!(slot <= 5460, "{slot}");
        let mut ids = Vec::new();
        for node in &mut nodes {
            ids.push(cluster(&["MYID"]).query_async::<String>(node).await.unwrap());
        }
        let ids = ids.try_into().unwrap_or_else(|_| panic!("three names"));
        Self { redstream, stream, slot, nodes, ids, seen: Recorder::default() }
    }

    fn workers(&self) -> Supervisor {
        let pauses = (Duration::from_millis(20), Duration::from_millis(200));
        let consumer = self.stream.consumer("search", self.seen.clone());
        Supervisor::new()
            .with(consumer.lock_ttl(TTL).backoff(pauses.0, pauses.1))
            .with(self.stream.delayer(Duration::from_millis(50)).lock_ttl(TTL))
            .with(self.stream.trimmer().interval(Duration::from_millis(50)).lock_ttl(TTL))
    }

    async fn queue(&self, payload: Value) {
        self.redstream.producer().queue(self.stream.name(), &payload).await.unwrap();
    }

    /// A message of each kind is handled, committed and trimmed.
    async fn works(&self, when: &str) {
        let (main, delayed) = (json!(format!("main {when}")), json!(format!("delayed {when}")));
        self.queue(main.clone()).await;
        self.redstream.producer().delay(self.stream.name(), &delayed).await.unwrap();
        eventually(AGREED, &format!("both messages {when}"), async || {
            let seen = self.seen.payloads();
            seen.contains(&main) && seen.contains(&delayed)
        })
        .await;
        eventually(AGREED, "the trimmer", async || self.stream.is_empty().await.unwrap()).await;
    }

    async fn set_slot(&mut self, node: usize, words: &[&str]) {
        let slot = self.slot.to_string();
        let words: Vec<&str> = ["SETSLOT", slot.as_str()].into_iter().chain(words.iter().copied()).collect();
        cluster(&words).exec_async(&mut self.nodes[node]).await.unwrap();
    }

    async fn open(&mut self) {
        let [source, target, _] = self.ids.clone();
        self.set_slot(1, &["IMPORTING", &source]).await;
        self.set_slot(0, &["MIGRATING", &target]).await;
    }
}

/// A resharding that was abandoned before it moved a key.
#[tokio::test]
async fn workers_go_on_in_a_slot_that_stays_open() {
    let nodes = Cluster::start().await;
    let mut moving = Move::on(&nodes).await;
    let supervisor = moving.workers();
    let health = supervisor.health();
    let story = async {
        moving.works("before").await;
        moving.open().await;
        // Each is longer than the lock's TTL.
        for n in 0..5 {
            let message = json!(format!("open {n}"));
            moving.queue(message.clone()).await;
            eventually(SOON, "a message in the open slot", async || moving.seen.payloads().contains(&message)).await;
            let last = moving.stream.last_id().await.unwrap();
            eventually(SOON, "its commit", async || moving.stream.offsets().get("search").await.unwrap() == Some(last))
                .await;
            let standby = moving.stream.lock("search", TTL).unwrap();
            assert!(standby.acquire_within(TTL).await.unwrap().is_none(), "it is held, and a standby waits for it");
        }
        moving.works("in the open slot").await;
        assert!(health.is_ready() && health.workers().iter().all(|worker| worker.restarts == 0));
        // A lock that is free cannot be acquired, and the error is helpful.
        let free = moving.stream.lock("other", TTL).unwrap();
        let error = free.try_acquire().await.unwrap_err();
        assert!(matches!(error, Error::SlotOpen { .. }) && error.is_transient(), "{error:?}");
        assert!(error.to_string().contains("redis-cli --cluster fix"), "{error}");
        for node in [0, 1] {
            moving.set_slot(node, &["STABLE"]).await;
        }
        free.try_acquire().await.unwrap().expect("it is free").release().await.unwrap();
        // It would prevent trimming.
        moving.stream.forget("other").await.unwrap();
        moving.works("after").await;
    };
    Box::pin(supervisor.run_until(story)).await.unwrap();
}

/// Writes for as long as `moved` takes, then waits until every message that was acknowledged has been handled.
async fn under_load(moving: &mut Move, moved: impl AsyncFnOnce(&mut Move)) {
    let supervisor = moving.workers();
    let (producer, name) = (moving.redstream.producer(), moving.stream.name().clone());
    let over = AtomicBool::new(false);
    let seen = moving.seen.clone();
    let story = async {
        let write = async {
            let (mut acknowledged, mut pace) = (Vec::new(), tokio::time::interval(PACE));
            for n in 0_u64.. {
                pace.tick().await;
                let written = match n % 2 {
                    0 => producer.queue(&name, &n).await,
                    _ => producer.delay(&name, &n).await,
                };
                if written.is_ok() {
                    acknowledged.push(n);
                }
                if over.load(Ordering::SeqCst) {
                    break;
                }
            }
            acknowledged
        };
        let steps = async {
            moving.works("before").await;
            moved(moving).await;
            over.store(true, Ordering::SeqCst);
        };
        let (acknowledged, ()) = tokio::join!(write, steps);
        assert!(acknowledged.len() > 10, "{}", acknowledged.len());
        eventually(AGREED, "all that was acknowledged", async || {
            let seen: HashSet<u64> = seen.payloads().iter().filter_map(Value::as_u64).collect();
            acknowledged.iter().all(|number| seen.contains(number))
        })
        .await;
        moving.works("after").await;
    };
    supervisor.run_until(story).await.unwrap();
}

/// As `redis-cli --cluster reshard` does it.
#[tokio::test]
async fn a_slot_moves_key_by_key_under_load_and_nothing_is_lost() {
    let nodes = Cluster::start().await;
    let port = nodes.nodes[1].port();
    let mut moving = Move::on(&nodes).await;
    Box::pin(under_load(&mut moving, async |moving: &mut Move| {
        moving.open().await;
        let slot = moving.slot.to_string();
        let left = eventually(AGREED, "all keys to move", async || {
            let keys: Vec<String> =
                cluster(&["GETKEYSINSLOT", &slot, "1"]).query_async(&mut moving.nodes[0].clone()).await.unwrap();
            let Some(key) = keys.first() else { return Some(keys.len()) };
            let migrate = redis::cmd("MIGRATE").arg("127.0.0.1").arg(port).arg(key).arg(0).arg(5000).to_owned();
            // A key may have expired meanwhile.
            migrate.query_async::<String>(&mut moving.nodes[0].clone()).await.unwrap();
            None
        })
        .await;
        assert_eq!(left, 0);
        let target = moving.ids[1].clone();
        for node in [1, 0, 2] {
            moving.set_slot(node, &["NODE", &target]).await;
        }
    }))
    .await;
}

/// As Valkey 9 does it.
#[tokio::test]
async fn a_slot_moves_as_a_whole_under_load_and_nothing_is_lost() {
    let valkey = || strict().edition(RedisEdition::Valkey);
    let nodes = Cluster::of([valkey(), valkey(), valkey()]).await;
    let mut moving = Move::on(&nodes).await;
    Box::pin(under_load(&mut moving, async |moving: &mut Move| {
        let (slot, target) = (moving.slot.to_string(), moving.ids[1].clone());
        let migrate = cluster(&["MIGRATESLOTS", "SLOTSRANGE", &slot, &slot, "NODE", &target]);
        migrate.exec_async(&mut moving.nodes[0]).await.unwrap();
        eventually(AGREED, "the slot to have moved", async || {
            let state: redis::Value =
                cluster(&["GETSLOTMIGRATIONS"]).query_async(&mut moving.nodes[0].clone()).await.unwrap();
            format!("{state:?}").contains("success")
        })
        .await;
    }))
    .await;
}
