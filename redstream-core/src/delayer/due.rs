//! Which of the delay messages that were read are due, and their main messages.

use std::collections::HashSet;

use crate::message::pack::{self, Line};
use crate::message::{Message, MessageId};

/// The due ones of a batch: its first ones, since a stream is in the order of time.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Due<'a> {
    /// How many they are.
    pub(super) count: u64,
    /// The last of them; `0-0` if there are none.
    pub(super) last: MessageId,
    /// The payloads to queue, each once. A field next to the payload, which none of our writers adds, is dropped.
    pub(super) payloads: Vec<&'a [u8]>,
    /// Messages without a payload, which become dead letters: none of our writers adds such messages.
    pub(super) without: Vec<MessageId>,
}

impl<'a> Due<'a> {
    /// At this time, both in milliseconds.
    pub(super) fn of(batch: &'a [Message], now: u64, delay: u64) -> Self {
        let mut due = Self::default();
        let mut known = HashSet::with_capacity(batch.len());
        for message in batch.iter().take_while(|message| message.id().ms.saturating_add(delay) <= now) {
            (due.count, due.last) = (due.count + 1, message.id());
            match message.bytes() {
                Some(payload) if known.insert(payload) => due.payloads.push(payload),
                Some(_) => {}
                None => due.without.push(message.id()),
            }
        }
        due
    }

    /// The entries to add for them, each of one message or, if they may share entries, of several.
    pub(super) fn entries(&self, may_share: bool) -> impl Iterator<Item = &[&'a [u8]]> {
        pack::entries(&self.payloads, may_share, |payload| Line::of(payload))
    }

    /// Messages added for them.
    pub(super) fn queued(&self) -> u64 {
        self.payloads.len() as u64
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::entry::Entry;

    fn message(ms: u64, seq: u64, payload: Option<&'static str>) -> Message {
        let id = MessageId::new(ms, seq);
        payload.map_or(Entry::empty(id), |payload| Entry::one(id, payload)).next().unwrap()
    }

    #[test]
    fn the_first_ones_are_due_up_to_the_millisecond() {
        let batch = [message(1, 0, Some("a")), message(2, 0, Some("b")), message(2, 9, Some("c")), message(3, 0, None)];
        let last = |now| Due::of(&batch, now, 10).last;
        assert_eq!([10, 11, 12, 13].map(last), [MessageId::MIN, batch[0].id(), batch[2].id(), batch[3].id()]);
        assert_eq!(Due::of(&batch, 13, 10).count, 4);
        assert_eq!(Due::of(&batch, u64::MAX - 1, u64::MAX), Due::default());
        assert_eq!(Due::of(&[], 13, 10), Due::default());
    }

    #[test]
    fn an_equal_payload_goes_once_and_an_entry_without_goes_aside() {
        let batch = [message(1, 0, Some("a")), message(1, 1, None), message(1, 2, Some("a")), message(1, 3, None)];
        let due = Due::of(&batch, 1, 0);
        assert_eq!((due.count, due.queued()), (4, 1));
        assert_eq!(due.payloads, [b"a"]);
        assert_eq!(due.without, [batch[1].id(), batch[3].id()]);
    }
}
