//! Sharding: one stream split into several, so that several hosts work on it at once.
//!
//! The shards of `products` are the streams `products-0`, `products-1` and so on, each with its own delay
//! messages, offsets and locks. A message goes to the shard given by the hash of its payload, so all messages of one
//! key are in one shard, in order. Every host runs all workers; each shard's lock ensures that one host works on it,
//! and the hosts distribute the shards evenly among themselves.
//!
//! `map` says which shard a payload goes to; `worker` runs all shards as one, by the rounds of `rebalance`, in which
//! each host announces its `membership`; `generation` changes the number of shards. At the top: it may use all other
//! modules.

mod generation;
mod map;
mod membership;
mod rebalance;
mod worker;

use std::sync::Arc;
use std::time::Duration;

use serde::Serialize;

pub use map::ShardMap;
pub use worker::Sharded;

use crate::consumer::{Consumer, Handler, Told};
use crate::delayer::Delayer;
use crate::error::{Error, Result};
use crate::keys::DELAYER;
use crate::message::{MessageId, NewMessage, Payload, StreamName};
use crate::redstream::Redstream;
use crate::reindex::{KeySource, Reindexes, Walk};
use crate::stream::Stream;
use crate::trimmer::Trimmer;

/// The shards of one stream, made by [`Redstream::shards`]: names them, and gives workers that run all of them.
///
/// ```no_run
/// # use std::time::Duration;
/// # use redstream_core::{Batch, Redstream, Supervisor};
/// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
/// let products = Redstream::connect("redis://127.0.0.1/").await?.shards("products", 8)?;
/// products.queue(&serde_json::json!({ "id": 1 })).await?;
/// Supervisor::new()
///     .with(products.consumer("search", async |batch: Batch| { println!("{} changes", batch.len()); Ok(()) }))
///     .with(products.delayer(Duration::from_secs(300)))
///     .with(products.trimmer())
///     .run_until_signal()
///     .await?;
/// # Ok(()) }
/// ```
///
/// # The hash
///
/// A payload's shard is the CRC-32 of its JSON text, in UTF-8, modulo the number of shards. It is the CRC-32 of zlib,
/// gzip and PNG (CRC-32/ISO-HDLC), so that any language can compute the shard: `Zlib.crc32(json) % 8` in Ruby,
/// `zlib.crc32(json) % 8` in Python. It will not change.
///
/// Payloads are the same if their text is the same: a record's messages stay in order only while its key is always
/// written the same way. **All** writers and workers of a stream must agree on the number of shards.
///
/// # Another number of shards
///
/// Most keys would move to another shard, so a new number needs new streams, a new [`generation`](Self::generation):
/// run the workers of both, move all writers to the new one, and when no writer of the old one is running,
/// [`take_over`](Self::take_over). Order is kept, and nothing is lost: consumers of the new generation begin when those
/// of the old one are done.
#[derive(Clone, Debug)]
pub struct Shards {
    redstream: Redstream,
    map: ShardMap,
    streams: Arc<[Stream]>,
}

impl Redstream {
    /// The stream of that name, split into `count` shards: `products-0`, `products-1` and so on.
    ///
    /// Does not talk to Redis.
    ///
    /// # Errors
    ///
    /// If the name is not usable, or `count` is zero.
    pub fn shards(&self, name: impl AsRef<str>, count: u32) -> Result<Shards> {
        Ok(Shards::of(self.clone(), ShardMap::new(name, count)?))
    }
}

impl Shards {
    fn of(redstream: Redstream, map: ShardMap) -> Self {
        let streams = map.names().map(|name| Stream::new(redstream.clone(), name)).collect();
        Self { redstream, map, streams }
    }

    /// Their names, and which payload goes where: for writers without this handle.
    pub fn map(&self) -> &ShardMap {
        &self.map
    }

    /// The name that the shards have in common.
    pub fn name(&self) -> &StreamName {
        self.map.name()
    }

    /// How many there are.
    pub fn count(&self) -> u32 {
        self.map.count()
    }

    /// Each shard as a stream, by number, for operations on one stream, such as its lag or its dead letters.
    pub fn streams(&self) -> &[Stream] {
        &self.streams
    }

    /// The number of the shard that messages with this payload go to; see [the hash](Self#the-hash).
    pub fn shard_of(&self, payload: &Payload) -> u32 {
        self.map.shard_of(payload)
    }

    /// The name of the shard that messages with this payload go to.
    pub fn name_for(&self, payload: &Payload) -> &StreamName {
        self.streams[self.shard_of(payload) as usize].name()
    }

    /// A message with this payload, for the shard that it goes to.
    pub fn message(&self, payload: Payload) -> NewMessage {
        NewMessage::new(self.name_for(&payload).clone(), payload)
    }

    /// Adds a main message to its shard.
    ///
    /// # Errors
    ///
    /// As [`Producer::queue`](crate::Producer::queue).
    pub async fn queue(&self, payload: &(impl Serialize + ?Sized)) -> Result<MessageId> {
        let message = self.message(self.encode(payload)?);
        self.redstream.producer().queue_all(&[message]).await.map(only)
    }

    /// Adds a delay message to its shard.
    ///
    /// # Errors
    ///
    /// As [`Producer::delay`](crate::Producer::delay).
    pub async fn delay(&self, payload: &(impl Serialize + ?Sized)) -> Result<MessageId> {
        let message = self.message(self.encode(payload)?);
        self.redstream.producer().delay_all(&[message]).await.map(only)
    }

    /// A consumer of that name of every shard: one worker, which runs its share of the shards on each host.
    ///
    /// The shards share the handler, which is called for several of them at once.
    pub fn consumer<H: Handler>(&self, name: impl Into<String>, handler: H) -> Sharded<Consumer> {
        let kind = std::any::type_name::<H>();
        let (name, handler): (String, Arc<dyn Handler>) = (name.into(), Arc::new(handler));
        let hosts = self.redstream.keys().consumer_hosts(self.map.prefix(), &name);
        let title = format!("consumer {name} of {}", self.map.prefix());
        let told = Told::default();
        let consumers = self.sharded(&title, hosts, |stream| {
            let stream = stream.name().clone();
            Consumer::new(self.redstream.clone(), stream, name.clone(), handler.clone(), kind).together(&told)
        });
        if self.map.number() == 1 { consumers } else { consumers.behind(self.gate()) }
    }

    /// The delayers of all shards, as one worker; see [`Stream::delayer`].
    pub fn delayer(&self, delay: Duration) -> Sharded<Delayer> {
        let hosts = self.redstream.keys().consumer_hosts(&self.map.prefix().delayed(), DELAYER);
        self.sharded(&format!("delayer of {}", self.map.prefix()), hosts, |stream| stream.delayer(delay))
    }

    /// The trimmers of all shards, as one worker; see [`Stream::trimmer`].
    pub fn trimmer(&self) -> Sharded<Trimmer> {
        let hosts = self.redstream.keys().trimmer_hosts(self.map.prefix());
        self.sharded(&format!("trimmer of {}", self.map.prefix()), hosts, Stream::trimmer)
    }

    /// A walk that queues every key of `source` on its shard: see [`Walk`]. It waits for the consumers of all shards.
    pub fn reindex<S: KeySource>(&self, source: S) -> Walk<S> {
        Walk::new(self.redstream.clone(), self.map.prefix().clone(), self.map.names().collect(), source)
    }

    /// The records of the reindexes of this generation, each of all shards: to list, pause, resume and abort them.
    pub fn reindexes(&self) -> Reindexes {
        Reindexes::new(self.redstream.clone(), self.map.prefix().clone())
    }

    fn sharded<W>(&self, title: &str, hosts: String, worker: impl Fn(&Stream) -> W) -> Sharded<W> {
        let title = format!("{title} in {} shards", self.count());
        Sharded::new(title, hosts, self.streams.iter().map(worker).collect())
    }

    fn encode(&self, payload: &(impl Serialize + ?Sized)) -> Result<Payload> {
        Payload::encode(payload).map_err(|source| Error::Encode { stream: self.map.name().clone(), source })
    }
}

/// The producer returns as many ids as it was given messages.
fn only(ids: Vec<MessageId>) -> MessageId {
    ids.into_iter().next().unwrap_or(MessageId::MIN)
}
