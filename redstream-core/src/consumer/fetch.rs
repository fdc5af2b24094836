//! Where batches come from: as many messages at once as the user allows, and never more bytes than there is room for.

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

/// How long Redis holds a read that finds nothing.
const BLOCK: Duration = Duration::from_secs(2);

/// A read that waits for messages of an unknown size brings so many at the most: with payloads of a mebibyte,
/// what a consumer has room for.
const NEWS: usize = 16;

/// What is behind `after` now, without waiting: up to `most` messages, and no more once they have come to the budget, in bytes.
///
/// For one read alone. Weighed by Redis, since it is not known yet how large the messages are, and it is to bring all that it may.
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
pub(crate) enum Source {
    Streaming(Streaming),
    Scripted(Scripted),
}

impl Source {
    /// Batches of up to `most` messages, and no more once they have come to the budget, in bytes; of fewer messages where the
    /// connection broke before.
    pub(crate) fn new(session: Session, stream: &str, most: usize, budget: usize, portion: &Portion) -> Self {
        let portion = portion.clone();
        if session.has_wire() {
            Self::Streaming(Streaming::new(session, stream, most, budget, portion))
        } else {
            Self::Scripted(Scripted::new(session, stream, most, budget, portion))
        }
    }

    /// Whether more may be there than the last read brought.
    pub(crate) fn may_have_more(&self) -> bool {
        match self {
            Self::Streaming(straight) => straight.may_have_more(),
            Self::Scripted(weighed) => weighed.may_have_more(),
        }
    }

    /// What is behind `after` now, without waiting.
    pub(crate) async fn read_now(&mut self, after: MessageId) -> Result<Vec<Message>> {
        match self {
            Self::Streaming(straight) => straight.read_now(after).await,
            Self::Scripted(weighed) => weighed.read_now(after).await,
        }
    }

    /// What is behind `after`; where there is nothing, what comes within two seconds.
    pub(crate) async fn read(&mut self, after: MessageId) -> Result<Vec<Message>> {
        match self {
            Self::Streaming(straight) => straight.read(after).await,
            Self::Scripted(weighed) => weighed.read(after).await,
        }
    }
}

/// An `XREAD` that waits, where it is to.
fn xread(stream: &str, count: usize, after: MessageId, block: Option<Duration>) -> Cmd {
    let mut xread = redis::cmd("XREAD");
    xread.arg("COUNT").arg(count);
    if let Some(block) = block {
        xread.arg("BLOCK").arg(u64::try_from(block.as_millis()).unwrap_or(u64::MAX));
    }
    xread.arg("STREAMS").arg(stream).arg(after.to_string());
    xread
}
