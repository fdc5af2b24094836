//! `XADD` of many messages, several pipelines in flight: written as bytes, with the replies parsed as ids, without an
//! object for each.
//!
//! Consecutive messages of a stream whose readers read packs share entries. The same request reads the registry after
//! them, so that a consumer that cannot read them, and was registered before, is noticed.

mod encoder;

use std::collections::VecDeque;
use std::time::Duration;

use bytes::Buf;
use redis::{FromRedisValue, RedisError, RedisResult};

use self::encoder::Encoder;
pub(crate) use self::encoder::{Target, encode};
use super::token::{Token, malformed, token};
use super::{CHUNK, RespConnection};
use crate::message::{MessageId, NewMessage, StreamName};
use crate::time::within;
use crate::transport::pack_readers::Notes;

/// Pipelines in flight at once. Redis replies as often as it reads, and reads more at once if more has arrived: it then
/// spends less CPU time on waking the reader of the replies (11 % instead of 12 with four).
const IN_FLIGHT: usize = 16;

/// What was added so far, and is still to come.
#[derive(Debug, Default)]
pub(crate) struct Adding {
    /// How many messages each entry has whose reply is still to come.
    entries: VecDeque<u32>,
    /// Redis refused an entry, or a registry.
    refused: bool,
    /// The registries whose notes are still to come.
    registries: VecDeque<String>,
    /// Of the messages that were acknowledged, in their order.
    pub(crate) ids: Vec<MessageId>,
    /// Registries of streams to which packs were written, as they were after that.
    pub(crate) notes: Vec<(String, Notes)>,
}

impl Adding {
    /// The next entry has this id.
    fn acknowledged(&mut self, id: MessageId) {
        let len = self.entries.pop_front().unwrap_or_default();
        // Behind one that was refused they are not the first ones any more.
        if !self.refused {
            self.ids.extend((0..len).map(|index| id.nth(index, len)));
        }
    }

    pub(crate) fn is_refused(&self) -> bool {
        self.refused
    }

    /// How many replies are still to come.
    pub(crate) fn expected(&self) -> usize {
        self.entries.len() + self.registries.len()
    }

    /// The ids of the first messages that Redis acknowledged, if not all are added.
    pub(crate) fn outcome(self) -> Result<Self, Vec<MessageId>> {
        if self.refused || self.expected() > 0 { Err(self.sure()) } else { Ok(self) }
    }

    /// The ids that count although the request failed: none if there are packs, since their readers are not known.
    fn sure(self) -> Vec<MessageId> {
        if self.ids.iter().any(|id| id.index().is_some()) { Vec::new() } else { self.ids }
    }
}

impl RespConnection {
    /// Adds messages in this order. If it fails, returns the ids of the first messages that Redis acknowledged. Each
    /// wait for Redis is bounded by `patience`.
    ///
    /// Not cancel-safe: the connection is then broken. It is also broken if Redis refuses a message; some later
    /// messages may have been added.
    pub(crate) async fn add(
        &mut self,
        target: impl Fn(&StreamName) -> Target,
        messages: &[NewMessage],
        patience: Duration,
    ) -> Result<Adding, Vec<MessageId>> {
        let mut adding = Adding { ids: Vec::with_capacity(messages.len()), ..Adding::default() };
        match self.add_all(target, messages, &mut adding, patience).await {
            Ok(()) => Ok(adding),
            // The shared connection, which tries the rest, reports the error.
            Err(_) => Err(adding.sure()),
        }
    }

    async fn add_all(
        &mut self,
        target: impl Fn(&StreamName) -> Target,
        messages: &[NewMessage],
        adding: &mut Adding,
        patience: Duration,
    ) -> RedisResult<()> {
        within(patience, self.drain_replies()).await?;
        self.broken = true;
        let (mut rest, mut commands, mut encoder) = (messages, Vec::new(), Encoder::new(target));
        while !rest.is_empty() || adding.expected() > 0 {
            if !rest.is_empty() && adding.entries.len() <= (IN_FLIGHT - 1) * CHUNK {
                commands.clear();
                rest = encoder.encode(rest, &mut commands, adding);
                if rest.is_empty() {
                    encoder.checks(&mut commands, adding);
                }
                within(patience, async { Ok(self.socket.write_all(&commands).await?) }).await?;
                self.pending_replies = adding.expected();
                continue;
            }
            // Reads all that has arrived, and waits for more only if there is none.
            let before = adding.expected();
            self.take_added(adding)?;
            if adding.refused {
                self.broken = true;
                return Err(malformed("an entry was refused"));
            }
            if adding.expected() == before {
                within(patience, self.read()).await?;
            }
        }
        self.broken = false;
        Ok(())
    }

    /// Takes those of its replies that have arrived. Returns whether all have.
    ///
    /// A refusal is a reply, too: what is behind it is still in order.
    pub(crate) fn take_added(&mut self, adding: &mut Adding) -> RedisResult<bool> {
        while !adding.entries.is_empty() {
            let Some((part, length)) = token(&self.buffer)? else { return Ok(false) };
            match part {
                Token::Text(id) => adding.acknowledged(message_id(id)?),
                Token::Line([b'-', ..]) => {
                    adding.refused = true;
                    adding.entries.pop_front();
                }
                _ => return Err(no_id()),
            }
            self.buffer.advance(length);
            self.pending_replies -= 1;
        }
        while let Some(registry) = adding.registries.pop_front() {
            let Some(reply) = self.whole()? else {
                adding.registries.push_front(registry);
                return Ok(false);
            };
            match reply.extract_error() {
                Ok(notes) => adding.notes.push((registry, Notes::from_redis_value(notes)?)),
                Err(_) => adding.refused = true,
            }
        }
        Ok(true)
    }
}

fn message_id(text: &[u8]) -> RedisResult<MessageId> {
    std::str::from_utf8(text).ok().and_then(|id| id.parse().ok()).ok_or_else(no_id)
}

fn no_id() -> RedisError {
    malformed("the reply to XADD is not an id")
}
