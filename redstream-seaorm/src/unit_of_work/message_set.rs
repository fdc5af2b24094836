//! Messages that wait for a commit.

use std::collections::HashSet;

use foldhash::fast::RandomState;
use redstream_core::NewMessage;

/// A set of messages. Each save looks into two such sets: the standard library's hasher, which resists deliberate
/// collisions, takes a tenth of the time that a save adds (callgrind). This hasher is also seeded at random.
pub(crate) type MessageSet = HashSet<NewMessage, RandomState>;

/// Each message once, in the order of first insertion.
#[derive(Debug, Default)]
pub(crate) struct OrderedMessageSet {
    order: Vec<NewMessage>,
    known: MessageSet,
}

impl OrderedMessageSet {
    pub(crate) fn add(&mut self, message: NewMessage) {
        if self.known.insert(message.clone()) {
            self.order.push(message);
        }
    }

    pub(crate) fn add_all(&mut self, messages: impl IntoIterator<Item = NewMessage>) {
        messages.into_iter().for_each(|message| self.add(message));
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.order.is_empty()
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &NewMessage> {
        self.order.iter()
    }

    pub(crate) fn into_vec(self) -> Vec<NewMessage> {
        self.order
    }
}
