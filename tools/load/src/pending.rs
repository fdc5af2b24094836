//! Many pending changes: does a restart of Redis, the rewrite of its append-only file, or a failover lose any?

mod servers;
mod tally;

use std::fmt;
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use redstream_seaorm::{Batch, ConnectOptions, NewMessage, Payload, Redstream, Stream};

use self::servers::Servers;
use self::tally::Tally;

const CONSUMER: &str = "search";
/// The changes that are added at once.
const SOME: u64 = 50_000;
const MIB: u64 = 1 << 20;

/// Adds changes, each with its delay message, until Redis holds `mib`; restarts it, rewrites its file, lets a replica
/// take over; then has all of them consumed. Returns whether each came twice, and in order.
pub(crate) async fn run(mib: u64) -> anyhow::Result<bool> {
    let mut servers = Servers::start().await?;
    let changes = fill(&servers, mib * MIB).await?;
    let there = Content::of(&servers.redstream().await?).await?;
    println!("{changes} changes are pending: {there}, {} MiB in Redis", servers.memory().await? / MIB);

    servers.step("Redis killed, and started again", async |servers| servers.restart()).await?;
    same(&there, &servers).await?;
    servers.step("its append-only file rewritten", async |servers| servers.rewrite().await).await?;
    servers.step("Redis killed, and started again", async |servers| servers.restart()).await?;
    same(&there, &servers).await?;
    servers.step("a replica synchronised", async |servers| servers.synchronise().await).await?;
    servers
        .step("the master killed, and the replica promoted by a Sentinel", async |servers| servers.fail_over().await)
        .await?;
    same(&there, &servers).await?;

    let begun = Instant::now();
    let tally = tally::consume(&items(&servers.redstream().await?)?, CONSUMER, changes).await?;
    println!("{tally} ({:.1} s)", begun.elapsed().as_secs_f64());
    Ok(tally == Tally::complete())
}

/// Returns how many were added.
async fn fill(servers: &Servers, bytes: u64) -> anyhow::Result<u64> {
    let redstream = servers.redstream().await?;
    let items = items(&redstream)?;
    // An application has both before it writes; messages then share entries.
    items.consumer(CONSUMER, |_: Batch| async { Ok(()) }).run_once().await?;
    items.delayer(Duration::from_secs(300)).run_once().await?;
    let (producer, mut changes, begun) = (redstream.producer(), 0, Instant::now());
    while servers.memory().await? < bytes {
        let message = |id: u64| Ok(NewMessage::new(items.name().clone(), Payload::encode(&tally::Change { id })?));
        let messages: Vec<_> = (changes..changes + SOME).map(message).collect::<anyhow::Result<_>>()?;
        producer.delay_all(&messages).await?;
        producer.queue_all(&messages).await?;
        changes += SOME;
    }
    println!("added ({:.1} s)", begun.elapsed().as_secs_f64());
    Ok(changes)
}

/// What the streams of a Redis hold.
#[derive(Debug, PartialEq, Eq)]
struct Content {
    entries: u64,
    delay_entries: u64,
    last: String,
    consumers: Vec<String>,
}

impl Content {
    async fn of(redstream: &Redstream) -> anyhow::Result<Self> {
        let items = items(redstream)?;
        Ok(Self {
            entries: items.len().await?,
            delay_entries: items.delay_len().await?,
            last: items.last_id().await?.to_string(),
            consumers: items.consumers().await?,
        })
    }
}

impl fmt::Display for Content {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { entries, delay_entries, last, .. } = self;
        write!(f, "{entries} entries up to {last}, and {delay_entries} of delay messages")
    }
}

async fn same(there: &Content, servers: &Servers) -> anyhow::Result<()> {
    let now = Content::of(&servers.redstream().await?).await?;
    ensure!(now == *there, "there is {now:?} now, and was {there:?}");
    Ok(())
}

fn items(redstream: &Redstream) -> anyhow::Result<Stream> {
    redstream.stream("items").context("the stream's name")
}

/// Longer than a server takes to load its data.
fn options(options: ConnectOptions) -> ConnectOptions {
    options.give_up_after(Duration::from_secs(60)).response_timeout(Duration::from_secs(30))
}
