//! Reads the messages in a stream without changing anything: for tests and operators.

use crate::error::Result;
use crate::message::{Message, MessageId};
use crate::stream::Stream;
use crate::transport::replies::{MOST, Range};

impl Stream {
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
        let mut xrange = redis::cmd("XRANGE");
        xrange.arg(key).arg(format!("({after}")).arg("+").arg("COUNT").arg(limit.min(MOST));
        let Range(messages) = self.redstream.link().command("look at the messages of a stream", &xrange).await?;
        Ok(messages)
    }
}
