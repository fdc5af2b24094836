//! Where batches come from: as many messages at once as the user allows, and never more bytes than there is room for.

use std::time::Duration;

use redis::Cmd;

use super::straight::Straight;
use super::weighed::Weighed;
use crate::session::Session;
use crate::{Message, MessageId, Result};

pub(super) const ATTEMPT: &str = "read a stream";

/// How long Redis holds a read that finds nothing.
pub(super) const BLOCK: Duration = Duration::from_secs(2);

/// A read that waits for news, of which nobody knows how large they are, brings so many at the most: with payloads of a mebibyte,
/// the budget.
pub(super) const NEWS: usize = 16;

/// Reads one stream through one session.
#[derive(Clone)]
pub(super) enum Source {
    Straight(Straight),
    Weighed(Weighed),
}

impl Source {
    /// Batches of up to `most` messages.
    pub(super) fn new(session: Session, stream: &str, most: usize) -> Self {
        if session.has_wire() {
            Self::Straight(Straight::new(session, stream, most))
        } else {
            Self::Weighed(Weighed::new(session, stream, most))
        }
    }

    /// What is behind `after`; where there is nothing, what comes within two seconds.
    pub(super) async fn read(&mut self, after: MessageId) -> Result<Vec<Message>> {
        match self {
            Self::Straight(straight) => straight.read(after).await,
            Self::Weighed(weighed) => weighed.read(after).await,
        }
    }
}

/// An `XREAD` that waits.
pub(super) fn xread(stream: &str, count: usize, after: MessageId) -> Cmd {
    let block = u64::try_from(BLOCK.as_millis()).unwrap_or(u64::MAX);
    let mut xread = redis::cmd("XREAD");
    xread.arg("COUNT").arg(count).arg("BLOCK").arg(block).arg("STREAMS").arg(stream).arg(after.to_string());
    xread
}
