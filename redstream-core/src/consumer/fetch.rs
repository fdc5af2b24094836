//! Reads batches: up to as many messages as the user allows, within a budget of bytes.

mod portion;
mod scripted;
mod streaming;

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

/// The maximum count of a read that waits for messages of an unknown size: with payloads of a mebibyte, this fills the
/// consumer's budget.
const NEWS: usize = 16;

/// What is after `after` now, without waiting: up to `most` messages, and no more once they have reached the budget, in
/// bytes.
///
/// For a single read. Redis sums up the sizes, since they are not known in advance, and it should return as many
/// messages as allowed.
pub(crate) async fn read_now(
    session: &Session,
    stream: &str,
    most: usize,
    budget: usize,
    portion: &Portion,
    after: MessageId,
) -> Result<Vec<Message>> {
    Scripted::new(session.clone(), stream, most, budget, portion.clone()).read_now(after).await
}

/// Reads one stream through one session.
#[derive(Clone)]
pub(crate) enum Fetch {
    Streaming(Streaming),
    Scripted(Scripted),
}

impl Fetch {
    /// Batches of up to `most` messages, and no more once they have reached the budget, in bytes; of fewer messages if
    /// the connection broke before.
    pub(crate) fn new(session: Session, stream: &str, most: usize, budget: usize, portion: &Portion) -> Self {
        let portion = portion.clone();
        if session.has_wire() {
            Self::Streaming(Streaming::new(session, stream, most, budget, portion))
        } else {
            Self::Scripted(Scripted::new(session, stream, most, budget, portion))
        }
    }

    /// Whether there may be more than the last read returned.
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

    /// What is after `after`; if there is nothing, what arrives within two seconds.
    pub(crate) async fn read(&mut self, after: MessageId) -> Result<Vec<Message>> {
        match self {
            Self::Streaming(straight) => straight.read(after).await,
            Self::Scripted(weighed) => weighed.read(after).await,
        }
    }
}

/// An `XREAD`, which blocks if requested.
fn xread(stream: &str, count: usize, after: MessageId, block: Option<Duration>) -> Cmd {
    let mut xread = redis::cmd("XREAD");
    xread.arg("COUNT").arg(count);
    if let Some(block) = block {
        xread.arg("BLOCK").arg(u64::try_from(block.as_millis()).unwrap_or(u64::MAX));
    }
    xread.arg("STREAMS").arg(stream).arg(after.to_string());
    xread
}
