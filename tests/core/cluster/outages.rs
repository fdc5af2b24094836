//! A master that dies and whose replica takes over, and one that hangs.

use std::time::{Duration, Instant};

use redstream_core::{Redstream, Stream, Supervisor};
use serde_json::json;

use super::nodes::{AGREED, Cluster};
use crate::core::SOON;
use crate::core::recorder::Recorder;
use crate::support::{eventually, raw_redis};

/// The bound on a call of the producer that gives up, with room for a slow machine.
const GIVES_UP: Duration = Duration::from_secs(5);

struct Stage {
    cluster: Cluster,
    redstream: Redstream,
    /// In a slot of the first master.
    stream: Stream,
    seen: Recorder,
    acknowledged: Vec<u64>,
}

impl Stage {
    async fn on(cluster: Cluster) -> Self {
        let redstream = Redstream::connect(cluster.options()).await.unwrap();
        let stream = redstream.stream("orders").unwrap();
        let mut raw = raw_redis(&cluster.nodes[0].url()).await;
        let slot: u16 = redis::cmd("CLUSTER").arg("KEYSLOT").arg("{orders}").query_async(&mut raw).await.unwrap();
        assert!(slot <= 5460, "{slot}");
        Self { cluster, redstream, stream, seen: Recorder::default(), acknowledged: Vec::new() }
    }

    fn supervisor(&self) -> Supervisor {
        let consumer = self.stream.consumer("search", self.seen.clone());
        let ttl = Duration::from_secs(1);
        Supervisor::new()
            .with(consumer.lock_ttl(ttl).backoff(Duration::from_millis(20), Duration::from_millis(200)))
            .with(self.stream.delayer(Duration::from_millis(50)).lock_ttl(ttl))
            .with(self.stream.trimmer().interval(Duration::from_millis(50)).lock_ttl(ttl))
    }

    /// Whether it was acknowledged within the bound.
    async fn write(&mut self, number: u64) -> bool {
        let (producer, call) = (self.redstream.producer(), Instant::now());
        let written = match number % 2 {
            0 => producer.queue(self.stream.name(), &number).await,
            _ => producer.delay(self.stream.name(), &number).await,
        };
        assert!(call.elapsed() < GIVES_UP, "{:?}", call.elapsed());
        if written.is_ok() {
            self.acknowledged.push(number);
        }
        written.is_ok()
    }

    async fn all_is_handled_and_swept(&self) {
        eventually(AGREED, "all that was acknowledged", async || {
            let seen = self.seen.payloads();
            self.acknowledged.iter().all(|number| seen.contains(&json!(number)))
        })
        .await;
        eventually(AGREED, "the trimmer", async || self.stream.is_empty().await.unwrap_or(false)).await;
    }
}

#[tokio::test]
async fn a_replica_that_takes_over_from_its_master_has_all_that_it_confirmed_and_work_goes_on() {
    let mut cluster = Cluster::start().await;
    cluster.add_replica().await;
    let mut stage = Stage::on(cluster).await;
    let story = async |stage: &mut Stage| {
        for number in 0..20 {
            assert!(stage.write(number).await);
        }
        // The replica confirms in order: it also has everything before this write.
        let mut raw = raw_redis(&stage.cluster.nodes[0].url()).await;
        redis::cmd("SET").arg("{orders}").arg(1).exec_async(&mut raw).await.unwrap();
        let confirmed: u32 = redis::cmd("WAIT").arg(1).arg(5000).query_async(&mut raw).await.unwrap();
        assert_eq!(confirmed, 1);
        stage.cluster.nodes[0].kill().unwrap();
        let deadline = Instant::now() + AGREED;
        while !stage.write(20).await {
            assert!(Instant::now() < deadline, "the replica did not take over");
        }
        for number in 21..30 {
            assert!(stage.write(number).await);
        }
        stage.all_is_handled_and_swept().await;
    };
    let supervisor = stage.supervisor();
    supervisor.run_until(story(&mut stage)).await.unwrap();
}

#[tokio::test]
async fn all_go_on_after_a_master_hung_for_ten_seconds() {
    let mut stage = Stage::on(Cluster::start().await).await;
    let story = async |stage: &mut Stage| {
        for number in 0..4 {
            assert!(stage.write(number).await);
        }
        eventually(SOON, "the first messages", async || stage.seen.len() >= 4).await;
        stage.cluster.nodes[0].pause().unwrap();
        let (hung, mut refused) = (Instant::now(), 0);
        while hung.elapsed() < Duration::from_secs(10) {
            assert!(!stage.write(100).await);
            refused += 1;
        }
        assert!(refused >= 2);
        stage.cluster.nodes[0].resume().unwrap();
        let deadline = Instant::now() + AGREED;
        while !stage.write(4).await {
            assert!(Instant::now() < deadline, "the master did not come back");
        }
        assert!(stage.write(5).await);
        stage.all_is_handled_and_swept().await;
    };
    let supervisor = stage.supervisor();
    supervisor.run_until(story(&mut stage)).await.unwrap();
}
