//! A stream by its name: makes its workers, reports its state (`inspect`), and has operations for operators (`admin`).
//! Uses the workers, and what is below them.

pub(crate) mod admin;
mod inspect;

use std::sync::Arc;
use std::time::Duration;

use crate::consumer::registered;
use crate::consumer::{Consumer, DeadLetters, Handler, OffsetStore};
use crate::delayer::Delayer;
use crate::error::{Error, Result};
use crate::keys::DELAYER;
use crate::message::name::check_consumer;
use crate::message::{MessageId, StreamName};
use crate::redstream::Redstream;
use crate::reindex::{KeySource, Reindexes, Walk};
use crate::transport::scripts;
use crate::trimmer::Trimmer;
use crate::worker::member::ConsumerKeys;
use crate::worker::{Lock, Start};
pub use inspect::Counted;

/// One stream of a [`Redstream`], by name: gives its workers. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Stream {
    redstream: Redstream,
    name: StreamName,
}

impl Redstream {
    /// A stream, by name: gives its consumers, its delayer and its trimmer.
    ///
    /// Does not talk to Redis.
    ///
    /// # Errors
    ///
    /// If the name is not usable.
    pub fn stream(&self, name: impl AsRef<str>) -> Result<Stream> {
        Ok(Stream::new(self.clone(), StreamName::new(name)?))
    }
}

impl Stream {
    pub(crate) fn new(redstream: Redstream, name: StreamName) -> Self {
        Self { redstream, name }
    }

    pub(crate) fn redstream(&self) -> &Redstream {
        &self.redstream
    }

    /// The stream's name.
    pub fn name(&self) -> &StreamName {
        &self.name
    }

    /// A consumer of that name: one offset in the stream, on any number of hosts.
    ///
    /// A name that is not usable (empty, with white space, braces or a colon, ending in `.notify`) is an error when the
    /// consumer is run, before anything starts.
    pub fn consumer<H: Handler>(&self, name: impl Into<String>, handler: H) -> Consumer {
        let kind = std::any::type_name::<H>();
        Consumer::new(self.redstream.clone(), self.name.clone(), name.into(), Arc::new(handler), kind)
    }

    /// The worker that re-queues each delay message after `delay`, usually 5 minutes.
    ///
    /// The delay must exceed the time from a delay message to the end of its COMMIT. The delayer publishes it in Redis,
    /// where the adapter's connections read it: they send the delay messages of a transaction again that is older than
    /// a fifth of it.
    pub fn delayer(&self, delay: Duration) -> Delayer {
        Delayer::new(self.redstream.clone(), self.name.clone(), delay)
    }

    /// The worker that removes what every consumer has committed.
    pub fn trimmer(&self) -> Trimmer {
        Trimmer::new(self.redstream.clone(), self.name.clone())
    }

    /// A walk that queues every key of `source` on this stream: see [`Walk`]. For entities, `redstream-seaorm` has
    /// `redstream.reindex`.
    pub fn reindex<S: KeySource>(&self, source: S) -> Walk<S> {
        Walk::new(self.redstream.clone(), self.name.clone(), vec![self.name.clone()], source)
    }

    /// The records of this stream's reindexes: to list, pause, resume and abort them.
    pub fn reindexes(&self) -> Reindexes {
        Reindexes::new(self.redstream.clone(), self.name.clone())
    }

    /// The offset of each consumer.
    pub fn offsets(&self) -> OffsetStore {
        OffsetStore::new(self.redstream.clone(), self.name.clone())
    }

    /// The lock of a consumer, to be acquired by hand. `ttl`: after how long without renewal another may acquire it;
    /// workers use 5 seconds.
    ///
    /// Acquiring the lock registers the consumer, to begin at the earliest message.
    ///
    /// # Errors
    ///
    /// If the name is not usable.
    pub fn lock(&self, consumer: &str, ttl: Duration) -> Result<Lock> {
        Lock::check_ttl(ttl)?;
        Ok(Lock::consumer(&self.redstream, self.member(consumer)?, ttl))
    }

    /// A lock of this stream for a worker of your own, such as a verification, of which one host at a time is at work.
    /// It is no consumer: trimming does not wait for it. `ttl` as in [`lock`](Self::lock).
    ///
    /// # Errors
    ///
    /// If the name is not usable, by the rules for names of consumers, or the TTL is shorter than 100 ms.
    pub fn work_lock(&self, work: &str, ttl: Duration) -> Result<Lock> {
        Lock::check_ttl(ttl)?;
        check_consumer(work)?;
        Ok(Lock::work(&self.redstream, &self.name, work, ttl))
    }

    /// Registers a consumer before it runs for the first time, so that trimming waits for it. Returns whether it was
    /// new.
    ///
    /// Only its first run tells whether it can read entries with several messages: until then writers give
    /// each main message an entry of its own, as for a consumer that cannot
    /// ([`packed`](crate::ConnectOptions::packed)).
    ///
    /// # Errors
    ///
    /// If the name is not usable, or Redis does not answer.
    pub async fn register(&self, consumer: &str, start: Start) -> Result<bool> {
        let member = ConsumerKeys { start, ..self.member(consumer)? };
        self.redstream.link().script("register a consumer", &member.registration()).await
    }

    /// The names of the registered consumers, in no order.
    ///
    /// # Errors
    ///
    /// If Redis does not answer.
    pub async fn consumers(&self) -> Result<Vec<String>> {
        registered::names(&self.redstream, &self.name).await
    }

    /// When a consumer was registered, by the clock of Redis, in ms since 1970: one that was forgotten, or that Redis
    /// has lost, and is registered again has a later time. `None` if it is not registered.
    ///
    /// # Errors
    ///
    /// If the name is not usable, or Redis does not answer.
    pub async fn registered_at(&self, consumer: &str) -> Result<Option<u64>> {
        check_consumer(consumer)?;
        registered::at(&self.redstream, &self.name, consumer).await
    }

    /// Retires a consumer: its offset is removed, and trimming no longer waits for it.
    ///
    /// # Errors
    ///
    /// [`Error::StillRunning`] while its lock is held, and [`Error::NoSuchConsumer`] if there is none of that name.
    pub async fn forget(&self, consumer: &str) -> Result<()> {
        let member = self.member(consumer)?;
        let mut script = scripts::FORGET.prepare_invoke();
        script.key(self.redstream.keys().consumer_lock(&self.name, consumer));
        script.key(&member.registry).key(&member.offset).arg(consumer);
        let known: i8 = self.redstream.link().script("forget a consumer", &script).await?;
        if known < 0 {
            return Err(Error::StillRunning { stream: self.name.clone(), consumer: consumer.to_owned() });
        }
        if known == 0 {
            return Err(registered::no_such(&self.redstream, &self.name, consumer).await?);
        }
        Ok(())
    }

    /// The messages that `consumer` could not handle.
    ///
    /// # Errors
    ///
    /// If the name is not usable. If there is no consumer of that name and no dead letter, the operations on the result
    /// error.
    pub fn dead_letters(&self, consumer: &str) -> Result<DeadLetters> {
        check_consumer(consumer)?;
        Ok(DeadLetters::new(&self.redstream, &self.name, consumer))
    }

    /// The entries of the delay stream that the delayer could not move because they have no field `payload`; none of
    /// our writers adds such entries. They can be inspected and discarded; redriving them is useless.
    pub fn delayer_dead_letters(&self) -> DeadLetters {
        DeadLetters::new(&self.redstream, &self.name.delayed(), DELAYER)
    }

    /// How many entries with main messages are in the stream, read or not. An entry holds up to 100 messages:
    /// [`lag`](Self::lag) counts these.
    ///
    /// # Errors
    ///
    /// If Redis does not answer.
    pub async fn len(&self) -> Result<u64> {
        self.length_of(self.redstream.keys().stream(&self.name)).await
    }

    /// Whether there is no main message in the stream.
    ///
    /// # Errors
    ///
    /// If Redis does not answer.
    pub async fn is_empty(&self) -> Result<bool> {
        Ok(self.len().await? == 0)
    }

    /// How many entries with delay messages wait for their time. An entry holds up to 100 messages.
    ///
    /// # Errors
    ///
    /// If Redis does not answer.
    pub async fn delay_len(&self) -> Result<u64> {
        self.length_of(self.redstream.keys().delay_stream(&self.name)).await
    }

    /// The id of the last main message ever added; `0-0` if there was none.
    ///
    /// # Errors
    ///
    /// If Redis does not answer.
    pub async fn last_id(&self) -> Result<MessageId> {
        self.last_id_of(self.redstream.keys().stream(&self.name)).await
    }

    /// How many messages are in the stream that `consumer` has not committed.
    ///
    /// Counts them, in steps of 10,000 or 16 MiB: a long backlog takes a moment. A consumer that was never at work has
    /// committed nothing, and neither has a consumer whose name is misspelled: all messages are counted.
    ///
    /// # Errors
    ///
    /// If the name is not usable, or Redis does not answer.
    pub async fn lag(&self, consumer: &str) -> Result<u64> {
        check_consumer(consumer)?;
        let offset = self.offsets().get(consumer).await?.unwrap_or(MessageId::MIN);
        Ok(self.lag_up_to(offset, u64::MAX).await?.0)
    }

    /// How many messages come after an offset, counted until there are so many, and whether that is all.
    pub(crate) async fn lag_up_to(&self, offset: MessageId, most: u64) -> Result<(u64, bool)> {
        let counted = self.count_after(offset, most).await?;
        Ok((counted.messages, counted.is_all))
    }

    /// The age of the oldest message that `consumer` has not committed, by the clock of Redis; zero if it has committed
    /// all. For an unknown name as [`lag`](Self::lag).
    ///
    /// # Errors
    ///
    /// If the name is not usable, or Redis does not answer.
    pub async fn lag_time(&self, consumer: &str) -> Result<Duration> {
        let member = self.member(consumer)?;
        let mut script = scripts::LAG.prepare_invoke();
        script.key(&member.stream).key(&member.offset);
        let ms: i64 = self.redstream.link().script("measure a lag", &script).await?;
        Ok(Duration::from_millis(ms.try_into().unwrap_or(0)))
    }

    fn member(&self, consumer: &str) -> Result<ConsumerKeys> {
        check_consumer(consumer)?;
        Ok(ConsumerKeys::new(self.redstream.keys(), &self.name, consumer))
    }

    async fn last_id_of(&self, key: String) -> Result<MessageId> {
        const ATTEMPT: &str = "read a stream's last id";
        let mut script = scripts::LAST_ID.prepare_invoke();
        script.key(key);
        let id: String = self.redstream.link().script(ATTEMPT, &script).await?;
        id.parse().map_err(|_| Error::UnexpectedReply { attempt: ATTEMPT.to_owned(), reply: id })
    }

    async fn length_of(&self, key: String) -> Result<u64> {
        let mut xlen = redis::cmd("XLEN");
        xlen.arg(key);
        self.redstream.link().command("measure a stream", &xlen).await
    }
}
