//! What is left of consumers and streams that no longer exist.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use super::StreamOverview;
use crate::error::Result;
use crate::keys::Part;
use crate::message::StreamName;
use crate::redstream::Redstream;
use crate::stream::Stream;

/// Something in Redis that belongs to no consumer, or to no stream, that is known.
///
/// A lock, and the heartbeat of a host, ends by itself. The version of a consumer that was forgotten stays on purpose:
/// a successor of that name must not issue an older one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
#[non_exhaustive]
pub enum Orphan {
    /// Dead letters of a consumer that is not registered and has no offset: it was forgotten.
    DeadLetters {
        /// The consumer's stream.
        stream: StreamName,
        /// The consumer.
        consumer: String,
        /// How many there are.
        count: u64,
    },
    /// Records of reindexes of a stream that does not exist, nor any shard of it.
    Reindexes {
        /// The stream, or the name that its shards had in common.
        stream: StreamName,
    },
}

impl Orphan {
    /// As in [`Problem::place`](super::Problem::place).
    pub(super) fn place(&self) -> String {
        match self {
            Self::DeadLetters { stream, consumer, .. } => format!("{stream}/{consumer}"),
            Self::Reindexes { stream } => stream.to_string(),
        }
    }
}

/// The keys of a namespace, sorted by what they say.
#[derive(Default)]
pub(super) struct Found {
    /// The streams, each with the consumers that have an offset and may not be registered: those of the Ruby gem.
    pub(super) streams: BTreeMap<StreamName, BTreeSet<String>>,
    dead_letters: BTreeSet<(StreamName, String)>,
    reindexes: BTreeSet<StreamName>,
}

impl Found {
    pub(super) fn add(&mut self, stream: StreamName, part: Part) {
        match part {
            Part::Messages => _ = self.streams.entry(stream).or_default(),
            Part::Offset(consumer) => _ = self.streams.entry(stream).or_default().insert(consumer),
            Part::DeadLetters(consumer) => {
                self.streams.entry(stream.clone()).or_default();
                self.dead_letters.insert((stream, consumer));
            }
            Part::Reindexes => _ = self.reindexes.insert(stream),
        }
    }

    /// Those that belong to none of the consumers of `streams`.
    pub(super) async fn orphans(&self, redstream: &Redstream, streams: &[StreamOverview]) -> Result<Vec<Orphan>> {
        let mut orphans = Vec::new();
        for (name, consumer) in &self.dead_letters {
            // One that could not be read says nothing of its consumers.
            let Some(seen) = streams.iter().find(|stream| stream.name == *name) else { continue };
            if seen.consumers.iter().any(|known| known.name == *consumer) {
                continue;
            }
            let Ok(letters) = Stream::new(redstream.clone(), name.clone()).dead_letters(consumer) else { continue };
            let count = letters.len().await?;
            if count > 0 {
                orphans.push(Orphan::DeadLetters { stream: name.clone(), consumer: consumer.clone(), count });
            }
        }
        let lacks_a_stream = |stream: &&StreamName| !self.streams.keys().any(|name| is_of(name, stream));
        let reindexes = self.reindexes.iter().filter(lacks_a_stream);
        orphans.extend(reindexes.map(|stream| Orphan::Reindexes { stream: stream.clone() }));
        Ok(orphans)
    }
}

/// Whether a stream is the named one, or a shard of it: `products-0`, `products.2-0`.
fn is_of(stream: &StreamName, named: &StreamName) -> bool {
    let rest = stream.as_str().strip_prefix(named.as_str());
    rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(['-', '.']))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shards_and_generations_belong_to_the_name_that_they_have_in_common() {
        let name = |name: &str| StreamName::new(name).unwrap();
        for own in ["products", "products-0", "products.2-0"] {
            assert!(is_of(&name(own), &name("products")), "{own}");
        }
        assert!(!is_of(&name("productsold"), &name("products")) && !is_of(&name("orders"), &name("products")));
    }
}
