//! The two consumers: one reads entries of several messages, the other does not.

use super::Entry;

/// The message that its handler can never handle.
const POISON: usize = 1;

/// A consumer of this version. A batch is one message.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(super) struct Newer {
    offset: usize,
    /// The entries that were handled, and a message of the next one.
    read: usize,
    inside: bool,
    /// Given up, and not written yet.
    given_up: [u8; 2],
    pub(super) handled: [bool; 2],
    /// Dead letters.
    pub(super) dead: [u8; 2],
}

impl Newer {
    pub(super) fn can_handle(&self, entries: usize) -> bool {
        self.read < entries
    }

    pub(super) fn can_commit(&self, at_the_end: bool) -> bool {
        self.read > self.offset || (self.inside && !at_the_end)
    }

    pub(super) fn is_inside(&self) -> bool {
        self.inside
    }

    pub(super) fn is_at(&self, entries: usize) -> bool {
        self.offset >= entries
    }

    /// How many entries with the message that cannot be handled it has passed.
    pub(super) fn passed(&self, stream: &[Entry]) -> usize {
        let has_poison = |entry: &&Entry| [Entry::Pack, Entry::Single(POISON)].contains(entry);
        stream.iter().take(self.offset).filter(has_poison).count()
    }

    pub(super) fn handle(&mut self, stream: &[Entry], id_has_position: bool) {
        let (message, is_last) = match stream[self.read] {
            Entry::Single(message) => (message, true),
            Entry::Pack => (usize::from(self.inside), self.inside),
        };
        if message == POISON {
            // Found by the id of the entry alone it is the first message of that.
            let is_found = id_has_position || stream[self.read] != Entry::Pack;
            self.given_up[if is_found { POISON } else { 0 }] += 1;
        } else {
            self.handled[message] = true;
        }
        self.inside = !is_last;
        self.read += usize::from(is_last);
    }

    pub(super) fn commit(&mut self, at_the_end: bool) {
        if !at_the_end {
            // An offset that is committed inside an entry passes it.
            self.read += usize::from(std::mem::take(&mut self.inside));
        }
        self.offset = self.read;
        self.write_letters();
    }

    /// It goes on from its offset.
    pub(super) fn crash(&mut self, letters_wait: bool) {
        if !letters_wait {
            self.write_letters();
        }
        (self.read, self.inside, self.given_up) = (self.offset, false, [0; 2]);
    }

    fn write_letters(&mut self) {
        for (dead, given_up) in self.dead.iter_mut().zip(std::mem::take(&mut self.given_up)) {
            *dead += given_up;
        }
    }
}

/// A consumer of an earlier version. It passes entries that it cannot read.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Older {
    pub(super) offset: usize,
    /// The messages that it must still handle.
    pub(super) owed: [bool; 2],
}

impl Older {
    pub(super) fn handle(&mut self, stream: &[Entry]) {
        if let Entry::Single(message) = stream[self.offset] {
            self.owed[message] = false;
        }
        self.offset += 1;
    }
}
