//! Operations on a consumer from any host: pause, resume, rewind.

use std::time::Duration;

use crate::consumer::registered;
use crate::error::{Error, Result};
use crate::keys::{DELAYER, Keys};
use crate::message::MessageId;
use crate::stream::Stream;
use crate::time::{deadline, millis};
use crate::transport::scripts;
use crate::worker::Start;

/// How long a wake-up waits for a standby that has not begun to wait yet.
const NOTIFY_TTL: Duration = Duration::from_secs(5);

/// How often a pause checks whether the lock is free.
const LOOK: Duration = Duration::from_millis(20);

impl Stream {
    /// Pauses a consumer on all hosts, and waits for up to `within` until none of them is at work. Returns whether it
    /// is paused and no host works; otherwise the owner stops after its next attempt to commit or to renew its lock.
    ///
    /// A batch that is being handled is handled to its end, but not committed: it is repeated. Paused consumers stay
    /// paused over restarts, until [`resume`](Self::resume).
    ///
    /// # Errors
    ///
    /// [`Error::NoSuchConsumer`] if none of that name is registered.
    pub async fn pause(&self, consumer: &str, within: Duration) -> Result<bool> {
        self.flag(consumer, "1").await?;
        let deadline = deadline(within);
        while self.state(consumer).await?.1 {
            if tokio::time::Instant::now() >= deadline {
                return Ok(false);
            }
            tokio::time::sleep(LOOK).await;
        }
        Ok(true)
    }

    /// Lets a paused consumer work again, at once.
    ///
    /// # Errors
    ///
    /// [`Error::NoSuchConsumer`] if none of that name is registered.
    pub async fn resume(&self, consumer: &str) -> Result<()> {
        self.flag(consumer, "0").await
    }

    /// Whether the consumer is paused.
    ///
    /// # Errors
    ///
    /// If Redis does not answer.
    pub async fn is_paused(&self, consumer: &str) -> Result<bool> {
        Ok(self.state(consumer).await?.0)
    }

    /// Moves a consumer's offset: everything after `to` is handled next, again if it was handled before.
    /// [`Start::Latest`] skips what is there.
    ///
    /// The one exception to offsets moving forward only: it takes the lock away from its owner, whose commit is
    /// then refused. Messages that were trimmed do not come back: give the trimmer a
    /// [retention](crate::Trimmer::keep) if you want to rewind. Returns the new offset.
    ///
    /// # Errors
    ///
    /// [`Error::NoSuchConsumer`] if none of that name is registered; [`register`](Self::register) it first if it has
    /// never run.
    pub async fn rewind(&self, consumer: &str, to: Start) -> Result<MessageId> {
        const ATTEMPT: &str = "rewind a consumer";
        let member = self.member(consumer)?;
        let lock = self.redstream.keys().consumer_lock(&self.name, consumer);
        let mut script = scripts::REWIND.prepare_invoke();
        script.key(&lock).key(Keys::notify(&lock)).key(&member.registry).key(&member.offset).key(&member.stream);
        script.arg(consumer).arg(to.word()).arg(millis(NOTIFY_TTL));
        let offset: Option<String> = self.redstream.link().script(ATTEMPT, &script).await?;
        let Some(offset) = offset else {
            return Err(registered::no_such(&self.redstream, &self.name, consumer).await?);
        };
        offset.parse().map_err(|_| Error::UnexpectedReply { attempt: ATTEMPT.to_owned(), reply: offset })
    }

    /// Removes the recorded identity of a consumer, so that it can get another one: see
    /// [`Consumer::identity`](crate::Consumer::identity).
    ///
    /// # Errors
    ///
    /// [`Error::NoSuchConsumer`] if none of that name is registered.
    pub async fn clear_identity(&self, consumer: &str) -> Result<()> {
        let member = self.member(consumer)?;
        let mut script = scripts::IDENTIFY.prepare_invoke();
        script.key(&member.registry).arg(consumer).arg("").arg("0");
        let known: Option<Vec<String>> = self.redstream.link().script("clear what runs a consumer", &script).await?;
        if known.is_some() { Ok(()) } else { Err(registered::no_such(&self.redstream, &self.name, consumer).await?) }
    }

    /// The delay of this stream's delayer, as published when it last started; `None` if none ever ran. A writer's
    /// transactions must end well within it.
    ///
    /// # Errors
    ///
    /// If Redis does not answer.
    pub async fn published_delay(&self) -> Result<Option<Duration>> {
        let mut hget = redis::cmd("HGET");
        hget.arg(self.redstream.keys().registry(&self.name.delayed())).arg(DELAYER);
        let note: Option<String> = self.redstream.link().command("read a delayer's note", &hget).await?;
        Ok(note.as_deref().and_then(delay_of_note))
    }

    /// Whether some registered consumer [skips repeats](crate::Consumer::skip_repeats), so that writers should
    /// [mark](crate::Producer::announce_as_wanted) them.
    ///
    /// # Errors
    ///
    /// If Redis does not answer.
    pub async fn skips_repeats(&self) -> Result<bool> {
        let mut hvals = redis::cmd("HVALS");
        hvals.arg(self.redstream.keys().registry(&self.name));
        let notes: Vec<String> = self.redstream.link().command("read the registry", &hvals).await?;
        let skips = |note: &String| {
            serde_json::from_str::<serde_json::Value>(note).is_ok_and(|note| note["skips_repeats"] == true)
        };
        Ok(notes.iter().any(skips))
    }

    async fn flag(&self, consumer: &str, word: &str) -> Result<()> {
        let member = self.member(consumer)?;
        let lock = self.redstream.keys().consumer_lock(&self.name, consumer);
        let mut script = scripts::PAUSE.prepare_invoke();
        script.key(&member.registry).key(Keys::notify(&lock));
        script.arg(consumer).arg(word).arg(millis(NOTIFY_TTL));
        let known: bool = self.redstream.link().script("pause or resume a consumer", &script).await?;
        if known { Ok(()) } else { Err(registered::no_such(&self.redstream, &self.name, consumer).await?) }
    }

    /// Paused, and the lock is held.
    async fn state(&self, consumer: &str) -> Result<(bool, bool)> {
        let member = self.member(consumer)?;
        let mut script = scripts::PAUSED.prepare_invoke();
        script.key(&member.registry).key(self.redstream.keys().consumer_lock(&self.name, consumer)).arg(consumer);
        self.redstream.link().script("look at a consumer", &script).await
    }
}

pub(crate) fn delay_of_note(note: &str) -> Option<Duration> {
    let note: serde_json::Value = serde_json::from_str(note).ok()?;
    note["delay_ms"].as_u64().map(Duration::from_millis)
}
