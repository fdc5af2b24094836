//! Messages that wait for a commit.

use std::collections::HashSet;

use foldhash::fast::RandomState;
use redstream_core::NewMessage;

/// A set of messages. Each save looks into two such sets: the standard library's hasher, which resists deliberate
/// collisions, takes a tenth of the time that a save adds (callgrind). This hasher is also seeded at random.
pub(crate) type MessageSet = HashSet<NewMessage, RandomState>;

/// Each message once, in the order of first insertion.
///
/// Messages that are known to differ are hashed only when another message is to be compared with them: a bulk operation
/// adds many at once, and mostly nothing else.
#[derive(Debug, Default)]
pub(crate) struct OrderedMessageSet {
    order: Vec<NewMessage>,
    /// Those that were hashed: the first of them.
    known: MessageSet,
}

impl OrderedMessageSet {
    pub(crate) fn add(&mut self, message: NewMessage) {
        self.known.extend(self.order[self.known.len()..].iter().cloned());
        if self.known.insert(message.clone()) {
            self.order.push(message);
        }
    }

    pub(crate) fn add_all(&mut self, messages: impl IntoIterator<Item = NewMessage>) {
        messages.into_iter().for_each(|message| self.add(message));
    }

    /// Adds messages that differ from one another. If two do not after all, both are kept.
    pub(crate) fn add_distinct(&mut self, messages: Vec<NewMessage>) {
        if self.order.is_empty() {
            self.order = messages;
        } else {
            self.add_all(messages);
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.order.is_empty()
    }

    pub(crate) fn len(&self) -> usize {
        self.order.len()
    }

    /// In order.
    pub(crate) fn as_slice(&self) -> &[NewMessage] {
        &self.order
    }

    pub(crate) fn into_vec(self) -> Vec<NewMessage> {
        self.order
    }
}
