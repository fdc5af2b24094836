//! Changing the number of shards, without losing a message or the order of the messages of one key.
//!
//! With another number of shards most keys move to another shard. If both maps were read at once, two hosts could
//! handle messages of one key concurrently, and the older one last. So the shards of a new *generation* are separate
//! streams, and a *gate* keeps their consumers waiting until all of the old generation is handled:
//!
//! 1. Run the workers of both generations. The workers of the new one wait, since their gate is closed.
//! 2. Move the writers (and relays of an outbox) to the new generation, one by one. What they write waits in the new
//!    streams.
//! 3. When no writer of the old generation is running, call [`Shards::take_over`]. It waits until the old one is
//!    drained, including its delay messages, and opens the gate.
//! 4. Stop the workers of the old generation. Its streams are no longer needed.

use std::collections::BTreeSet;
use std::time::Duration;

use tokio::time::Instant;

use super::Shards;
use crate::error::{Error, Result, Undrained};
use crate::message::{MessageId, StreamName};
use crate::redstream::Redstream;
use crate::stream::Stream;
use crate::time::deadline;

/// The first and the longest pause between two checks of the old generation.
const LOOK: (Duration, Duration) = (Duration::from_millis(10), Duration::from_secs(1));

impl Shards {
    /// The same stream in shards of another generation: the shards of generation 2 are `products.2-0`, `products.2-1`
    /// and so on, and those of generation 1, the default, `products-0`, `products-1`.
    ///
    /// From generation 2 on, consumers wait until [`take_over`](Self::take_over) opens the gate. Consumers that are
    /// made from one of the [`streams`](Self::streams) ignore the gate.
    ///
    /// # Errors
    ///
    /// If `generation` is zero.
    pub fn generation(&self, generation: u32) -> Result<Self> {
        Ok(Self::of(self.redstream.clone(), self.map.generation(generation)?))
    }

    /// Waits for up to `within` until the old generation is drained, and opens the gate of this one. Does nothing if
    /// the gate is open already.
    ///
    /// Call it only when **no writer of the old generation is running**: this method cannot detect whether one will
    /// still write. The workers of the old generation must run meanwhile. It is drained when none of its delay messages
    /// is left, and every registered consumer has committed the last message of each shard; so `within` should be
    /// longer than the delayer's delay. Dead letters do not count: redrive or discard them before.
    ///
    /// # Errors
    ///
    /// [`Error::NotDrained`] if the bound passes: then the gate stays closed, so call it again. Also if `old` is not an
    /// earlier generation of the same stream.
    pub async fn take_over(&self, old: &Self, within: Duration) -> Result<()> {
        if old.name() != self.name() || old.map.number() >= self.map.number() {
            return Err(refused("only an earlier generation of the same stream can be taken over"));
        }
        let deadline = deadline(within);
        let mut pause = LOOK.0;
        while !is_open(&self.redstream, &self.gate()).await? {
            match old.left().await? {
                None => self.open(old).await?,
                Some((stream, left)) if Instant::now() + pause > deadline => {
                    return Err(Error::NotDrained { stream, left, within });
                }
                Some(_) => tokio::time::sleep(pause).await,
            }
            pause = (pause * 2).min(LOOK.1);
        }
        Ok(())
    }

    pub(super) fn gate(&self) -> String {
        self.redstream.keys().gate(self.map.prefix())
    }

    /// What is not drained yet, for one stream that has any.
    async fn left(&self) -> Result<Option<(StreamName, Undrained)>> {
        // Delay messages first: once there are none, and no writers, no message is added to the main streams.
        for stream in self.streams() {
            let count = stream.delay_len().await?;
            if count > 0 {
                return Ok(Some((stream.name().clone(), Undrained::DelayMessages { count })));
            }
        }
        for stream in self.streams() {
            if let Some(left) = behind(stream).await? {
                return Ok(Some((stream.name().clone(), left)));
            }
        }
        Ok(None)
    }

    /// Opens the gate, after ensuring that versions continue above those of the old generation, even if the clock of
    /// Redis was set back meanwhile.
    async fn open(&self, old: &Self) -> Result<()> {
        for consumer in old.consumers().await? {
            let mut highest = None;
            for stream in old.streams() {
                let mut get = redis::cmd("GET");
                get.arg(self.redstream.keys().version(stream.name(), &consumer));
                let version: Option<u64> = self.redstream.link().command("read a version", &get).await?;
                highest = highest.max(version);
            }
            let Some(highest) = highest else { continue };
            for stream in self.streams() {
                let mut set = redis::cmd("SET");
                set.arg(self.redstream.keys().version(stream.name(), &consumer)).arg(highest).arg("NX");
                let _set: Option<String> = self.redstream.link().command("carry a version over", &set).await?;
            }
        }
        let mut set = redis::cmd("SET");
        set.arg(self.gate()).arg("open");
        let _ok: String = self.redstream.link().command("open the gate of a generation", &set).await?;
        tracing::info!(stream = %self.map.prefix(), "the old generation is drained: gate opened");
        Ok(())
    }

    async fn consumers(&self) -> Result<BTreeSet<String>> {
        let mut all = BTreeSet::new();
        for stream in self.streams() {
            all.extend(stream.consumers().await?);
        }
        Ok(all)
    }
}

/// A gate that was opened stays open.
pub(super) async fn is_open(redstream: &Redstream, gate: &str) -> Result<bool> {
    let mut exists = redis::cmd("EXISTS");
    exists.arg(gate);
    redstream.link().command("see whether a gate is open", &exists).await
}

async fn behind(stream: &Stream) -> Result<Option<Undrained>> {
    let last = stream.last_id().await?;
    for consumer in stream.consumers().await? {
        let offset = stream.offsets().get(&consumer).await?.unwrap_or(MessageId::MIN);
        if offset < last {
            return Ok(Some(Undrained::Consumer { consumer, offset, last }));
        }
    }
    Ok(None)
}

fn refused(reason: &str) -> Error {
    Error::InvalidOption { option: "generation", reason: reason.to_owned() }
}
