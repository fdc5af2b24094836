//! Messages that wait for a commit.

use std::collections::HashSet;

use redstream_core::NewMessage;

/// Each message once, in the order of the first writes.
#[derive(Debug, Default)]
pub(crate) struct Messages {
    order: Vec<NewMessage>,
    known: HashSet<NewMessage>,
}

impl Messages {
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

    pub(crate) fn into_vec(self) -> Vec<NewMessage> {
        self.order
    }
}
