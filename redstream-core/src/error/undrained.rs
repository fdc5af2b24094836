//! What keeps a generation of shards from being drained.

use std::fmt;

use crate::message::MessageId;

/// What is not drained yet, in [`Error::NotDrained`](crate::Error::NotDrained).
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Undrained {
    /// Delay messages are not due yet, or the delayer has not moved them.
    DelayMessages {
        /// How many.
        count: u64,
    },
    /// A registered consumer has not committed the last message.
    Consumer {
        /// The consumer.
        consumer: String,
        /// Its offset; [`MessageId::MIN`] if it has committed nothing.
        offset: MessageId,
        /// The last message of the stream.
        last: MessageId,
    },
}

impl fmt::Display for Undrained {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::DelayMessages { count } => write!(f, "{count} delay messages wait for their time"),
            Self::Consumer { consumer, offset, last } => {
                write!(f, "consumer {consumer} stands at {offset}, and the last message is {last}")
            }
        }
    }
}
