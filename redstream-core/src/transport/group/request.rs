//! The messages of one call.

use std::task::Waker;

use redis::RedisResult;

use crate::message::MessageId;
use crate::transport::resp::{Adding, RespConnection};

/// Called with what became of messages for which nothing waits.
pub(super) type Then = Box<dyn FnOnce(Outcome) + Send>;

pub(super) struct Request {
    adding: Adding,
    pub(super) caller: Caller,
}

pub(super) enum Caller {
    /// Has not begun to wait.
    Busy,
    Waits(Waker),
    /// Was dropped.
    Gone,
    Detached(Then),
}

/// What became of the messages of a call.
#[derive(Debug)]
pub(crate) enum Outcome {
    Added(Adding),
    /// Redis refused one of them, or the connection failed. The ids of the first messages that Redis acknowledged.
    Failed(Vec<MessageId>),
}

impl Request {
    pub(super) fn new(adding: Adding) -> Self {
        Self { adding, caller: Caller::Busy }
    }

    /// Takes its replies, as far as they have arrived. Returns whether all have.
    pub(super) fn take_replies(&mut self, wire: &mut RespConnection) -> RedisResult<bool> {
        wire.take_added(&mut self.adding)
    }

    pub(super) fn is_refused(&self) -> bool {
        self.adding.is_refused()
    }

    /// What became of it, if all its replies have arrived or the connection failed, and who is told.
    pub(super) fn ended(self) -> (Caller, Outcome) {
        (self.caller, self.adding.outcome().map_or_else(Outcome::Failed, Outcome::Added))
    }

    pub(super) fn waker(&self) -> Option<&Waker> {
        if let Caller::Waits(waker) = &self.caller { Some(waker) } else { None }
    }
}
