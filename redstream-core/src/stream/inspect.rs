//! Reads the messages in a stream without changing anything: for tests and operators.

use crate::error::{Error, Result};
use crate::message::{Message, MessageId};
use crate::stream::Stream;
use crate::transport::replies::{MOST, Range};
use crate::transport::scripts;

/// How many entries are read at first, before it is known how many messages they hold.
const FIRST: usize = 256;

/// How many messages there are: see [`Stream::count_after`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Counted {
    /// How many were counted.
    pub messages: u64,
    /// The entry of the last of them; where the count began if there was none.
    pub last: MessageId,
    /// Whether the count reached the end of the stream.
    pub is_all: bool,
}

impl Stream {
    /// Counts the main messages after `after`, read or not, until there are at least `most`. Of an entry that `after`
    /// is within, all messages are counted. It is done within Redis, in steps of 10,000 messages or 16 MiB. Count
    /// again after [`Counted::last`] to learn how many were written since.
    ///
    /// # Errors
    ///
    /// If Redis does not answer.
    pub async fn count_after(&self, after: MessageId, most: u64) -> Result<Counted> {
        const ATTEMPT: &str = "count the messages of a stream";
        const STEP: u64 = 10_000;
        let mut counted = Counted { messages: 0, last: after.offset(), is_all: false };
        loop {
            let mut script = scripts::COUNT.prepare_invoke();
            script.key(self.redstream.keys().stream(&self.name)).arg(counted.last.to_string());
            script.arg(STEP).arg(scripts::BUDGET);
            let (messages, last, is_all): (u64, String, bool) = self.redstream.link().script(ATTEMPT, &script).await?;
            counted.messages += messages;
            counted.is_all = is_all;
            counted.last =
                last.parse().map_err(|_| Error::UnexpectedReply { attempt: ATTEMPT.to_owned(), reply: last })?;
            if is_all || counted.messages >= most {
                return Ok(counted);
            }
        }
    }

    /// Up to `limit` main messages after `after`, oldest first, read or not. Begin with [`MessageId::MIN`].
    ///
    /// # Errors
    ///
    /// If Redis does not answer.
    pub async fn messages(&self, after: MessageId, limit: usize) -> Result<Vec<Message>> {
        self.range(self.redstream.keys().stream(&self.name), after, limit).await
    }

    /// Up to `limit` delay messages after `after` that are not due yet, oldest first. Begin with [`MessageId::MIN`].
    ///
    /// # Errors
    ///
    /// If Redis does not answer.
    pub async fn delay_messages(&self, after: MessageId, limit: usize) -> Result<Vec<Message>> {
        self.range(self.redstream.keys().delay_stream(&self.name), after, limit).await
    }

    /// The id of the last delay message ever added; `0-0` if there was none.
    ///
    /// # Errors
    ///
    /// If Redis does not answer.
    pub async fn last_delay_id(&self) -> Result<MessageId> {
        self.last_id_of(self.redstream.keys().delay_stream(&self.name)).await
    }

    async fn range(&self, key: String, after: MessageId, limit: usize) -> Result<Vec<Message>> {
        if after == MessageId::MAX {
            return Ok(Vec::new());
        }
        let (mut messages, mut after, mut count) = (Vec::new(), after, limit.min(FIRST));
        while messages.len() < limit {
            let mut xrange = redis::cmd("XRANGE");
            xrange.arg(&key).arg(format!("({}", after.offset())).arg("+").arg("COUNT").arg(count.min(MOST));
            let attempt = "look at the messages of a stream";
            let Range(entries) = self.redstream.link().command(attempt, &xrange).await?;
            let (read, before) = (entries.len(), messages.len());
            let later = entries.into_iter().flatten().filter(|message| message.id() > after);
            messages.extend(later.take(limit - before));
            if read < count {
                break;
            }
            after = messages.last().map_or(after, Message::id);
            count = ((limit - messages.len()).saturating_mul(read) / (messages.len() - before).max(1)).max(1);
        }
        Ok(messages)
    }
}
