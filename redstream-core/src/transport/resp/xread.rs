//! The reply to an `XREAD` of one stream, parsed into entries while it arrives.
//!
//! The size of entries is known only once they are read, and Redis sends a reply as a whole. What arrives beyond the
//! budget is skipped, and read again later: so the memory used here is bounded.

use bytes::Bytes;
use redis::RedisResult;

use super::token::{Token, malformed};
use crate::message::MessageId;
use crate::message::entry::{Entry, Field};
use crate::message::trace::TraceParent;

/// The depth of each part in `[[stream, [[id, [field, value, …]], …]]]`.
mod depth {
    pub(super) const STREAMS: usize = 0;
    pub(super) const STREAM: usize = 1;
    pub(super) const NAME_AND_ENTRIES: usize = 2;
    pub(super) const ENTRY: usize = 3;
    pub(super) const ID_AND_FIELDS: usize = 4;
    pub(super) const FIELD: usize = 5;
}

/// The part that has arrived so far.
#[derive(Debug, Default)]
pub(super) struct XreadReply {
    entries: Vec<Entry>,
    /// How many parts are still to come, per level.
    open: Vec<usize>,
    id: Option<MessageId>,
    /// The first field with payloads, and its value.
    payload: Option<(Field, Bytes)>,
    /// The only consumer that the entry is for.
    consumer: Option<Vec<u8>>,
    trace: TraceParent,
    /// The field of the next value, if it matters.
    next: Option<Field>,
    /// The remaining budget, in bytes.
    room: usize,
}

/// The longest name that a consumer can have.
const LONGEST_NAME: usize = 255;

impl XreadReply {
    pub(super) fn within(budget: usize) -> Self {
        Self { room: budget, ..Self::default() }
    }

    pub(super) fn into_entries(self) -> Vec<Entry> {
        self.entries
    }

    /// Takes the next part. Returns whether it was the last.
    pub(super) fn take(&mut self, token: Token<'_>) -> RedisResult<bool> {
        match (self.open.len(), token) {
            // Nil: the read timed out, or the entry was deleted meanwhile.
            (depth::STREAMS | depth::ID_AND_FIELDS, Token::Array(_) | Token::Nil)
            | (depth::STREAM, Token::Array(_))
            | (depth::NAME_AND_ENTRIES, Token::Text(_)) => {}
            (depth::NAME_AND_ENTRIES, Token::Array(entries)) => self.entries.reserve(entries.min(1024)),
            (depth::ENTRY, Token::Array(2)) => {
                (self.id, self.payload, self.consumer, self.next) = (None, None, None, None);
                self.trace = TraceParent::default();
            }
            (depth::ID_AND_FIELDS, Token::Text(id)) => {
                let id = std::str::from_utf8(id).ok().and_then(|id| id.parse().ok());
                self.id = Some(id.ok_or_else(|| malformed("the id of an entry is not an id"))?);
            }
            (depth::FIELD, Token::Text(text)) => self.field(text),
            _ => return Err(malformed("it is not what XREAD returns")),
        }
        self.step(token)
    }

    /// Names and values alternate.
    fn field(&mut self, text: &[u8]) {
        let is_value = self.open.last().is_some_and(|left| left % 2 == 1);
        if !is_value {
            self.next = Field::of(text).filter(|field| *field == Field::Consumer || self.payload.is_none());
        } else if self.room > 0 {
            match self.next {
                Some(Field::Consumer) if text.len() <= LONGEST_NAME => self.consumer = Some(text.to_vec()),
                Some(Field::Trace) => self.trace = TraceParent::read(text),
                Some(field @ (Field::One | Field::Several)) => {
                    self.payload = Some((field, Bytes::copy_from_slice(text)));
                }
                _ => {}
            }
        }
    }

    fn step(&mut self, token: Token<'_>) -> RedisResult<bool> {
        if let Token::Array(parts @ 1..) = token {
            self.open.push(parts);
            return Ok(false);
        }
        while let Some(left) = self.open.last_mut() {
            *left -= 1;
            if *left > 0 {
                return Ok(false);
            }
            self.open.pop();
            if self.open.len() == depth::ENTRY {
                self.end_of_entry()?;
            }
        }
        Ok(true)
    }

    fn end_of_entry(&mut self) -> RedisResult<()> {
        let id = self.id.take().ok_or_else(|| malformed("an entry has no id"))?;
        // Once the budget is exceeded, no later entry may be taken either.
        if self.room > 0 {
            let entry = Entry::of(id, self.payload.take()).only_for(self.consumer.take().as_deref());
            let entry = entry.traced(std::mem::take(&mut self.trace));
            self.room = self.room.saturating_sub(entry.bytes());
            self.entries.push(entry);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::super::read;
    use super::*;

    fn text(text: &str) -> String {
        format!("${}\r\n{text}\r\n", text.len())
    }

    fn reply(entries: &[(&str, &[&str])]) -> Vec<u8> {
        let mut reply = format!("*1\r\n*2\r\n{}*{}\r\n", text("stream"), entries.len());
        for (id, fields) in entries {
            reply.extend(["*2\r\n".to_owned(), text(id), format!("*{}\r\n", fields.len())]);
            reply.extend(fields.iter().map(|field| text(field)));
        }
        reply.into_bytes()
    }

    fn entry(id: &str, payload: Option<&str>) -> Entry {
        let payload = payload.map(|payload| (Field::One, Bytes::copy_from_slice(payload.as_bytes())));
        Entry::of(id.parse().unwrap(), payload)
    }

    #[test]
    fn an_entry_has_the_value_of_its_first_field_with_payloads() {
        let bytes = reply(&[
            ("1-1", &["payload", "a"]),
            ("1-2", &["other", "payload", "payload", "b", "payload", "c"]),
            ("1-3", &["other", "b"]),
            ("1-4", &["payloads", "a\nb", "payload", "c"]),
            ("1-5", &["payload", "a\nb", "payloads", "c"]),
        ]);
        let entries = read(&bytes, 1000).unwrap();
        let several = Entry::several(MessageId::new(1, 4), "a\nb");
        assert_eq!(entries[..3], [entry("1-1", Some("a")), entry("1-2", Some("b")), entry("1-3", None)]);
        assert_eq!(entries[3..], [several, entry("1-5", Some("a\nb"))]);
    }

    #[test]
    fn an_entry_can_be_for_one_consumer_alone() {
        let bytes = reply(&[("1-1", &["consumer", "search", "payload", "a"]), ("1-2", &["payload", "b"])]);
        let entries = read(&bytes, 1000).unwrap();
        assert_eq!(entries[0], entry("1-1", Some("a")).only_for(Some(b"search")));
        let messages: Vec<_> = entries.into_iter().flatten().collect();
        assert!(messages[0].is_for("search") && !messages[0].is_for("cache"));
        assert!(messages[1].is_for("search") && messages[1].is_for("cache"));
    }

    #[test]
    fn nothing_and_deleted_entries_are_understood() {
        assert_eq!(read(b"*-1\r\n", 1).unwrap(), []);
        assert_eq!(read(b"*0\r\n", 1).unwrap(), []);
        let deleted = b"*1\r\n*2\r\n$1\r\ns\r\n*2\r\n*2\r\n$3\r\n1-1\r\n*-1\r\n*2\r\n$3\r\n1-2\r\n*0\r\n";
        assert_eq!(read(deleted, 1).unwrap(), [entry("1-1", None), entry("1-2", None)]);
    }

    #[test]
    fn beyond_the_budget_nothing_is_held_and_nothing_skipped() {
        let bytes = reply(&[("1-1", &["payload", "aaa"]), ("1-2", &["payload", "bbb"]), ("1-3", &["payload", ""])]);
        assert_eq!(read(&bytes, 1).unwrap(), [entry("1-1", Some("aaa"))]);
        assert_eq!(read(&bytes, 4).unwrap().len(), 2);
        assert_eq!(read(&bytes, 7).unwrap().len(), 3);
    }

    #[test]
    fn another_reply_is_an_error() {
        for bytes in [
            &b"+OK\r\n"[..],
            b"*1\r\n$1\r\nx\r\n",
            b"*1\r\n*2\r\n$1\r\ns\r\n*1\r\n*1\r\n$3\r\n1-1\r\n",
            b"*1\r\n*2\r\n$1\r\ns\r\n*1\r\n*2\r\n$1\r\nx\r\n*0\r\n",
            b"*1\r\n*2\r\n$1\r\ns\r\n*1\r\n*2\r\n*0\r\n*0\r\n",
        ] {
            assert!(read(bytes, 1).is_err(), "{}", String::from_utf8_lossy(bytes));
        }
    }
}
