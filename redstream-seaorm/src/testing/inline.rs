//! Workers that run in the test's own task, until no work is left.

use std::time::Duration;

use async_trait::async_trait;
use redstream_core::{BoxError, Consumer, Delayer, Progress, Sharded, Trimmed, Trimmer, Worker};
use sea_orm::{ConnectionTrait, TransactionTrait};

use crate::entity::streams::EntityWorker;
use crate::outbox::relay::Relay;

/// How many turns all workers get before they are reported as never idle.
const ROUNDS: usize = 1000;

/// A delay message that is due within this time is waited for.
const SOON: Duration = Duration::from_millis(10);

/// A worker that can take one turn: consumers, delayers, relays, trimmers, those of
/// [`EntityStream`](crate::EntityStream) and of shards, and workers of your own.
#[async_trait]
pub trait Inline: Sync {
    /// For errors, such as `consumer search of cities`.
    fn title(&self) -> String;

    /// Does the work that is ready, up to one batch, and waits for nothing. Returns the number of messages; `None` if
    /// another process holds the lock.
    async fn step(&self) -> Result<Option<usize>, BoxError>;
}

/// What [`run_until_idle`] did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Ran {
    /// How many messages the workers handled or moved, in total.
    pub messages: usize,
    /// How many turns had work.
    pub turns: usize,
}

/// Why [`run_until_idle`] ended before all was done.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Unfinished {
    /// A worker failed: its handler did, or Redis. Its batch is not committed, and is retried in its next turn.
    #[error("{worker} failed")]
    Failed {
        /// The worker.
        worker: String,
        /// The cause.
        #[source]
        source: BoxError,
    },

    /// Another process runs this worker.
    #[error("{worker} runs elsewhere: its lock is held. Do not start the workers of a stream that a test runs inline")]
    Elsewhere {
        /// The worker.
        worker: String,
    },

    /// The workers never became idle.
    #[error(
        "the workers never came to rest: {messages} messages in {ROUNDS} rounds. Does a handler write to a stream that \
         leads back to it, as two cascades in opposite directions do?"
    )]
    Restless {
        /// How many messages they handled or moved.
        messages: usize,
    },
}

/// Runs the workers inline, turn by turn, until none of them has anything to do: `run_until_idle(&[&indexer,
/// &delayer])`.
///
/// A worker reads what another one has written, so a cascade is completed, too. The first turn begins at the consumer's
/// position; a new consumer begins as its options say. No lock is kept, and nothing is retried: a handler's failure is
/// returned at once.
///
/// Delay messages that are not due stay where they are; with [`at_once`](super::at_once) as delayer they are due.
///
/// # Errors
///
/// If a worker fails, if another process holds the lock of one, and after a thousand rounds.
pub async fn run_until_idle(workers: &[&dyn Inline]) -> Result<Ran, Unfinished> {
    let mut ran = Ran::default();
    for _ in 0..ROUNDS {
        let before = ran.turns;
        for worker in workers {
            match worker.step().await {
                Ok(Some(0)) => {}
                Ok(Some(messages)) => {
                    ran.messages += messages;
                    ran.turns += 1;
                }
                Ok(None) => return Err(Unfinished::Elsewhere { worker: worker.title() }),
                Err(source) => return Err(Unfinished::Failed { worker: worker.title(), source }),
            }
        }
        if ran.turns == before {
            return Ok(ran);
        }
    }
    Err(Unfinished::Restless { messages: ran.messages })
}

#[async_trait]
impl Inline for Consumer {
    fn title(&self) -> String {
        Worker::name(self)
    }

    async fn step(&self) -> Result<Option<usize>, BoxError> {
        Ok(match self.run_once().await? {
            Progress::Handled(messages) => Some(messages),
            Progress::Idle => Some(0),
            _ => None,
        })
    }
}

#[async_trait]
impl Inline for Delayer {
    fn title(&self) -> String {
        Worker::name(self)
    }

    async fn step(&self) -> Result<Option<usize>, BoxError> {
        loop {
            let Some(moved) = self.run_once().await? else { return Ok(None) };
            match moved.next {
                Some(next) if moved.due == 0 && next <= SOON => tokio::time::sleep(next).await,
                _ => return Ok(Some(usize::try_from(moved.due).unwrap_or(usize::MAX))),
            }
        }
    }
}

#[async_trait]
impl<C> Inline for Relay<C>
where
    C: ConnectionTrait + TransactionTrait + Send + Sync + 'static,
{
    fn title(&self) -> String {
        Worker::name(self)
    }

    async fn step(&self) -> Result<Option<usize>, BoxError> {
        Ok(Some(usize::try_from(self.run_once().await?)?))
    }
}

/// Its turns do not count: what it removes leaves no work for other workers.
#[async_trait]
impl Inline for Trimmer {
    fn title(&self) -> String {
        Worker::name(self)
    }

    async fn step(&self) -> Result<Option<usize>, BoxError> {
        Ok((self.run_once().await? != Trimmed::Standby).then_some(0))
    }
}

/// One turn of each shard's worker, whether their generation is active or not.
#[async_trait]
impl<W> Inline for Sharded<W>
where
    W: Inline + Send,
    Self: Worker,
{
    fn title(&self) -> String {
        Worker::name(self)
    }

    async fn step(&self) -> Result<Option<usize>, BoxError> {
        let mut messages = 0;
        for shard in self.shards() {
            let Some(handled) = shard.step().await? else { return Ok(None) };
            messages += handled;
        }
        Ok(Some(messages))
    }
}

#[async_trait]
impl<W> Inline for EntityWorker<W>
where
    W: Inline + Send,
    Sharded<W>: Inline,
{
    fn title(&self) -> String {
        match self {
            Self::Whole(worker) => worker.title(),
            Self::Sharded(workers) => workers.title(),
        }
    }

    async fn step(&self) -> Result<Option<usize>, BoxError> {
        match self {
            Self::Whole(worker) => worker.step().await,
            Self::Sharded(workers) => workers.step().await,
        }
    }
}
