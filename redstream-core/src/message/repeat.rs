//! Repeats: delay messages of changes that were announced, needed by consumers whose datastores compare no versions.
//!
//! A consumer that has handled the main message of a change, sent after its commit, does not need the delay message if
//! its datastore refuses older versions. A datastore that takes every write is repaired by it. So the writer's script
//! that adds the main message marks the delay message if some consumer of the stream skips such messages, and removes
//! it if all do.
//!
//! The mark is white space before the JSON, which every reader of JSON ignores, including the Ruby gem, and which no
//! payload has.

use crate::message::Message;

/// The prefix of a repeat's payload.
pub(crate) const MARK: &str = "\t \t";

impl Message {
    /// Whether this is the repeat of a change: its main message, sent after its commit, precedes it in the stream. See
    /// [`Consumer::skip_repeats`](crate::Consumer::skip_repeats).
    pub fn is_repeat(&self) -> bool {
        self.raw().starts_with(MARK.as_bytes())
    }
}
