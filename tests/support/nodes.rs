//! The servers of a cluster: three masters, each with a third of the slots.

use std::time::Duration;

use redis::aio::MultiplexedConnection;
use redstream_core::ConnectOptions;
use redstream_proxy::Proxy;
use redstream_servers::{Redis, RedisOptions};

use crate::support::{eventually, raw_redis};

/// Longer than a cluster takes to agree on anything.
pub(crate) const AGREED: Duration = Duration::from_secs(30);

const THIRDS: [(u16, u16); 3] = [(0, 5460), (5461, 10_922), (10_923, 16_383)];

pub(crate) struct Cluster {
    pub(crate) nodes: Vec<Redis>,
    /// One proxy in front of each node, or none.
    pub(crate) proxies: Vec<Proxy>,
}

impl Cluster {
    pub(crate) async fn start() -> Self {
        Self::of([(); 3].map(|()| strict())).await
    }

    pub(crate) async fn of(nodes: [RedisOptions; 3]) -> Self {
        let cluster = Self { nodes: start(nodes).await, proxies: Vec::new() };
        cluster.meet().await;
        cluster
    }

    /// Its nodes tell their clients to come through proxies.
    pub(crate) async fn behind_proxies() -> Self {
        let mut cluster = Self { nodes: start([(); 3].map(|()| strict())).await, proxies: Vec::new() };
        for node in &cluster.nodes {
            let proxy = Proxy::start(node.port()).await.unwrap();
            let mut raw = raw_redis(&node.url()).await;
            for (option, port) in [("bus-port", bus_of(&mut raw, node.port()).await), ("port", proxy.port())] {
                let option = format!("cluster-announce-{option}");
                redis::cmd("CONFIG").arg("SET").arg(option).arg(port).exec_async(&mut raw).await.unwrap();
            }
            cluster.proxies.push(proxy);
        }
        cluster.meet().await;
        cluster
    }

    pub(crate) fn options(&self) -> ConnectOptions {
        match &self.proxies[..] {
            [] => ConnectOptions::cluster(self.nodes.iter().map(Redis::url)),
            proxies => ConnectOptions::cluster(proxies.iter().map(Proxy::url)),
        }
    }

    /// A replica of the first master, in step with it.
    pub(crate) async fn add_replica(&mut self) {
        let replica = tokio::task::spawn_blocking(|| member(strict()).start().unwrap()).await.unwrap();
        let (mut master, mut raw) = (raw_redis(&self.nodes[0].url()).await, raw_redis(&replica.url()).await);
        let bus = bus_of(&mut raw, replica.port()).await;
        let meet = redis::cmd("CLUSTER").arg("MEET").arg("127.0.0.1").arg(replica.port()).arg(bus).to_owned();
        meet.exec_async(&mut master).await.unwrap();
        let id: String = redis::cmd("CLUSTER").arg("MYID").query_async(&mut master).await.unwrap();
        eventually(AGREED, "the replica to take its place", async || {
            redis::cmd("CLUSTER").arg("REPLICATE").arg(&id).exec_async(&mut raw).await.is_ok()
        })
        .await;
        eventually(AGREED, "the replica to be in step", async || {
            let info: String = redis::cmd("INFO").arg("replication").query_async(&mut raw).await.unwrap();
            info.contains("master_link_status:up")
        })
        .await;
        for node in &self.nodes {
            let mut raw = raw_redis(&node.url()).await;
            eventually(AGREED, "all to know the replica", async || {
                let nodes: String = redis::cmd("CLUSTER").arg("NODES").query_async(&mut raw).await.unwrap();
                nodes.lines().any(|line| line.contains("slave") && line.contains(&id))
            })
            .await;
        }
        self.nodes.push(replica);
    }

    /// All keys, wherever they are.
    pub(crate) async fn keys(&self) -> Vec<String> {
        let mut all = Vec::new();
        for node in &self.nodes {
            let keys: Vec<String> =
                redis::cmd("KEYS").arg("*").query_async(&mut raw_redis(&node.url()).await).await.unwrap();
            all.extend(keys);
        }
        all.sort();
        all
    }

    async fn meet(&self) {
        let mut raw = Vec::new();
        for node in &self.nodes {
            raw.push(raw_redis(&node.url()).await);
        }
        for (node, (from, to)) in raw.iter_mut().zip(THIRDS) {
            let slots: Vec<u16> = (from..=to).collect();
            redis::cmd("CLUSTER").arg("ADDSLOTS").arg(slots).exec_async(node).await.unwrap();
        }
        for at in 1..raw.len() {
            let port = self.nodes[at].port();
            let bus = bus_of(&mut raw[at], port).await;
            let meet = redis::cmd("CLUSTER").arg("MEET").arg("127.0.0.1").arg(port).arg(bus).to_owned();
            meet.exec_async(&mut raw[0]).await.unwrap();
        }
        for node in &mut raw {
            eventually(AGREED, "the cluster to be up", async || is_up(node).await).await;
        }
    }
}

/// A node that keeps everything in memory only.
pub(crate) fn forgetful() -> RedisOptions {
    RedisOptions::new().port_arg("--cluster-port").unwrap()
}

/// A node that loses nothing.
pub(crate) fn strict() -> RedisOptions {
    forgetful().append_only(true)
}

fn member(node: RedisOptions) -> RedisOptions {
    node.arg("--cluster-enabled").arg("yes").arg("--cluster-node-timeout").arg("2000")
}

async fn start(nodes: [RedisOptions; 3]) -> Vec<Redis> {
    let start = |node: RedisOptions| member(node).start().unwrap();
    tokio::task::spawn_blocking(move || nodes.into_iter().map(start).collect()).await.unwrap()
}

/// The port through which nodes talk to each other; before Redis 7 it could not be chosen.
async fn bus_of(node: &mut MultiplexedConnection, port: u16) -> u16 {
    let get = redis::cmd("CONFIG").arg("GET").arg("cluster-port").to_owned();
    let chosen: Vec<String> = get.query_async(node).await.unwrap();
    chosen.get(1).map_or(port + 10_000, |chosen| chosen.parse().unwrap())
}

async fn is_up(node: &mut MultiplexedConnection) -> bool {
    let info: String = redis::cmd("CLUSTER").arg("INFO").query_async(node).await.unwrap();
    info.contains("cluster_state:ok") && info.contains("cluster_known_nodes:3")
}
