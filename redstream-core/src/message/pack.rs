//! Packs: several messages of one stream in one entry, which costs Redis and its memory a fraction of as many entries.

use std::borrow::Cow;

use crate::message::entry::SEPARATOR;
use crate::message::{MessageId, NewMessage, Payload};

/// The messages of an entry. With 100 instead of 1, Redis spends a fortieth of the time on adding a message; more than
/// that gains less than reading and writing them costs on our side.
const MOST: usize = 100;

/// The bytes of an entry with several messages. A longer payload is written alone.
const BYTES: usize = 16 << 10;

/// One payload, as far as it matters here.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Line {
    bytes: usize,
    /// It contains the separator, and so must be alone.
    is_broken: bool,
}

impl Line {
    pub(crate) fn of(payload: &[u8]) -> Self {
        Self { bytes: payload.len(), is_broken: memchr::memchr(SEPARATOR, payload).is_some() }
    }
}

impl From<&NewMessage> for Line {
    fn from(message: &NewMessage) -> Self {
        Self { bytes: message.payload.as_str().len(), is_broken: !message.payload.is_line() }
    }
}

/// How many of these, at the front, form one entry: at least one, if there are any.
pub(crate) fn fitting(lines: impl IntoIterator<Item = Line>) -> usize {
    let (mut count, mut room) = (0, BYTES);
    for Line { bytes, is_broken } in lines {
        let needed = bytes + usize::from(count > 0);
        let is_first = count == 0;
        if !is_first && (is_broken || needed > room) {
            break;
        }
        count += 1;
        room = room.saturating_sub(needed);
        if is_broken || count == MOST {
            break;
        }
    }
    count
}

/// The text of an entry with these payloads.
pub(crate) fn text<'a>(payloads: impl Iterator<Item = &'a Payload> + Clone) -> Cow<'a, str> {
    if let Some(text) = Payload::joined(payloads.clone()) {
        return Cow::Borrowed(text);
    }
    let mut text = String::new();
    for (nth, payload) in payloads.enumerate() {
        if nth > 0 {
            text.push(char::from(SEPARATOR));
        }
        text.push_str(payload.as_str());
    }
    Cow::Owned(text)
}

/// The ids of the messages in entries with these ids, which hold so many each.
pub(crate) fn ids(entries: impl Iterator<Item = (MessageId, usize)>) -> impl Iterator<Item = MessageId> {
    entries.flat_map(|(id, len)| {
        let len = u32::try_from(len).unwrap_or(u32::MAX);
        (0..len).map(move |index| id.nth(index, len))
    })
}

/// Splits consecutive messages of one stream into entries; of one message each if they may not share them.
pub(crate) fn entries<T>(mut rest: &[T], may_share: bool, line: impl Fn(&T) -> Line) -> impl Iterator<Item = &[T]> {
    std::iter::from_fn(move || {
        let len = if may_share { fitting(rest.iter().map(&line)) } else { rest.len().min(1) };
        let (entry, others) = rest.split_at(len);
        rest = others;
        (!entry.is_empty()).then_some(entry)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sizes(payloads: &[&[u8]]) -> Vec<usize> {
        entries(payloads, true, |payload| Line::of(payload)).map(<[_]>::len).collect()
    }

    #[test]
    fn an_entry_holds_a_hundred_messages_or_sixteen_kibibytes() {
        assert_eq!(sizes(&[]), [0; 0]);
        assert_eq!(sizes(&[&b"1"[..]; 250]), [100, 100, 50]);
        let quarter = &[b'1'; BYTES / 4][..];
        assert_eq!(sizes(&[quarter; 5]), [3, 2], "with their separators four do not fit");
        assert_eq!(sizes(&[b"1", &[b'1'; BYTES], b"2", b"3", &[b'1'; BYTES - 3]]), [1, 1, 2, 1]);
        assert_eq!(sizes(&[b"1", &[b'1'; BYTES - 2], b"3"]), [2, 1]);
    }

    #[test]
    fn a_payload_with_a_line_break_is_alone() {
        assert_eq!(sizes(&[b"1", b"2", b"[\n]", b"3", b"4"]), [2, 1, 2]);
        assert_eq!(sizes(&[b"\n", b"\n"]), [1, 1]);
    }
}
