//! Which shard a message goes to, and the shard's name: writers and workers must agree on both.

use std::num::NonZeroU32;

use crate::error::{Error, Result};
use crate::message::{NewMessage, Payload, StreamName};

/// The map of a stream's shards: names them, and says which shard a payload goes to. It does no input or output.
///
/// [`Shards`](crate::Shards) use it; writers without a [`Redstream`](crate::Redstream) use it directly. Two maps of the
/// same name, count and generation are equal everywhere; see [the hash](crate::Shards#the-hash).
///
/// ```
/// # use redstream_core::{Payload, ShardMap};
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let map = ShardMap::new("products", 8)?;
/// let payload = Payload::encode(&serde_json::json!({ "id": 1 }))?;
/// assert_eq!(map.name_for(&payload).as_str(), "products-5");
/// assert_eq!(map.generation(2)?.name_for(&payload).as_str(), "products.2-5");
/// # Ok(()) }
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ShardMap {
    name: StreamName,
    /// The name, with the generation's number from generation 2 on.
    prefix: StreamName,
    generation: u32,
    count: NonZeroU32,
}

impl ShardMap {
    /// The stream of that name, split into `count` shards, in their first generation.
    ///
    /// # Errors
    ///
    /// If a shard's name is not usable, or `count` is zero.
    pub fn new(name: impl AsRef<str>, count: u32) -> Result<Self> {
        let name = StreamName::new(name)?;
        let count = NonZeroU32::new(count).ok_or_else(|| refused("shards", "it is zero"))?;
        Self::of(name.clone(), name, 1, count)
    }

    /// The same stream in as many shards of another generation; see [`Shards::generation`](crate::Shards::generation).
    ///
    /// # Errors
    ///
    /// If a shard's name is not usable, or `generation` is zero.
    pub fn generation(&self, generation: u32) -> Result<Self> {
        let prefix = match generation {
            0 => return Err(refused("generation", "it is zero")),
            1 => self.name.clone(),
            _ => StreamName::new(format!("{}.{generation}", self.name))?,
        };
        Self::of(self.name.clone(), prefix, generation, self.count)
    }

    fn of(name: StreamName, prefix: StreamName, generation: u32, count: NonZeroU32) -> Result<Self> {
        // The last name is the longest: if it is usable, all are.
        StreamName::new(prefix.shard(count.get() - 1))?;
        Ok(Self { name, prefix, generation, count })
    }

    /// The name that the shards have in common.
    pub fn name(&self) -> &StreamName {
        &self.name
    }

    /// How many there are.
    pub fn count(&self) -> u32 {
        self.count.get()
    }

    /// The name of each shard, by number.
    pub fn names(&self) -> impl Iterator<Item = StreamName> {
        (0..self.count()).map(|shard| self.prefix.shard(shard))
    }

    /// The number of the shard that messages with this payload go to.
    pub fn shard_of(&self, payload: &Payload) -> u32 {
        crc32fast::hash(payload.as_str().as_bytes()) % self.count
    }

    /// The name of the shard that messages with this payload go to.
    pub fn name_for(&self, payload: &Payload) -> StreamName {
        self.prefix.shard(self.shard_of(payload))
    }

    /// A message with this payload, for the shard that it goes to.
    pub fn message(&self, payload: Payload) -> NewMessage {
        NewMessage::new(self.name_for(&payload), payload)
    }

    pub(super) fn prefix(&self) -> &StreamName {
        &self.prefix
    }

    pub(super) fn number(&self) -> u32 {
        self.generation
    }
}

fn refused(option: &'static str, reason: &str) -> Error {
    Error::InvalidOption { option, reason: reason.to_owned() }
}
