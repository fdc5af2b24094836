//! The reply to an `XREAD` of one stream, parsed into messages while it arrives.
//!
//! The size of messages is known only once they are read, and Redis sends a reply as a whole. What arrives beyond the
//! budget is skipped, and read again later: so the memory used here is bounded.

use redis::RedisResult;

use super::token::{Token, malformed};
use crate::message::{CONSUMER, Message, MessageId};

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
    messages: Vec<Message>,
    /// How many parts are still to come, per level.
    open: Vec<usize>,
    id: Option<MessageId>,
    payload: Option<Vec<u8>>,
    /// The only consumer that the entry is for.
    consumer: Option<Vec<u8>>,
    /// The meaning of the next value.
    next: Next,
    /// The remaining budget, in bytes.
    room: usize,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Next {
    #[default]
    Other,
    Payload,
    Consumer,
}

/// The longest name that a consumer can have.
const LONGEST_NAME: usize = 255;

impl XreadReply {
    pub(super) fn within(budget: usize) -> Self {
        Self { room: budget, ..Self::default() }
    }

    pub(super) fn into_messages(self) -> Vec<Message> {
        self.messages
    }

    /// Takes the next part. Returns whether it was the last.
    pub(super) fn take(&mut self, token: Token<'_>) -> RedisResult<bool> {
        match (self.open.len(), token) {
            // Nil: the read timed out, or the entry was deleted meanwhile.
            (depth::STREAMS | depth::ID_AND_FIELDS, Token::Array(_) | Token::Nil)
            | (depth::STREAM, Token::Array(_))
            | (depth::NAME_AND_ENTRIES, Token::Text(_)) => {}
            (depth::NAME_AND_ENTRIES, Token::Array(entries)) => self.messages.reserve(entries.min(1024)),
            (depth::ENTRY, Token::Array(2)) => {
                (self.id, self.payload, self.consumer, self.next) = (None, None, None, Next::Other);
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
            self.next = match text {
                b"payload" if self.payload.is_none() => Next::Payload,
                name if name == CONSUMER.as_bytes() => Next::Consumer,
                _ => Next::Other,
            };
        } else if self.room > 0 {
            match self.next {
                Next::Payload => self.payload = Some(text.to_vec()),
                Next::Consumer if text.len() <= LONGEST_NAME => self.consumer = Some(text.to_vec()),
                Next::Consumer | Next::Other => {}
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
        // Once the budget is exceeded, no later message may be taken either.
        if self.room > 0 {
            let payload = self.payload.take();
            self.room = self.room.saturating_sub(payload.as_ref().map_or(0, Vec::len));
            self.messages.push(Message::new(id, payload).only_for(self.consumer.take().as_deref()));
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

    fn message(id: &str, payload: Option<&str>) -> Message {
        Message::new(id.parse().unwrap(), payload.map(|payload| payload.as_bytes().to_vec()))
    }

    #[test]
    fn entries_become_messages() {
        let bytes = reply(&[
            ("1-1", &["payload", "a"]),
            ("1-2", &["other", "payload", "payload", "b", "payload", "c"]),
            ("1-3", &["other", "b"]),
        ]);
        let messages = read(&bytes, 1000).unwrap();
        assert_eq!(messages, [message("1-1", Some("a")), message("1-2", Some("b")), message("1-3", None)]);
    }

    #[test]
    fn an_entry_can_be_for_one_consumer_alone() {
        let bytes = reply(&[("1-1", &["consumer", "search", "payload", "a"]), ("1-2", &["payload", "b"])]);
        let messages = read(&bytes, 1000).unwrap();
        assert_eq!(messages[0], message("1-1", Some("a")).only_for(Some(b"search")));
        assert!(messages[0].is_for("search") && !messages[0].is_for("cache"));
        assert!(messages[1].is_for("search") && messages[1].is_for("cache"));
    }

    #[test]
    fn nothing_and_deleted_entries_are_understood() {
        assert_eq!(read(b"*-1\r\n", 1).unwrap(), []);
        assert_eq!(read(b"*0\r\n", 1).unwrap(), []);
        let deleted = b"*1\r\n*2\r\n$1\r\ns\r\n*2\r\n*2\r\n$3\r\n1-1\r\n*-1\r\n*2\r\n$3\r\n1-2\r\n*0\r\n";
        assert_eq!(read(deleted, 1).unwrap(), [message("1-1", None), message("1-2", None)]);
    }

    #[test]
    fn beyond_the_budget_nothing_is_held_and_nothing_skipped() {
        let bytes = reply(&[("1-1", &["payload", "aaa"]), ("1-2", &["payload", "bbb"]), ("1-3", &["payload", ""])]);
        assert_eq!(read(&bytes, 1).unwrap(), [message("1-1", Some("aaa"))]);
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
