//! A stream by its name: makes its workers, tells how it stands (`inspect`), and is operated by it (`admin`). Uses the workers, and what
//! is below them.

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
use crate::transport::scripts;
use crate::trimmer::Trimmer;
use crate::worker::member::ConsumerKeys;
use crate::worker::{Lock, Start};

/// One stream of a [`Redstream`], by name: gives its workers. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Stream {
    redstream: Redstream,
    name: StreamName,
}

impl Redstream {
    /// A stream, by name: gives its consumers, its delayer and its trimmer.
    ///
    /// Errors where the name is not usable; does not talk to Redis.
    pub fn stream(&self, name: impl AsRef<str>) -> Result<Stream> {
        Ok(Stream::new(self.clone(), StreamName::new(name)?))
    }
}

impl Stream {
    pub(crate) fn new(redstream: Redstream, name: StreamName) -> Self {
        Self { redstream, name }
    }

    /// The stream's name.
    pub fn name(&self) -> &StreamName {
        &self.name
    }

    /// A consumer of that name: one place in the stream, however many hosts run it.
    ///
    /// A name that is not usable (empty, with white space, braces or a colon, ending in `.notify`) is an
    /// error of whatever runs it, before anything starts.
    pub fn consumer<H: Handler>(&self, name: impl Into<String>, handler: H) -> Consumer {
        let kind = std::any::type_name::<H>();
        Consumer::new(self.redstream.clone(), self.name.clone(), name.into(), Arc::new(handler), kind)
    }

    /// The worker that re-queues each delay message after `delay`, usually 5 minutes.
    ///
    /// The delay must exceed the time from a delay message to the end of its COMMIT. The delayer publishes it in Redis, where the
    /// adapter's connections read it: they send the delay messages of a transaction that is older than a fifth of it again.
    pub fn delayer(&self, delay: Duration) -> Delayer {
        Delayer::new(self.redstream.clone(), self.name.clone(), delay)
    }

    /// The worker that removes what every consumer has committed.
    pub fn trimmer(&self) -> Trimmer {
        Trimmer::new(self.redstream.clone(), self.name.clone())
    }

    /// How far each consumer has come.
    pub fn offsets(&self) -> OffsetStore {
        OffsetStore::new(self.redstream.clone(), self.name.clone())
    }

    /// The lock of a consumer, to be taken by hand. `ttl`: after how long without renewal another may take
    /// it; 5 seconds is what workers use.
    ///
    /// Errors where the name is not usable. Taking the lock registers the consumer, to begin at the earliest
    /// message.
    pub fn lock(&self, consumer: &str, ttl: Duration) -> Result<Lock> {
        Lock::check_ttl(ttl)?;
        Ok(Lock::consumer(&self.redstream, self.member(consumer)?, ttl))
    }

    /// Registers a consumer before it runs for the first time, so that trimming waits for it. Returns
    /// whether it was new.
    pub async fn register(&self, consumer: &str, start: Start) -> Result<bool> {
        let member = ConsumerKeys { start, ..self.member(consumer)? };
        self.redstream.link().script("register a consumer", &member.registration()).await
    }

    /// The names of the registered consumers, in no order.
    pub async fn consumers(&self) -> Result<Vec<String>> {
        registered::names(&self.redstream, &self.name).await
    }

    /// Retires a consumer: its place is dropped, and trimming no longer waits for it.
    ///
    /// # Errors
    ///
    /// With [`Error::StillRunning`] while its lock is held, and with [`Error::NoSuchConsumer`] if there is none of that name.
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

    /// The messages that `consumer` could not handle. Errors if the name is not usable; if there is no consumer of that name, and no
    /// dead letter, what is done with them errors.
    pub fn dead_letters(&self, consumer: &str) -> Result<DeadLetters> {
        check_consumer(consumer)?;
        Ok(DeadLetters::new(&self.redstream, &self.name, consumer))
    }

    /// The entries of the delay stream that the delayer could not move, since they have no field `payload`: nothing of ours writes such.
    /// They can be looked at and discarded; to redrive them is of no use.
    pub fn delayer_dead_letters(&self) -> DeadLetters {
        DeadLetters::new(&self.redstream, &self.name.delayed(), DELAYER)
    }

    /// How many main messages are in the stream, read or not.
    pub async fn len(&self) -> Result<u64> {
        self.length_of(self.redstream.keys().stream(&self.name)).await
    }

    /// Whether there is no main message in the stream.
    pub async fn is_empty(&self) -> Result<bool> {
        Ok(self.len().await? == 0)
    }

    /// How many delay messages wait for their time.
    pub async fn delay_len(&self) -> Result<u64> {
        self.length_of(self.redstream.keys().delay_stream(&self.name)).await
    }

    /// The id of the last main message ever added; `0-0` where there was none.
    pub async fn last_id(&self) -> Result<MessageId> {
        self.last_id_of(self.redstream.keys().stream(&self.name)).await
    }

    /// How many messages are in the stream that `consumer` has not committed.
    ///
    /// Counts them, in steps of 10,000 or 16 MiB: a long backlog takes a moment.
    /// A consumer that was never at work has committed nothing, and neither has one whose name is misspelled: all messages are counted.
    pub async fn lag(&self, consumer: &str) -> Result<u64> {
        const STEP: u64 = 10_000;
        check_consumer(consumer)?;
        let Some(offset) = self.offsets().get(consumer).await? else {
            return self.len().await;
        };
        let (mut lag, mut after) = (0, offset.to_string());
        loop {
            let mut script = scripts::COUNT.prepare_invoke();
            script.key(self.redstream.keys().stream(&self.name)).arg(&after).arg(STEP).arg(scripts::BUDGET);
            let (counted, last, all): (u64, String, bool) =
                self.redstream.link().script("measure a lag", &script).await?;
            lag += counted;
            if all {
                return Ok(lag);
            }
            after = last;
        }
    }

    /// How old the oldest message is that `consumer` has not committed, by the clock of Redis; zero where it has
    /// committed all. Of a name that is not there as [`lag`](Self::lag).
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
