//! Every Redis key, defined in one place. The Ruby gem redstream spells the first six the same way.
//!
//! | key | type | what |
//! |---|---|---|
//! | `redstream:stream:products` | stream | main messages |
//! | `redstream:stream:products.delay` | stream | delay messages |
//! | `redstream:offset:products:CONSUMER` | string | id of the last message CONSUMER committed |
//! | `redstream:lock:consumer:products:CONSUMER` | string, TTL | the holder's token, as below |
//! | `redstream:lock:trimmer:products` | string, TTL | the holder's token, as below |
//! | `LOCK.notify` | list, TTL | one element pushed on release: it wakes a standby |
//! | `redstream:consumers:products` | hash | registry: CONSUMER to a JSON note |
//! | `redstream:version:products:CONSUMER` | string | the last version issued |
//! | `redstream:stream:products.dead.CONSUMER` | stream | dead letters |
//! | `redstream:hosts:consumer:products:CONSUMER` | sorted set, TTL | of a sharded stream: the hosts that run CONSUMER |
//! | `redstream:hosts:trimmer:products` | sorted set, TTL | of a sharded stream: the hosts that run the trimmer |
//! | `redstream:gate:products.2` | string | of a sharded stream: exists when generation 2 may be read |
//! | `redstream:reindexes:products` | hash | records of reindexes: id to JSON; of a sharded stream, one for all shards |
//! | `redstream:lock:reindex:products` | string, TTL | the token of the process that runs a reindex |
//! | `redstream:lock:work:products:NAME` | string, TTL | the token of the process that runs a worker of this name, such as a verification |
//!
//! A token is `RANDOM@HOST:PID/TTL`: 32 hex digits, the process that holds the lock, and the TTL in ms that it asks
//! for. Holders of earlier versions have no `@HOST:PID`, and those of the gem the digits alone. It is compared as a
//! whole.
//!
//! An entry of a stream has the field `payload`, or `payloads` if it holds several messages, one per line; an entry for
//! a single consumer, a redriven dead letter, has the field `consumer` before it. A note of the registry is a JSON
//! object: `registered_at` and `placed`, `paused`, `rewinds`, `owner` (the token that acquired the lock last), `packs`
//! and `packs_owner` (that owner reads `payloads`), `server` (the run id that the last owner worked with), `identity`
//! and `identity_given`, and a delayer's `delay_ms`.
//!
//! On a Redis Cluster the stream's name is a hash tag, `{products}` and `{products}.delay`, so that all keys of a
//! stream are in one slot. With a namespace, each begins with `NAMESPACE:redstream` in place of `redstream`.
//!
//! Only uses the names of streams.

use std::borrow::Cow;

use crate::message::StreamName;

/// The delayer's name as a consumer of the stream of delay messages.
pub(crate) const DELAYER: &str = "delayer";

/// What a key is of its stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Part {
    /// Messages, or the registry of consumers.
    Messages,
    /// The offset of this consumer.
    Offset(String),
    /// The dead letters of this consumer.
    DeadLetters(String),
    /// Records of reindexes, of this stream or of one that has shards.
    Reindexes,
}

#[derive(Clone, Debug)]
pub(crate) struct Keys {
    base: String,
    tagged: bool,
}

impl Keys {
    /// `tagged`: for a cluster.
    pub(crate) fn new(namespace: Option<&str>, tagged: bool) -> Self {
        Self { tagged, base: namespace.map_or_else(|| "redstream".to_owned(), |n| format!("{n}:redstream")) }
    }

    pub(crate) fn stream(&self, stream: &StreamName) -> String {
        self.of_stream(stream, "")
    }

    pub(crate) fn delay_stream(&self, stream: &StreamName) -> String {
        self.of_stream(stream, ".delay")
    }

    /// Put together without formatting: each save needs two.
    fn of_stream(&self, stream: &StreamName, suffix: &str) -> String {
        [&self.base, ":stream:", &self.tag(stream), suffix].concat()
    }

    pub(crate) fn dead_letters(&self, stream: &StreamName, consumer: &str) -> String {
        format!("{}.dead.{consumer}", self.stream(stream))
    }

    pub(crate) fn offset(&self, stream: &StreamName, consumer: &str) -> String {
        format!("{}:offset:{}:{consumer}", self.base, self.tag(stream))
    }

    pub(crate) fn version(&self, stream: &StreamName, consumer: &str) -> String {
        format!("{}:version:{}:{consumer}", self.base, self.tag(stream))
    }

    pub(crate) fn registry(&self, stream: &StreamName) -> String {
        format!("{}:consumers:{}", self.base, self.tag(stream))
    }

    pub(crate) fn consumer_lock(&self, stream: &StreamName, consumer: &str) -> String {
        format!("{}:lock:consumer:{}:{consumer}", self.base, self.tag(stream))
    }

    pub(crate) fn trimmer_lock(&self, stream: &StreamName) -> String {
        format!("{}:lock:trimmer:{}", self.base, self.tag(stream))
    }

    pub(crate) fn reindexes(&self, stream: &StreamName) -> String {
        format!("{}:reindexes:{}", self.base, self.tag(stream))
    }

    pub(crate) fn reindex_lock(&self, stream: &StreamName) -> String {
        format!("{}:lock:reindex:{}", self.base, self.tag(stream))
    }

    pub(crate) fn work_lock(&self, stream: &StreamName, work: &str) -> String {
        format!("{}:lock:work:{}:{work}", self.base, self.tag(stream))
    }

    pub(crate) fn consumer_hosts(&self, stream: &StreamName, consumer: &str) -> String {
        format!("{}:hosts:consumer:{}:{consumer}", self.base, self.tag(stream))
    }

    pub(crate) fn trimmer_hosts(&self, stream: &StreamName) -> String {
        format!("{}:hosts:trimmer:{}", self.base, self.tag(stream))
    }

    pub(crate) fn gate(&self, stream: &StreamName) -> String {
        format!("{}:gate:{}", self.base, self.tag(stream))
    }

    /// The pattern that all keys match.
    pub(crate) fn pattern(&self) -> String {
        format!("{}:*", self.base)
    }

    /// The main stream that a key belongs to, and what it is of it; `None` if it says of no stream that it exists, such
    /// as a lock, or is none of these keys.
    pub(crate) fn read(&self, key: &str) -> Option<(StreamName, Part)> {
        let (kind, rest) = key.strip_prefix(&self.base)?.strip_prefix(':')?.split_once(':')?;
        let (name, part) = match kind {
            "stream" => match rest.split_once(".dead.") {
                Some((stream, consumer)) => (stream, Part::DeadLetters(consumer.to_owned())),
                None => (rest, Part::Messages),
            },
            "consumers" => (rest, Part::Messages),
            "reindexes" => (rest, Part::Reindexes),
            "offset" => {
                let (stream, consumer) = rest.rsplit_once(':')?;
                (stream, Part::Offset(consumer.to_owned()))
            }
            _ => return None,
        };
        let (name, part) = match name.strip_suffix(".delay") {
            // What its worker has says nothing of the consumers of the main stream.
            Some(main) => (main, Part::Messages),
            None => (name, part),
        };
        let name = if self.tagged { name.strip_prefix('{')?.strip_suffix('}')? } else { name };
        Some((StreamName::new(name).ok()?, part))
    }

    pub(crate) fn notify(lock: &str) -> String {
        format!("{lock}.notify")
    }

    /// The name, tagged for a cluster; a stream of delay messages has the tag of its main stream.
    fn tag<'a>(&self, stream: &'a StreamName) -> Cow<'a, str> {
        if !self.tagged {
            return stream.as_str().into();
        }
        match stream.as_str().strip_suffix(".delay") {
            Some(main) => format!("{{{main}}}.delay").into(),
            None => format!("{{{stream}}}").into(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_say_which_stream_they_belong_to() {
        for (namespace, tagged) in [(None, false), (Some("shop"), false), (None, true), (Some("shop"), true)] {
            let keys = Keys::new(namespace, tagged);
            let name = StreamName::new("eu:products").unwrap();
            let read = |key: String| keys.read(&key).map(|(stream, part)| (stream.to_string(), part));
            let of_stream = |part| Some(("eu:products".to_owned(), part));
            for key in [
                keys.stream(&name),
                keys.delay_stream(&name),
                keys.registry(&name),
                keys.registry(&name.delayed()),
                keys.dead_letters(&name.delayed(), DELAYER),
                keys.offset(&name.delayed(), DELAYER),
            ] {
                assert!(key.starts_with(keys.pattern().trim_end_matches('*')), "{key}");
                assert_eq!(read(key.clone()), of_stream(Part::Messages), "{key}");
            }
            let search = || "search".to_owned();
            assert_eq!(read(keys.offset(&name, "search")), of_stream(Part::Offset(search())));
            assert_eq!(read(keys.dead_letters(&name, "search")), of_stream(Part::DeadLetters(search())));
            assert_eq!(read(keys.reindexes(&name)), of_stream(Part::Reindexes));
            for other in [keys.trimmer_lock(&name), keys.version(&name, "search"), "redis".to_owned(), String::new()] {
                assert_eq!(read(other.clone()), None, "{other}");
            }
            assert_eq!(Keys::new(Some("other"), tagged).read(&keys.stream(&name)), None);
        }
    }
}
