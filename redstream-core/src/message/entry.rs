//! Entries of a stream: Redis stores these, and each holds one message or several.
//!
//! One message is the field `payload`. Several are the field `payloads`: their JSON texts, one per line. JSON as we
//! write it contains no line break.

use bytes::Bytes;

use crate::message::trace::{TRACE, TraceParent};
use crate::message::{CONSUMER, Message, MessageId};

/// The field of an entry that holds one message.
pub(crate) const ONE: &str = "payload";

/// The field of an entry that holds several.
pub(crate) const SEVERAL: &str = "payloads";

/// What separates them.
pub(crate) const SEPARATOR: u8 = b'\n';

/// The field of an entry that was read, and matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Field {
    One,
    Several,
    Consumer,
    Trace,
}

impl Field {
    /// `None`: it is another one.
    pub(crate) fn of(name: &[u8]) -> Option<Self> {
        match name {
            name if name == ONE.as_bytes() => Some(Self::One),
            name if name == SEVERAL.as_bytes() => Some(Self::Several),
            name if name == CONSUMER.as_bytes() => Some(Self::Consumer),
            name if cfg!(feature = "otel") && name == TRACE.as_bytes() => Some(Self::Trace),
            _ => None,
        }
    }
}

/// An entry as it was read. Its messages are made when they are asked for, and share its memory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Entry {
    id: MessageId,
    /// `None`: it has neither field.
    payloads: Option<Bytes>,
    /// The messages that are not taken yet.
    left: u32,
    taken: u32,
    /// The only consumer that it is for.
    consumer: Option<Box<str>>,
    trace: TraceParent,
}

impl Entry {
    /// Without a payload: none of our writers makes such an entry.
    pub(crate) fn empty(id: MessageId) -> Self {
        Self { id, payloads: None, left: 1, taken: 0, consumer: None, trace: TraceParent::default() }
    }

    /// With the value of the field `payload`.
    pub(crate) fn one(id: MessageId, payload: impl Into<Bytes>) -> Self {
        Self { payloads: Some(payload.into()), ..Self::empty(id) }
    }

    /// With the value of the field `payloads`.
    pub(crate) fn several(id: MessageId, payloads: impl Into<Bytes>) -> Self {
        let payloads = payloads.into();
        let breaks = memchr::memchr_iter(SEPARATOR, &payloads).count();
        // A text of 4 GiB is larger than any that Redis stores.
        let left = u32::try_from(breaks).unwrap_or(u32::MAX - 1) + 1;
        Self { left, ..Self::one(id, payloads) }
    }

    /// With the value of that field, if it has one of the two.
    pub(crate) fn of(id: MessageId, payload: Option<(Field, Bytes)>) -> Self {
        match payload {
            Some((Field::Several, payloads)) => Self::several(id, payloads),
            Some((_, payload)) => Self::one(id, payload),
            None => Self::empty(id),
        }
    }

    /// For this consumer only; for all if `None`.
    pub(crate) fn only_for(mut self, consumer: Option<&[u8]>) -> Self {
        self.consumer = consumer.and_then(|name| std::str::from_utf8(name).ok()).map(Into::into);
        self
    }

    /// Written in that span.
    pub(crate) fn traced(mut self, trace: TraceParent) -> Self {
        self.trace = trace;
        self
    }

    /// The id that Redis assigned to it.
    pub(crate) fn id(&self) -> MessageId {
        self.id
    }

    /// The id of the message that is taken next.
    pub(crate) fn next_id(&self) -> Option<MessageId> {
        (self.left > 0).then(|| self.id.nth(self.taken, self.taken + self.left))
    }

    /// The bytes of its messages.
    pub(crate) fn bytes(&self) -> usize {
        self.payloads.as_ref().map_or(0, Bytes::len)
    }
}

/// Its messages, in order.
impl Iterator for Entry {
    type Item = Message;

    fn next(&mut self) -> Option<Message> {
        let id = self.next_id()?;
        (self.left, self.taken) = (self.left - 1, self.taken + 1);
        let payload = match &mut self.payloads {
            Some(rest) if self.left > 0 => {
                let end = memchr::memchr(SEPARATOR, rest).unwrap_or(rest.len());
                let payload = rest.split_to(end);
                // The separator.
                let _ = rest.split_to(rest.len().min(1));
                Some(payload)
            }
            last => last.take(),
        };
        Some(Message { id, payload, consumer: self.consumer.clone(), trace: self.trace.clone() })
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.left as usize, Some(self.left as usize))
    }
}

impl ExactSizeIterator for Entry {}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: MessageId = MessageId::new(5, 3);

    fn taken(entry: Entry) -> Vec<(String, String)> {
        let text = |message: &Message| String::from_utf8_lossy(message.raw()).into_owned();
        entry.map(|message| (message.id().to_string(), text(&message))).collect()
    }

    fn pairs(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
        pairs.iter().map(|(id, payload)| ((*id).to_owned(), (*payload).to_owned())).collect()
    }

    #[test]
    fn the_last_message_has_the_id_of_the_entry() {
        assert_eq!(taken(Entry::one(ID, "1\n2")), pairs(&[("5-3", "1\n2")]));
        assert_eq!(taken(Entry::several(ID, "1")), pairs(&[("5-3", "1")]));
        assert_eq!(taken(Entry::several(ID, "1\n2\n3")), pairs(&[("5-3-0", "1"), ("5-3-1", "2"), ("5-3", "3")]));
        assert_eq!(taken(Entry::several(ID, "\n")), pairs(&[("5-3-0", ""), ("5-3", "")]));
        assert_eq!(taken(Entry::empty(ID)), pairs(&[("5-3", "")]));
        assert_eq!(Entry::empty(ID).next().unwrap().bytes(), None);
    }

    #[test]
    fn messages_that_were_taken_are_not_left() {
        let mut entry = Entry::several(ID, "1\n2\n3").only_for(Some(b"search"));
        assert_eq!((entry.len(), entry.bytes()), (3, 5));
        assert!(entry.by_ref().take(2).all(|message| message.is_for("search") && !message.is_for("cache")));
        assert_eq!(entry.len(), 1);
        assert_eq!(taken(entry), pairs(&[("5-3", "3")]));
    }
}
