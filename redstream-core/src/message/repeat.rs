//! Repeats: delay messages of changes that were announced, for consumers whose datastores compare no versions.
//!
//! A consumer that has handled the main message of a change, sent after its commit, gains nothing by the delay message, if its
//! datastore refuses older versions. One whose datastore takes every write is repaired by it. So the writer's script that adds
//! the main message puts a mark on the delay message, if some consumer of the stream wants to pass over such messages, and removes it
//! if all do.
//!
//! The mark is white space before the JSON, which every reader of JSON passes over, the Ruby gem too, and which no payload has.

use crate::message::Message;

/// In front of a repeat's payload.
pub(crate) const MARK: &str = "\t \t";

impl Message {
    /// Whether this is the repeat of a change: its main message, sent after its commit, stands before it in the stream. See
    /// [`Consumer::skip_repeats`](crate::Consumer::skip_repeats).
    pub fn is_repeat(&self) -> bool {
        self.raw().starts_with(MARK.as_bytes())
    }
}
