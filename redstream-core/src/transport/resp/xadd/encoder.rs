//! The commands of `XADD` as bytes. The parts that all messages of a stream have in common are built once.

use std::collections::BTreeMap;

use super::Adding;
use crate::message::entry::{ONE, SEPARATOR, SEVERAL};
use crate::message::pack::{self, Line};
use crate::message::trace::{TRACE, TraceParent};
use crate::message::{NewMessage, Payload, StreamName};
use crate::transport::resp::CHUNK;

/// The bytes of a pipeline of packs, about.
const PIPELINE: usize = 64 << 10;

/// Where the messages of a stream are written.
#[derive(Clone, Debug)]
pub(crate) struct Target {
    pub(crate) key: String,
    /// The registry of its readers, if they read packs as far as is known: then packs are written.
    pub(crate) registry: Option<String>,
    pub(crate) trace: TraceParent,
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

/// Writes the commands. The part before the payload is the same for all messages of a stream, and is built once.
pub(super) struct Encoder<'a, T> {
    target: T,
    streams: BTreeMap<&'a StreamName, Heads>,
}

/// The beginnings of the commands for one stream.
struct Heads {
    one: Vec<u8>,
    /// Empty if no packs are written.
    several: Vec<u8>,
    registry: Option<String>,
    has_packs: bool,
}

impl Heads {
    fn of(Target { key, registry, trace }: Target) -> Self {
        let head = |field| head(&key, trace.text(), field);
        let several = if registry.is_some() { head(SEVERAL) } else { Vec::new() };
        Self { one: head(ONE), several, registry, has_packs: false }
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
                commands.extend_from_slice(&self.several);
                if let Some(joined) = Payload::joined(several.iter().map(|message| &message.payload)) {
                    text(joined, commands);
                    return;
                }
                let bytes: usize = several.iter().map(|message| message.payload.as_str().len() + 1).sum();
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
    pub(super) fn new(target: T) -> Self {
        Self { target, streams: BTreeMap::new() }
    }

    /// One pipeline. Returns the messages that it has no room for.
    pub(super) fn encode(
        &mut self,
        messages: &'a [NewMessage],
        commands: &mut Vec<u8>,
        adding: &mut Adding,
    ) -> &'a [NewMessage] {
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
    pub(super) fn checks(&mut self, commands: &mut Vec<u8>, adding: &mut Adding) {
        for heads in self.streams.values_mut().filter(|heads| heads.has_packs) {
            if let Some(registry) = heads.registry.take() {
                commands.extend_from_slice(b"*2\r\n$5\r\nHVALS\r\n");
                text(&registry, commands);
                adding.registries.push_back(registry);
            }
        }
    }
}

fn head(key: &str, trace: Option<&str>, field: &str) -> Vec<u8> {
    /// The fixed parts, and the lengths of texts.
    const FRAME: usize = 64;
    let traced = trace.map_or(0, |trace| FRAME + trace.len());
    let mut head = Vec::with_capacity(FRAME + key.len() + field.len() + traced);
    head.extend_from_slice(if trace.is_some() { b"*7" } else { b"*5" });
    head.extend_from_slice(b"\r\n$4\r\nXADD\r\n");
    text(key, &mut head);
    head.extend_from_slice(b"$1\r\n*\r\n");
    if let Some(trace) = trace {
        text(TRACE, &mut head);
        text(trace, &mut head);
    }
    text(field, &mut head);
    head
}

fn text(text: &str, commands: &mut Vec<u8>) {
    // With its length, which has 20 digits at most.
    commands.reserve(text.len() + 25);
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
    use crate::message::{MessageId, Payload};

    fn target(key: String, registry: Option<String>) -> Target {
        Target { key, registry, trace: TraceParent::default() }
    }

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
        let mut encoder = Encoder::new(|stream: &StreamName| target(key(stream), None));
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
        let target = |stream: &StreamName| {
            target(stream.to_string(), (stream.as_str() == "a").then(|| "readers-of-a".to_owned()))
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

    #[test]
    fn payloads_that_share_a_text_are_written_as_those_alone() {
        let commands = |payloads: &[Payload]| {
            let stream = StreamName::new("a").unwrap();
            let messages: Vec<_> =
                payloads.iter().map(|payload| NewMessage::new(stream.clone(), payload.clone())).collect();
            let target = |stream: &StreamName| target(stream.to_string(), Some("readers".to_owned()));
            let mut commands = Vec::new();
            let adding = encode(target, &messages, &mut commands);
            (commands, adding.entries)
        };
        let alone: Vec<_> = (0..250).map(|id| Payload::encode(&id).unwrap()).collect();
        let shared = Payload::encode_all(0..250).unwrap();
        assert_eq!(commands(&shared), commands(&alone));
        let gaps = |payloads: &[Payload]| payloads.iter().step_by(2).cloned().collect::<Vec<_>>();
        assert_eq!(commands(&gaps(&shared)), commands(&gaps(&alone)));
    }
}
