//! Losses that only Redis can cause, noticed when a consumer starts its work: after a flush, a restart from an old
//! file, a failover to a replica that lagged.

mod mark;

pub(super) use mark::Mark;

use std::sync::{Arc, Mutex, PoisonError};

use crate::message::{MessageId, StreamName};
use crate::worker::lock::Found;

/// Messages, or the offset of a consumer, are lost from Redis.
///
/// Changes may never reach this consumer: [reindex](crate::Walk) its datastore. The consumer itself continues with what
/// there is.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Loss {
    /// The stream.
    pub stream: StreamName,
    /// The consumer that noticed.
    pub consumer: String,
    /// The kind of loss.
    pub kind: LossKind,
}

/// How a loss was detected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum LossKind {
    /// The consumer had committed a message that is newer than any the stream knows of.
    OffsetBeyondStream {
        /// What it had committed.
        offset: MessageId,
        /// The stream's last message; the consumer continues after this one.
        last: MessageId,
    },
    /// The stored offset is older than what this process had committed, and it was not rewound.
    OffsetWentBack {
        /// What this process had committed.
        committed: MessageId,
        /// What is stored now; the consumer continues from here.
        stored: Option<MessageId>,
    },
    /// Redis has no record of this consumer: it is new, or Redis lost all its data. The datastore lacks what was
    /// written before the consumer was registered, so it must be indexed in either case.
    NoRecord,
    /// The consumer had worked before it was registered, so the registry, or its entry there, was lost: trimming did
    /// not wait for the messages after its offset meanwhile.
    RegistryLost {
        /// Its offset.
        offset: MessageId,
    },
    /// The server was restarted, or another one took over, since this consumer last worked, and it keeps no append-only
    /// file: what was written after its last snapshot is lost. Redis does not show whether there was anything.
    ServerRestarted,
}

impl std::fmt::Display for Loss {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { stream, consumer, kind } = self;
        match kind {
            LossKind::OffsetBeyondStream { offset, last } => write!(
                f,
                "consumer {consumer} had committed message {offset} of stream {stream}, whose last message is {last}"
            ),
            LossKind::OffsetWentBack { committed, stored } => {
                write!(
                    f,
                    "consumer {consumer} had committed message {committed} of stream {stream}, and its offset is now "
                )?;
                match stored {
                    Some(stored) => write!(f, "{stored}"),
                    None => f.write_str("gone"),
                }
            }
            LossKind::NoRecord => write!(
                f,
                "there is no record of consumer {consumer} of stream {stream}: it is new, or Redis lost all that it knew"
            ),
            LossKind::RegistryLost { offset } => write!(
                f,
                "consumer {consumer} of stream {stream} was not registered any more: messages behind {offset}, its offset, may \
                 have been trimmed"
            ),
            LossKind::ServerRestarted => write!(
                f,
                "Redis was restarted without an append-only file, or another server took over, since consumer {consumer} of stream \
                 {stream} last worked: messages that came after the last snapshot are lost"
            ),
        }
    }
}

/// What one consumer of this process knows of its own progress; shared by its sessions.
#[derive(Clone, Debug, Default)]
pub(crate) struct Memory(Arc<Mutex<Option<Remembered>>>);

#[derive(Clone, Copy, Debug)]
struct Remembered {
    committed: MessageId,
    rewinds: u64,
}

impl Memory {
    pub(crate) fn committed(&self, id: MessageId, rewinds: u64) {
        *self.remembered() = Some(Remembered { committed: id, rewinds });
    }

    /// Compares what is found with what is remembered, and returns the loss. Reported once: what is found now is
    /// remembered from here on.
    pub(crate) fn compare(&self, found: &Found) -> Option<LossKind> {
        let mut remembered = self.remembered();
        let before = remembered.take();
        match (found.offset, before) {
            (Some(offset), _) if offset > found.last => Some(LossKind::OffsetBeyondStream { offset, last: found.last }),
            (stored, Some(Remembered { committed, rewinds }))
                if rewinds == found.rewinds && stored < Some(committed) =>
            {
                Some(LossKind::OffsetWentBack { committed, stored })
            }
            _ => None,
        }
    }

    fn remembered(&self) -> std::sync::MutexGuard<'_, Option<Remembered>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
