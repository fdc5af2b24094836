//! What insures a write before its COMMIT.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::error::Error;

/// What insures a write before its COMMIT: an option of the connection.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Insurance {
    /// Delay messages in Redis. While Redis does not answer nothing is written: a commit fails after
    /// [`give_up_after`](redstream_core::ConnectOptions::give_up_after). The default.
    #[default]
    Redis,
    /// Rows of the table `redstream_outbox`, written by the same transaction and moved to Redis by a
    /// [`Relay`](crate::Relay). A commit then does not depend on Redis at all; each costs one statement more. Changes
    /// are only announced by the relay.
    ///
    /// Needs the [table](crate::outbox), and a relay that runs.
    Outbox,
    /// Delay messages in Redis, and rows of the outbox while Redis does not answer: an outage neither stops the primary
    /// database from being written nor loses a change.
    ///
    /// An application that must be able to start during an outage connects
    /// [lazily](redstream_core::ConnectOptions::lazy).
    ///
    /// A commit gives Redis [`outbox_after`](crate::StreamedConnectionBuilder::outbox_after) to answer. As long as the
    /// outage lasts, one commit a second tries Redis again, and the others use the table at once. Needs the table and a
    /// relay, too.
    RedisElseOutbox,
}

/// Whether Redis answers, according to the commits of a connection.
#[derive(Debug, Default)]
pub(crate) struct Outage(Mutex<Option<Instant>>);

/// How long Redis is not tried after it did not answer.
const PAUSE: Duration = Duration::from_secs(1);

impl Outage {
    /// Whether to try Redis now. During an outage this is true for one caller a second.
    pub(crate) fn may_ask(&self) -> bool {
        let mut next = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match *next {
            Some(then) if Instant::now() < then => false,
            Some(_) => {
                *next = Some(Instant::now() + PAUSE);
                true
            }
            None => true,
        }
    }

    pub(crate) fn began(&self, error: &Error) {
        let before = self.0.lock().unwrap_or_else(PoisonError::into_inner).replace(Instant::now() + PAUSE);
        if before.is_none() {
            let error = error as &dyn std::error::Error;
            tracing::warn!(error, "Redis does not answer: changes are insured by the outbox until it does");
        }
    }

    pub(crate) fn ended(&self) {
        if self.0.lock().unwrap_or_else(PoisonError::into_inner).take().is_some() {
            tracing::info!("Redis answers again: changes are insured by delay messages");
        }
    }
}
