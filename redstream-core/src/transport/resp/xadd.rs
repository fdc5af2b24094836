//! `XADD` of many messages, several pipelines in flight: written as bytes, with the replies parsed as ids, without an
//! object for each.
//!
//! Consecutive messages of a stream whose readers read packs share entries. The same request reads the registry after
//! them, so that a consumer that cannot read them, and was registered before, is noticed.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use bytes::Buf;
use redis::{FromRedisValue, RedisError, RedisResult};

use super::token::{Token, malformed, token};
use super::{CHUNK, RespConnection, refused};
use crate::message::entry::{ONE, SEPARATOR, SEVERAL};
use crate::message::pack::{self, Line};
use crate::message::{MessageId, NewMessage, StreamName};
use crate::time::within;
use crate::transport::pack_readers::Notes;

/// Pipelines in flight at once. Redis replies as often as it reads, and reads more at once if more has arrived: it then
/// spends less CPU time on waking the reader of the replies (11 % instead of 12 with four).
const IN_FLIGHT: usize = 16;

/// The bytes of a pipeline of packs, about.
const PIPELINE: usize = 64 << 10;

/// Where the messages of a stream are written.
#[derive(Clone, Debug)]
pub(crate) struct Target {
    pub(crate) key: String,
    /// The registry of its readers, if they read packs as far as is known: then packs are written.
    pub(crate) registry: Option<String>,
}

/// What was added so far, and is still to come.
#[derive(Debug, Default)]
pub(crate) struct Adding {
    /// How many messages each entry has whose reply is still to come.
    entries: VecDeque<u32>,
    /// Redis refused an entry, or a registry.
    refused: bool,
    /// The registries whose notes are still to come.
    registries: VecDeque<String>,
    /// Of the messages that were acknowledged, in their order.
    pub(crate) ids: Vec<MessageId>,
    /// Registries of streams to which packs were written, as they were after that.
    pub(crate) notes: Vec<(String, Notes)>,
}

impl Adding {
    /// The next entry has this id.
    fn acknowledged(&mut self, id: MessageId) {
        let len = self.entries.pop_front().unwrap_or_default();
        // Behind one that was refused they are not the first ones any more.
        if !self.refused {
            self.ids.extend((0..len).map(|index| id.nth(index, len)));
        }
    }

    pub(crate) fn is_refused(&self) -> bool {
        self.refused
    }

    /// How many replies are still to come.
    pub(crate) fn expected(&self) -> usize {
        self.entries.len() + self.registries.len()
    }

    /// The ids of the first messages that Redis acknowledged, if not all are added.
    pub(crate) fn outcome(self) -> Result<Self, Vec<MessageId>> {
        if self.refused || self.expected() > 0 { Err(self.sure()) } else { Ok(self) }
    }

    /// The ids that count although the request failed: none if there are packs, since their readers are not known.
    fn sure(self) -> Vec<MessageId> {
        if self.ids.iter().any(|id| id.index().is_some()) { Vec::new() } else { self.ids }
    }
}

impl RespConnection {
    /// Adds messages in this order. If it fails, returns the ids of the first messages that Redis acknowledged. Each
    /// wait for Redis is bounded by `patience`.
    ///
    /// Not cancel-safe: the connection is then broken. It is also broken if Redis refuses a message; some later
    /// messages may have been added.
    pub(crate) async fn add(
        &mut self,
        target: impl Fn(&StreamName) -> Target,
        messages: &[NewMessage],
        patience: Duration,
    ) -> Result<Adding, Vec<MessageId>> {
        let mut adding = Adding { ids: Vec::with_capacity(messages.len()), ..Adding::default() };
        match self.add_all(target, messages, &mut adding, patience).await {
            Ok(()) => Ok(adding),
            // The shared connection, which tries the rest, reports the error.
            Err(_) => Err(adding.sure()),
        }
    }

    async fn add_all(
        &mut self,
        target: impl Fn(&StreamName) -> Target,
        messages: &[NewMessage],
        adding: &mut Adding,
        patience: Duration,
    ) -> RedisResult<()> {
        within(patience, self.drain_replies()).await?;
        self.broken = true;
        let (mut rest, mut commands, mut encoder) = (messages, Vec::new(), Encoder::new(target));
        while adding.ids.len() < messages.len() {
            if !rest.is_empty() && adding.entries.len() <= (IN_FLIGHT - 1) * CHUNK {
                commands.clear();
                rest = encoder.encode(rest, &mut commands, adding);
                if rest.is_empty() {
                    encoder.checks(&mut commands, adding);
                }
                within(patience, async { Ok(self.socket.write_all(&commands).await?) }).await?;
                self.pending_replies = adding.entries.len() + adding.registries.len();
                continue;
            }
            // Reads all that has arrived, and waits for more only if there is none.
            let before = adding.ids.len();
            while !adding.entries.is_empty()
                && let Some(id) = self.id()?
            {
                adding.acknowledged(id);
            }
            if adding.ids.len() == before {
                within(patience, self.read()).await?;
            }
        }
        while let Some(registry) = adding.registries.pop_front() {
            let notes = within(patience, self.reply()).await?.extract_error()?;
            adding.notes.push((registry, Notes::from_redis_value(notes)?));
        }
        self.broken = false;
        Ok(())
    }

    /// Takes those of its replies that have arrived. Returns whether all have.
    ///
    /// A refusal is a reply, too: what is behind it is still in order.
    pub(crate) fn take_added(&mut self, adding: &mut Adding) -> RedisResult<bool> {
        while !adding.entries.is_empty() {
            let Some((part, length)) = token(&self.buffer)? else { return Ok(false) };
            match part {
                Token::Text(id) => adding.acknowledged(message_id(id)?),
                Token::Line([b'-', ..]) => {
                    adding.refused = true;
                    adding.entries.pop_front();
                }
                _ => return Err(no_id()),
            }
            self.buffer.advance(length);
            self.pending_replies -= 1;
        }
        while let Some(registry) = adding.registries.pop_front() {
            let Some(reply) = self.whole()? else {
                adding.registries.push_front(registry);
                return Ok(false);
            };
            match reply.extract_error() {
                Ok(notes) => adding.notes.push((registry, Notes::from_redis_value(notes)?)),
                Err(_) => adding.refused = true,
            }
        }
        Ok(true)
    }

    fn id(&mut self) -> RedisResult<Option<MessageId>> {
        let Some((part, length)) = token(&self.buffer).inspect_err(|_| self.broken = true)? else { return Ok(None) };
        let id = match part {
            Token::Text(id) => message_id(id),
            Token::Line(line @ [b'-', ..]) => return Err(refused(line)),
            _ => Err(no_id()),
        };
        let id = id.inspect_err(|_| self.broken = true)?;
        self.buffer.advance(length);
        self.pending_replies -= 1;
        Ok(Some(id))
    }
}

/// Writes the commands of all these messages.
pub(crate) fn encode(
    target: impl Fn(&StreamName) -> Target,
    messages: &[NewMessage],
    commands: &mut Vec<u8>,
) -> Adding {
    let (mut rest, mut adding, mut encoder) = (messages, Adding::default(), Encoder::new(target));
    while !rest.is_empty() {
        rest = encoder.encode(rest, commands, &mut adding);
    }
    encoder.checks(commands, &mut adding);
    adding
}

fn message_id(text: &[u8]) -> RedisResult<MessageId> {
    std::str::from_utf8(text).ok().and_then(|id| id.parse().ok()).ok_or_else(no_id)
}

fn no_id() -> RedisError {
    malformed("the reply to XADD is not an id")
}

/// Writes the commands. The part before the payload is the same for all messages of a stream, and is built once.
struct Encoder<'a, T> {
    target: T,
    streams: BTreeMap<&'a StreamName, Heads>,
}

/// The beginnings of the commands for one stream.
struct Heads {
    one: Vec<u8>,
    several: Vec<u8>,
    registry: Option<String>,
    has_packs: bool,
}

impl Heads {
    fn of(Target { key, registry }: Target) -> Self {
        Self { one: head(&key, ONE), several: head(&key, SEVERAL), registry, has_packs: false }
    }

    /// Writes the entry of these messages.
    fn write(&mut self, messages: &[NewMessage], commands: &mut Vec<u8>) {
        match messages {
            [NewMessage { payload, .. }] => {
                commands.extend_from_slice(&self.one);
                text(payload.as_str(), commands);
            }
            several => {
                self.has_packs = true;
                let bytes: usize = several.iter().map(|message| message.payload.as_str().len() + 1).sum();
                commands.extend_from_slice(&self.several);
                length(bytes - 1, commands);
                for (nth, NewMessage { payload, .. }) in several.iter().enumerate() {
                    if nth > 0 {
                        commands.push(SEPARATOR);
                    }
                    commands.extend_from_slice(payload.as_str().as_bytes());
                }
                commands.extend_from_slice(b"\r\n");
            }
        }
    }
}

impl<'a, T: Fn(&StreamName) -> Target> Encoder<'a, T> {
    fn new(target: T) -> Self {
        Self { target, streams: BTreeMap::new() }
    }

    /// One pipeline. Returns the messages that it has no room for.
    fn encode(&mut self, messages: &'a [NewMessage], commands: &mut Vec<u8>, adding: &mut Adding) -> &'a [NewMessage] {
        let (mut rest, mut entries, begin) = (messages, 0, commands.len());
        for same in messages.chunk_by(|one, next| one.stream == next.stream) {
            let stream = &same[0].stream;
            let heads = self.streams.entry(stream).or_insert_with(|| Heads::of((self.target)(stream)));
            let mut same = same;
            while !same.is_empty() {
                if entries == CHUNK || (heads.has_packs && commands.len() - begin >= PIPELINE) {
                    return rest;
                }
                let len = if heads.registry.is_some() { pack::fitting(same.iter().map(Line::from)) } else { 1 };
                heads.write(&same[..len], commands);
                // At most what an entry holds.
                adding.entries.push_back(u32::try_from(len).unwrap_or(u32::MAX));
                (same, rest, entries) = (&same[len..], &rest[len..], entries + 1);
            }
        }
        rest
    }

    /// Reads the registries of the streams to which packs were written.
    fn checks(&mut self, commands: &mut Vec<u8>, adding: &mut Adding) {
        for heads in self.streams.values_mut().filter(|heads| heads.has_packs) {
            if let Some(registry) = heads.registry.take() {
                commands.extend_from_slice(b"*2\r\n$5\r\nHVALS\r\n");
                text(&registry, commands);
                adding.registries.push_back(registry);
            }
        }
    }
}

fn head(key: &str, field: &str) -> Vec<u8> {
    let mut head = b"*5\r\n$4\r\nXADD\r\n".to_vec();
    text(key, &mut head);
    head.extend_from_slice(b"$1\r\n*\r\n");
    text(field, &mut head);
    head
}

fn text(text: &str, commands: &mut Vec<u8>) {
    length(text.len(), commands);
    commands.extend_from_slice(text.as_bytes());
    commands.extend_from_slice(b"\r\n");
}

fn length(bytes: usize, commands: &mut Vec<u8>) {
    commands.push(b'$');
    commands.extend_from_slice(itoa::Buffer::new().format(bytes).as_bytes());
    commands.extend_from_slice(b"\r\n");
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::Payload;

    fn message((stream, payload): (&str, &str)) -> NewMessage {
        NewMessage::new(StreamName::new(stream).unwrap(), Payload::from_json(payload).unwrap())
    }

    #[test]
    fn commands_are_written_as_the_client_library_writes_them() {
        let messages = [("a", "\"ä\""), ("a", "1"), ("b", "[0, 1]"), ("a", "null")].map(message);
        let key = |stream: &StreamName| format!("key-of-{stream}");
        let mut pipeline = redis::pipe();
        for NewMessage { stream, payload } in &messages {
            pipeline.cmd("XADD").arg(key(stream)).arg("*").arg("payload").arg(payload.as_str());
        }
        let (mut commands, mut adding) = (Vec::new(), Adding::default());
        let mut encoder = Encoder::new(|stream: &StreamName| Target { key: key(stream), registry: None });
        assert!(encoder.encode(&messages, &mut commands, &mut adding).is_empty());
        encoder.checks(&mut commands, &mut adding);
        assert_eq!(commands, pipeline.get_packed_pipeline());
        assert_eq!((adding.entries, adding.registries.len()), ([1; 4].into(), 0));
    }

    #[test]
    fn streams_whose_readers_read_packs_get_them() {
        let messages =
            [("a", "1"), ("a", "2"), ("b", "3"), ("b", "4"), ("a", "5"), ("a", "6"), ("a", "[\n]")].map(message);
        let mut pipeline = redis::pipe();
        for (key, field, value) in
            [("a", SEVERAL, "1\n2"), ("b", ONE, "3"), ("b", ONE, "4"), ("a", SEVERAL, "5\n6"), ("a", ONE, "[\n]")]
        {
            pipeline.cmd("XADD").arg(key).arg("*").arg(field).arg(value);
        }
        pipeline.cmd("HVALS").arg("readers-of-a");
        let (mut commands, mut adding) = (Vec::new(), Adding::default());
        let target = |stream: &StreamName| Target {
            key: stream.to_string(),
            registry: (stream.as_str() == "a").then(|| "readers-of-a".to_owned()),
        };
        let mut encoder = Encoder::new(target);
        assert!(encoder.encode(&messages, &mut commands, &mut adding).is_empty());
        encoder.checks(&mut commands, &mut adding);
        assert_eq!(commands, pipeline.get_packed_pipeline());
        assert_eq!(
            (&adding.entries, &adding.registries),
            (&[2, 1, 1, 2, 1].into(), &["readers-of-a".to_owned()].into())
        );
        for id in 1..=5 {
            adding.acknowledged(MessageId::new(id, 0));
        }
        let ids: Vec<_> = adding.ids.iter().map(ToString::to_string).collect();
        assert_eq!(ids, ["1-0-0", "1-0", "2-0", "3-0", "4-0-0", "4-0", "5-0"]);
        assert!(adding.sure().is_empty(), "their readers were not seen");
    }
}
