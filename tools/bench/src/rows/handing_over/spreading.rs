//! Many shards on several hosts: one joins, and one dies.

use crate::place::Place;
use crate::rounds::Rounds;
use crate::row::{Measure, Question, Row};
use anyhow::{Context, Result};
use redis::aio::MultiplexedConnection;
use redstream_core::{Batch, CancellationToken, Redstream, Worker};
use std::collections::HashMap;
use std::time::{Duration, Instant};
use tokio::runtime::{Builder, Runtime};

const JOINED: Question = Question {
    name: "shards_join",
    path: "64 shards on 3 hosts, the locks' TTL 5 s: a fourth is started → each has 16",
    yardstick: "10 s",
    unit: "ms",
    measure: Measure::Price,
    floor: 1.0,
    aim: 0.7,
};

const DIED: Question = Question {
    name: "shards_death",
    path: "64 shards on 4 hosts: one dies → the last of its shards has another owner",
    yardstick: "the locks' TTL",
    unit: "ms",
    measure: Measure::Beyond,
    floor: 1000.0,
    aim: 600.0,
};

const SHARDS: u32 = 64;

/// The usual one of workers.
const TTL: Duration = Duration::from_secs(5);

pub(super) async fn rows(place: &Place) -> Result<Vec<Row>> {
    let (mut joined, mut died) = (Rounds::default(), Rounds::default());
    for _ in 0..place.rounds() {
        let locks = locks(&place.fresh().await?)?;
        let mut raw = place.raw().await?;
        let mut hosts = (0..3).map(|_| Host::start(place)).collect::<Result<Vec<_>>>()?;
        until(&mut raw, &locks, |loads| loads.len() == 3 && loads.iter().all(|load| [21, 22].contains(load))).await?;
        let begun = Instant::now();
        hosts.push(Host::start(place)?);
        until(&mut raw, &locks, |loads| *loads == [16; 4]).await?;
        joined.add(millis(begun), 10_000.0, None);

        let begun = Instant::now();
        hosts.pop();
        until(&mut raw, &locks, |loads| loads.len() == 3 && loads.iter().sum::<usize>() == SHARDS as usize).await?;
        died.add(millis(begun), TTL.as_secs_f64() * 1e3, None);
    }
    Ok(vec![JOINED.answer(&joined), DIED.answer(&died)])
}

fn millis(begun: Instant) -> f64 {
    begun.elapsed().as_secs_f64() * 1e3
}

fn locks(redstream: &Redstream) -> Result<Vec<String>> {
    let shards = redstream.shards("spread", SHARDS)?;
    shards.streams().iter().map(|stream| Ok(stream.lock("bench", TTL)?.key().to_owned())).collect()
}

/// Checks until the shards that each host holds are as they should be.
async fn until(
    raw: &mut MultiplexedConnection,
    locks: &[String],
    is_so: impl Fn(&Vec<usize>) -> bool + Copy,
) -> Result<()> {
    let looks = async {
        loop {
            let owners: Vec<Option<String>> = redis::cmd("MGET").arg(locks).query_async(raw).await?;
            let mut loads: HashMap<String, usize> = HashMap::new();
            for token in owners.into_iter().flatten() {
                // The first half of a token identifies its host.
                *loads.entry(token[..16].to_owned()).or_default() += 1;
            }
            if is_so(&loads.into_values().collect()) {
                return Ok(());
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(60), looks).await.context("the shards were not spread within a minute")?
}

/// A runtime and connections of its own.
struct Host(Option<Runtime>);

impl Host {
    fn start(place: &Place) -> Result<Self> {
        let (runtime, url) = (Builder::new_multi_thread().worker_threads(1).enable_all().build()?, place.redis_url());
        runtime.spawn(async move {
            let shards = Redstream::connect(url).await?.shards("spread", SHARDS)?;
            shards.consumer("bench", async |_: Batch| Ok(())).run(CancellationToken::new()).await
        });
        Ok(Self(Some(runtime)))
    }
}

/// Dies at once: no lock is released.
impl Drop for Host {
    fn drop(&mut self) {
        if let Some(runtime) = self.0.take() {
            runtime.shutdown_background();
        }
    }
}
