//! Payloads that are too large to be handled: sorted out before they are parsed.

use std::sync::Arc;

use super::{Consumer, OnPoison};
use crate::consumer::dead_letters::Dead;
use crate::error::{Error, Result};
use crate::failpoint::failpoint;
use crate::message::Message;
use crate::metrics;

impl Consumer {
    /// The messages that can be handled, and as dead letters those whose payload is too large.
    pub(super) fn set_aside(&self, messages: &Arc<[Message]>) -> Result<(Arc<[Message]>, Vec<Dead>)> {
        let is_oversized = |message: &&Message| message.raw().len() > self.max_payload;
        if self.on_poison == OnPoison::Block || !messages.iter().any(|message| is_oversized(&message)) {
            return Ok((messages.clone(), Vec::new()));
        }
        let oversized = messages.iter().filter(is_oversized).cloned();
        let dead = oversized.map(|message| self.bury_oversized(message)).collect::<Result<_>>()?;
        let fitting = messages.iter().filter(|message| !is_oversized(message)).cloned().collect();
        Ok((fitting, dead))
    }

    fn bury_oversized(&self, message: Message) -> Result<Dead> {
        let (bytes, most) = (message.raw().len(), self.max_payload);
        let error =
            format!("its payload of {bytes} bytes is larger than max_payload, {most} bytes: it was not handled");
        if self.on_poison == OnPoison::Stop {
            return Err(Error::Poison {
                stream: self.stream.clone(),
                consumer: self.name.clone(),
                message: message.id(),
                attempts: 0,
                source: error.into(),
            });
        }
        ::metrics::counter!(metrics::DEAD, &self.labels()).increment(1);
        tracing::error!(
            stream = %self.stream, consumer = self.name, message_id = %message.id(), error,
            "message cannot be handled: it goes to the dead letters, and the consumer goes on"
        );
        failpoint!("consumer: dead letter");
        Ok(Dead { message, error, attempts: 0, is_oversized: true })
    }
}
