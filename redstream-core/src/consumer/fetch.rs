//! Reads batches: up to as many messages as the user allows, within a budget of bytes, of whole entries if possible.

mod portion;
mod scripted;
mod streaming;
mod unread;

use std::time::Duration;

use redis::Cmd;

pub(crate) use self::portion::Portion;
use self::scripted::Scripted;
use self::streaming::Streaming;
use crate::error::Result;
use crate::message::{Message, MessageId};
use crate::transport::session::Session;

const ATTEMPT: &str = "read a stream";

/// How long Redis blocks a read that finds nothing.
const BLOCK: Duration = Duration::from_secs(2);

/// How long a worker waits together with others before it looks for itself.
const TOGETHER: Duration = Duration::from_secs(60);

/// The maximum count of a read that waits for entries of an unknown size: with payloads of a mebibyte, this fills the
/// consumer's budget.
const NEWS: usize = 16;

/// The limits of a batch.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    /// In messages.
    pub(crate) most: usize,
    /// In bytes: no more messages are read once they have reached it.
    pub(crate) budget: usize,
    /// An entry that has more messages is a batch of its own, instead of several batches of parts.
    pub(crate) whole_entries: bool,
}

/// What is after `after` now, without waiting.
///
/// For a single read. Redis sums up the sizes, since they are not known in advance, and it should return as many
/// messages as allowed.
pub(crate) async fn read_now(
    session: &Session,
    stream: &str,
    limits: Limits,
    portion: &Portion,
    after: MessageId,
) -> Result<Vec<Message>> {
    Scripted::new(session.clone(), stream, limits, portion.clone()).read_now(after).await
}

/// Reads one stream through one session.
#[derive(Clone)]
pub(crate) enum Fetch {
    Streaming(Streaming),
    Scripted(Scripted),
}

impl Fetch {
    /// Batches within the limits; of fewer messages if the connection broke before.
    pub(crate) fn new(session: Session, stream: &str, limits: Limits, portion: &Portion) -> Self {
        let portion = portion.clone();
        if session.has_wire() {
            Self::Streaming(Streaming::new(session, stream, limits, portion))
        } else {
            Self::Scripted(Scripted::new(session, stream, limits, portion))
        }
    }

    /// Whether there may be more than the last batch, which the next read returns at once.
    pub(crate) fn may_have_more(&self) -> bool {
        match self {
            Self::Streaming(straight) => straight.may_have_more(),
            Self::Scripted(weighed) => weighed.may_have_more(),
        }
    }

    /// What is after `after` now, without waiting.
    pub(crate) async fn read_now(&mut self, after: MessageId) -> Result<Vec<Message>> {
        match self {
            Self::Streaming(straight) => straight.read_now(after).await,
            Self::Scripted(weighed) => weighed.read_now(after).await,
        }
    }

    /// What is after `after`; if there is nothing, what arrives within a while.
    pub(crate) async fn read(&mut self, after: MessageId) -> Result<Vec<Message>> {
        match self {
            Self::Streaming(straight) => straight.read(after).await,
            Self::Scripted(weighed) => weighed.read(after).await,
        }
    }
}

/// An `XREAD` of the entries that hold messages after this one, which blocks if requested.
fn xread(stream: &str, count: usize, after: MessageId, block: Option<Duration>) -> Cmd {
    let mut xread = redis::cmd("XREAD");
    xread.arg("COUNT").arg(count);
    if let Some(block) = block {
        xread.arg("BLOCK").arg(u64::try_from(block.as_millis()).unwrap_or(u64::MAX));
    }
    xread.arg("STREAMS").arg(stream).arg(after.offset().to_string());
    xread
}
