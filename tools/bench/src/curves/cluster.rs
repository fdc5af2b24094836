//! Shards on a Cluster of three masters.

use super::shards::{add, consume_all, readers};
use crate::curve::{Curve, whole};
use crate::place::{Place, plain};
use anyhow::{Result, ensure};
use redstream_core::{ConnectOptions, Redstream};
use redstream_servers::{Redis, RedisOptions};
use std::time::{Duration, Instant};

const THIRDS: [(u16, u16); 3] = [(0, 5460), (5461, 10_922), (10_923, 16_383)];

/// Longer than a cluster takes to agree on anything.
const AGREED: Duration = Duration::from_secs(30);

const SHARDS: u32 = 8;

pub(crate) async fn curve(place: &Place) -> Result<Curve> {
    let columns = &["8 shards on", "entries on each server", "added/s", "consumed/s"];
    let mut curve = Curve::new("cluster", columns);
    let count = place.scaled(400_000);
    let one = measure(&place.fresh().await?, &[place.redis_url()], count).await?;
    curve.point(["one Redis".to_owned()].into_iter().chain(one));
    place.flush().await?;

    let nodes = start().await?;
    let urls: Vec<String> = nodes.iter().map(Redis::url).collect();
    let redstream = Redstream::connect(ConnectOptions::cluster(urls.clone())).await?;
    let three = measure(&redstream, &urls, count).await?;
    curve.point(["a Cluster of 3 masters".to_owned()].into_iter().chain(three));
    Ok(curve)
}

async fn measure(redstream: &Redstream, urls: &[String], count: usize) -> Result<[String; 3]> {
    let shards = redstream.shards("spread", SHARDS)?;
    readers(&shards).await?;
    let added = add(redstream, &shards, count).await?;
    let mut held = Vec::new();
    for url in urls {
        let mut raw = plain(url).await?;
        let keys: Vec<String> = redis::cmd("KEYS").arg("redstream:stream:*").query_async(&mut raw).await?;
        let mut entries = 0;
        for key in keys {
            entries += redis::cmd("XLEN").arg(key).query_async::<u64>(&mut raw).await?;
        }
        held.push(whole(entries as f64));
    }
    let consumed = consume_all(&shards).await?;
    Ok([held.join(" + "), whole(added), whole(consumed)])
}

async fn start() -> Result<Vec<Redis>> {
    let start = || -> Result<Vec<Redis>> {
        let mut nodes = Vec::new();
        for _ in THIRDS {
            let options = RedisOptions::new().port_arg("--cluster-port")?.arg("--cluster-enabled").arg("yes");
            nodes.push(options.start()?);
        }
        Ok(nodes)
    };
    let nodes = tokio::task::spawn_blocking(start).await??;
    let mut raw = Vec::new();
    for (node, (from, to)) in nodes.iter().zip(THIRDS) {
        let mut connection = plain(&node.url()).await?;
        let slots: Vec<u16> = (from..=to).collect();
        redis::cmd("CLUSTER").arg("ADDSLOTS").arg(slots).exec_async(&mut connection).await?;
        raw.push(connection);
    }
    for (node, connection) in nodes.iter().zip(&mut raw.clone()).skip(1) {
        let bus: Vec<String> = redis::cmd("CONFIG").arg("GET").arg("cluster-port").query_async(connection).await?;
        let mut meet = redis::cmd("CLUSTER");
        meet.arg("MEET").arg("127.0.0.1").arg(node.port()).arg(bus.get(1));
        meet.exec_async(&mut raw[0]).await?;
    }
    let begun = Instant::now();
    for connection in &mut raw {
        loop {
            let info: String = redis::cmd("CLUSTER").arg("INFO").query_async(connection).await?;
            if info.contains("cluster_state:ok") && info.contains("cluster_known_nodes:3") {
                break;
            }
            ensure!(begun.elapsed() < AGREED, "the cluster is not up: {info}");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }
    Ok(nodes)
}
