//! `XADD` of many messages, several pipelines in flight: written as bytes, answered as ids, and no object for each.

use std::io::Write;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Buf;
use redis::RedisResult;

use super::token::{Token, malformed, token};
use super::{Wire, refused};
use crate::MessageId;
use crate::connector::within;
use crate::producer::{CHUNK, IN_FLIGHT};

/// A message to be added.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Addition<'a> {
    pub(crate) key: &'a str,
    pub(crate) payload: &'a str,
}

impl Wire {
    /// Adds messages in this order, and their ids to `ids`; where it fails, those of the first ones that Redis acknowledged. Each wait
    /// for Redis is bounded by `patience`.
    ///
    /// Not cancel-safe: the connection is torn then. So it is where Redis refuses one; some that come later may have been added.
    pub(crate) async fn add(
        &mut self,
        additions: &[Addition<'_>],
        ids: &mut Vec<MessageId>,
        patience: Duration,
    ) -> RedisResult<()> {
        within(patience, self.settle()).await?;
        self.torn = true;
        let (mut sent, mut commands) = (0, Vec::new());
        while ids.len() < additions.len() {
            if sent < additions.len() && sent - ids.len() <= (IN_FLIGHT - 1) * CHUNK {
                let pipeline = &additions[sent..additions.len().min(sent + CHUNK)];
                commands.clear();
                encode(pipeline, &mut commands);
                within(patience, async { Ok(self.socket.write_all(&commands).await?) }).await?;
                sent += pipeline.len();
                self.owed += pipeline.len();
                continue;
            }
            // All that has come, and more only where none has.
            let before = ids.len();
            while let Some(id) = self.id()? {
                ids.push(id);
            }
            if ids.len() == before {
                within(patience, self.read()).await?;
            }
        }
        self.torn = false;
        Ok(())
    }

    /// Sends messages without waiting for anything; their ids come by [`poll_id`](Self::poll_id). Returns whether it could; where
    /// not, nothing more may be asked of this connection.
    pub(crate) fn add_now(&mut self, additions: &[Addition<'_>]) -> bool {
        let mut commands = Vec::new();
        encode(additions, &mut commands);
        self.send_now(&commands, additions.len())
    }

    /// The id of the next message that was added.
    pub(crate) fn poll_id(&mut self, context: &mut Context<'_>) -> Poll<RedisResult<MessageId>> {
        loop {
            if let Some(id) = self.id()? {
                return Poll::Ready(Ok(id));
            }
            ready!(self.poll_read(context))?;
        }
    }

    fn id(&mut self) -> RedisResult<Option<MessageId>> {
        let Some((part, length)) = token(&self.buffer).inspect_err(|_| self.torn = true)? else { return Ok(None) };
        let id = match part {
            Token::Text(id) => std::str::from_utf8(id).ok().and_then(|id| id.parse().ok()),
            Token::Line(line @ [b'-', ..]) => return Err(refused(line)),
            _ => None,
        };
        let id = id.ok_or_else(|| malformed("the reply to XADD is not an id")).inspect_err(|_| self.torn = true)?;
        self.buffer.advance(length);
        self.owed -= 1;
        Ok(Some(id))
    }
}

fn encode(additions: &[Addition<'_>], commands: &mut Vec<u8>) {
    for Addition { key, payload } in additions {
        commands.extend_from_slice(b"*5\r\n$4\r\nXADD\r\n");
        text(key, commands);
        commands.extend_from_slice(b"$1\r\n*\r\n$7\r\npayload\r\n");
        text(payload, commands);
    }
}

fn text(text: &str, commands: &mut Vec<u8>) {
    // Into memory: it cannot fail.
    let _ = write!(commands, "${}\r\n", text.len());
    commands.extend_from_slice(text.as_bytes());
    commands.extend_from_slice(b"\r\n");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_are_written_as_the_client_library_writes_them() {
        let additions = [Addition { key: "a", payload: "\"ä\"" }, Addition { key: "stream", payload: "" }];
        let mut pipeline = redis::pipe();
        for Addition { key, payload } in additions {
            pipeline.cmd("XADD").arg(key).arg("*").arg("payload").arg(payload);
        }
        let mut commands = Vec::new();
        encode(&additions, &mut commands);
        assert_eq!(commands, pipeline.get_packed_pipeline());
    }
}
