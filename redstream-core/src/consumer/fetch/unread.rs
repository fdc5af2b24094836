//! Entries that were read, and are given out in batches.
//!
//! Redis counts entries, and a batch counts messages. So a read can bring more messages than a batch may have; the rest
//! is kept for the next batches, as bytes of one reply, which the budget of that reply bounds.

use std::collections::VecDeque;

use super::Limits;
use crate::message::entry::Entry;
use crate::message::{Message, MessageId};

/// Only a cache: without it the next batch is read again.
#[derive(Clone, Debug, Default)]
pub(super) struct Unread {
    /// The last message that was given out.
    after: MessageId,
    /// Oldest first, none of them empty.
    entries: VecDeque<Entry>,
}

impl Unread {
    pub(super) fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Replaces what was left by the entries that a read behind [`after.offset()`](MessageId::offset) brought.
    pub(super) fn put(&mut self, after: MessageId, entries: Vec<Entry>) {
        self.after = after;
        self.entries = entries.into();
        if let Some(first) = self.entries.front_mut() {
            while first.next_id().is_some_and(|id| id <= after) {
                first.next();
            }
        }
    }

    /// The messages after `after`, if they are here: whole entries, as many as fit. An entry that has more messages
    /// than a batch is given out in parts, or whole if the limits say so.
    pub(super) fn batch(&mut self, after: MessageId, limits: Limits) -> Vec<Message> {
        let mut batch = Vec::new();
        if after != self.after {
            self.entries.clear();
        }
        while let Some(entry) = self.entries.front_mut() {
            let room = limits.most - batch.len().min(limits.most);
            if entry.len() <= room || (batch.is_empty() && limits.whole_entries) {
                batch.reserve(entry.len());
                batch.extend(entry);
                self.entries.pop_front();
            } else if batch.is_empty() {
                batch.extend(entry.take(room));
            } else {
                break;
            }
            if batch.len() >= limits.most {
                break;
            }
        }
        self.after = batch.last().map_or(after, Message::id);
        batch
    }
}

/// How many messages are in these entries.
pub(super) fn messages(entries: &[Entry]) -> usize {
    entries.iter().map(Entry::len).sum()
}

/// How many entries hold this many messages, if they are as full as those of the last read. At least one.
pub(super) fn entries_for(messages_wanted: usize, last: &[Entry]) -> usize {
    match messages(last) {
        0 => messages_wanted,
        messages => messages_wanted.saturating_mul(last.len()) / messages,
    }
    .max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entries(sizes: &[usize]) -> Vec<Entry> {
        let text = |size: usize| vec!["1"; size].join("\n");
        let id = |at: usize| MessageId::new(at as u64 + 1, 0);
        sizes.iter().enumerate().map(|(at, size)| Entry::several(id(at), text(*size))).collect()
    }

    fn limits(most: usize) -> Limits {
        Limits { most, budget: 1000, whole_entries: false }
    }

    /// The ids of the first and the last message of each batch.
    fn batches(sizes: &[usize], limits: Limits, mut after: MessageId) -> Vec<String> {
        let (mut unread, mut batches) = (Unread::default(), Vec::new());
        unread.put(after, entries(sizes));
        while !unread.is_empty() {
            let batch = unread.batch(after, limits);
            after = batch.last().unwrap().id();
            batches.push(format!("{}..{after} ({})", batch[0].id(), batch.len()));
        }
        batches
    }

    #[test]
    fn a_batch_has_whole_entries_as_long_as_there_is_room() {
        assert_eq!(batches(&[1, 1, 1], limits(2), MessageId::MIN), ["1-0..2-0 (2)", "3-0..3-0 (1)"]);
        assert_eq!(batches(&[3, 2, 4, 1], limits(5), MessageId::MIN), ["1-0-0..2-0 (5)", "3-0-0..4-0 (5)"]);
        assert_eq!(batches(&[3, 3, 1], limits(5), MessageId::MIN), ["1-0-0..1-0 (3)", "2-0-0..3-0 (4)"]);
    }

    #[test]
    fn an_entry_with_more_messages_than_a_batch_comes_in_parts() {
        let parts = ["1-0-0..1-0-1 (2)", "1-0-2..1-0-3 (2)", "1-0..2-0 (2)"];
        assert_eq!(batches(&[5, 1], limits(2), MessageId::MIN), parts);
        let whole = Limits { whole_entries: true, ..limits(2) };
        assert_eq!(batches(&[5, 1, 2], whole, MessageId::MIN), ["1-0-0..1-0 (5)", "2-0..2-0 (1)", "3-0-0..3-0 (2)"]);
    }

    #[test]
    fn a_batch_goes_on_inside_an_entry() {
        assert_eq!(batches(&[5, 1], limits(9), MessageId::new(1, 0).inside(2)), ["1-0-3..2-0 (3)"]);
        assert_eq!(batches(&[5], limits(9), MessageId::new(1, 0).inside(9)), ["1-0..1-0 (1)"]);
        let mut unread = Unread::default();
        unread.put(MessageId::MIN, entries(&[2, 2]));
        assert_eq!(unread.batch(MessageId::new(1, 0), limits(9)), [], "another place: read it again");
        assert!(unread.is_empty());
    }

    #[test]
    fn as_many_entries_are_asked_for_as_hold_a_batch() {
        assert_eq!(entries_for(1000, &[]), 1000);
        assert_eq!(entries_for(1000, &entries(&[1, 1])), 1000);
        assert_eq!(entries_for(1000, &entries(&[100, 100])), 10);
        assert_eq!(entries_for(1000, &entries(&[100, 1, 1, 1])), 38);
        assert_eq!(entries_for(10, &entries(&[100])), 1);
    }
}
