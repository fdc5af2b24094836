//! The lock: at most one worker of a kind is at work; the others stand by and take over.
//!
//! A lock is a key with the holder's random token and a TTL. The holder renews it at a third of that; releasing it
//! wakes a standby at once, and the lock of a process that died expires within the TTL. No such lock can prevent a
//! *paused* process from believing that it still holds it: if another process acquired the lock meanwhile, its commits
//! are refused because of the token. If no other did, it still owns the lock and continues.

mod guard;
mod work;

use std::sync::Arc;
use std::time::Duration;

use tokio_util::sync::CancellationToken;

pub use guard::LockGuard;
pub(crate) use guard::Ownership;

use crate::error::{Error, Result};
use crate::keys::Keys;
use crate::message::{MessageId, StreamName};
use crate::redstream::Redstream;
use crate::time::millis;
use crate::transport::options::bounded;
use crate::transport::pool::Wanted;
use crate::transport::scripts;
use crate::transport::session::Session;
use crate::worker::holder::Holder;
use crate::worker::member::ConsumerKeys;

/// A standby checks again after this time at the latest.
const LONGEST_WAIT: Duration = Duration::from_secs(5);

/// The lock of one consumer, of the delayer or of the trimmer of a stream.
///
/// Workers acquire it themselves. Acquire it by hand to stop a consumer for a while, for example during a migration of
/// its datastore.
#[derive(Clone, Debug)]
pub struct Lock {
    redstream: Redstream,
    keys: Arc<LockKeys>,
    ttl: Duration,
}

#[derive(Debug)]
pub(crate) struct LockKeys {
    pub(crate) lock: String,
    pub(crate) notify: String,
    /// `None` for the trimmer and for a reindex, which are no consumers.
    pub(crate) member: Option<ConsumerKeys>,
}

/// The result of an attempt to acquire the lock.
pub(crate) enum Attempt {
    Acquired(LockGuard),
    Held {
        /// For this long, unless it is renewed or released.
        remaining: Duration,
        /// Whether a release can be waited for; not possible in an open slot of a Cluster
        can_wait: bool,
    },
    Paused,
}

/// The position of a consumer when its lock was acquired.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Found {
    pub(crate) offset: Option<MessageId>,
    pub(crate) last: MessageId,
    pub(crate) rewinds: u64,
}

impl Found {
    /// Where to continue reading: never beyond the stream's end, after which nothing would be found for a while.
    pub(crate) fn cursor(&self) -> MessageId {
        self.offset.unwrap_or(MessageId::MIN).min(self.last)
    }
}

/// Why a lock cannot be acquired for now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Waiting {
    /// Another process holds it.
    Held,
    Paused,
}

impl Lock {
    pub(crate) fn consumer(redstream: &Redstream, member: ConsumerKeys, ttl: Duration) -> Self {
        let lock = redstream.keys().consumer_lock(&member.stream_name, &member.name);
        Self::new(redstream, lock, Some(member), ttl)
    }

    pub(crate) fn trimmer(redstream: &Redstream, stream: &StreamName, ttl: Duration) -> Self {
        Self::new(redstream, redstream.keys().trimmer_lock(stream), None, ttl)
    }

    pub(crate) fn reindex(redstream: &Redstream, stream: &StreamName, ttl: Duration) -> Self {
        Self::new(redstream, redstream.keys().reindex_lock(stream), None, ttl)
    }

    pub(crate) fn work(redstream: &Redstream, stream: &StreamName, work: &str, ttl: Duration) -> Self {
        Self::new(redstream, redstream.keys().work_lock(stream, work), None, ttl)
    }

    fn new(redstream: &Redstream, lock: String, member: Option<ConsumerKeys>, ttl: Duration) -> Self {
        let keys = Arc::new(LockKeys { notify: Keys::notify(&lock), lock, member });
        Self { redstream: redstream.clone(), keys, ttl }
    }

    /// Refuses a TTL that renewal could not keep up with.
    pub(crate) fn check_ttl(ttl: Duration) -> Result<()> {
        bounded("lock_ttl", ttl)?;
        if ttl < Duration::from_millis(100) {
            return Err(Error::InvalidOption {
                option: "lock_ttl",
                reason: format!("{ttl:?} is shorter than 100 ms, too short to be renewed in time"),
            });
        }
        Ok(())
    }

    /// The lock's key in Redis.
    pub fn key(&self) -> &str {
        &self.keys.lock
    }

    /// Acquires the lock if it is free; `None` if another process holds it.
    ///
    /// # Errors
    ///
    /// If Redis does not answer; [`Error::Paused`] if the consumer is paused.
    pub async fn try_acquire(&self) -> Result<Option<LockGuard>> {
        Lock::check_ttl(self.ttl)?;
        let session = Session::open(self.redstream.link()).await?;
        self.tell_if_new(&session).await?;
        // Boxed: a large future, and callers hold several.
        match Box::pin(self.attempt(&session)).await? {
            Attempt::Acquired(guard) => Ok(Some(guard)),
            Attempt::Held { .. } => Ok(None),
            Attempt::Paused => Err(self.paused()),
        }
    }

    /// Waits for the lock for up to `bound`; `None` if another process still holds it then. Tries at least once,
    /// however short the bound.
    ///
    /// A reply of Redis that is pending when the bound has passed is waited for, up to
    /// [`response_timeout`](crate::ConnectOptions::response_timeout). Dropping the future meanwhile can leave the lock
    /// held until its TTL has passed, as a crash does.
    ///
    /// # Errors
    ///
    /// If Redis does not answer.
    pub async fn acquire_within(&self, bound: Duration) -> Result<Option<LockGuard>> {
        Lock::check_ttl(self.ttl)?;
        let session = Session::open(self.redstream.link()).await?;
        self.tell_if_new(&session).await?;
        // Cancelling the wait can consume a wake-up meant for another standby, which then checks again by itself after
        // the TTL that it was told.
        let over = CancellationToken::new();
        let mut waiting = std::pin::pin!(self.stand_by(&session, &over, |_| ()));
        tokio::select! {
            biased;
            guard = &mut waiting => guard,
            () = tokio::time::sleep(bound) => {
                over.cancel();
                waiting.await
            }
        }
    }

    /// A lock that is acquired by hand usually belongs to an existing consumer: with a misspelled name it would not
    /// stop the intended one.
    async fn tell_if_new(&self, session: &Session) -> Result<()> {
        let Some(member) = &self.keys.member else { return Ok(()) };
        if session.script("register a consumer", &member.registration()).await? {
            tracing::warn!(
                stream = %member.stream_name, consumer = member.name,
                "the lock of a consumer that was not registered: it is now, and trimming waits for it; forget it if the name is mistyped"
            );
        }
        Ok(())
    }

    /// Waits for the lock until `shutdown`; `None` then. Calls back each time that it has to wait.
    pub(crate) async fn stand_by(
        &self,
        session: &Session,
        shutdown: &CancellationToken,
        standing_by: impl Fn(Waiting),
    ) -> Result<Option<LockGuard>> {
        while !shutdown.is_cancelled() {
            // Never interrupted: a lock without an owner would remain until its TTL.
            let (waiting, pause, can_wait) = match self.attempt(session).await? {
                Attempt::Acquired(guard) => return Ok(Some(guard)),
                Attempt::Held { remaining, can_wait } => {
                    (Waiting::Held, remaining.min(LONGEST_WAIT) + Duration::from_millis(5), can_wait)
                }
                Attempt::Paused => (Waiting::Paused, Duration::from_secs(1), true),
            };
            standing_by(waiting);
            if !can_wait {
                shutdown.run_until_cancelled(tokio::time::sleep(pause)).await;
                continue;
            }
            let woken = self.wait_for_release(session, pause);
            shutdown.run_until_cancelled(woken).await.transpose()?;
        }
        Ok(None)
    }

    async fn wait_for_release(&self, session: &Session, pause: Duration) -> Result<()> {
        const ATTEMPT: &str = "wait for a lock";
        let list = &self.keys.notify;
        if !session.waits_alone() && session.wait(ATTEMPT, Wanted::Item { list }, pause).await? {
            return Ok(());
        }
        let mut pop = redis::cmd("BRPOP");
        pop.arg(list).arg(pause.as_secs_f64());
        session.blocking::<Option<(String, String)>>(ATTEMPT, &pop, pause).await.map(drop)
    }

    /// Registers a consumer while it stands by, so that trimming waits for it from now on.
    pub(crate) async fn register(&self, session: &Session) -> Result<()> {
        let Some(member) = &self.keys.member else { return Ok(()) };
        match session.script::<u8>("register a consumer", &member.registration()).await {
            Err(error @ Error::SlotOpen { .. }) => {
                let mut hget = redis::cmd("HGET");
                hget.arg(&member.registry).arg(&member.name);
                let known: Option<String> = session.command("look for a consumer", &hget).await?;
                known.map(drop).ok_or(error)
            }
            registered => registered.map(drop),
        }
    }

    /// The same without a session, on the shared connection.
    pub(crate) async fn register_now(&self) -> Result<()> {
        if let Some(member) = &self.keys.member {
            let _newly: u8 = self.redstream.link().script("register a consumer", &member.registration()).await?;
        }
        Ok(())
    }

    pub(crate) fn ttl(&self) -> Duration {
        self.ttl
    }

    pub(crate) async fn attempt(&self, session: &Session) -> Result<Attempt> {
        self.attempt_with(session, uuid::Uuid::new_v4().simple().to_string()).await
    }

    /// `token`: 32 hex digits that no other holder has. The stored value also names this process, for people, and ends
    /// with the TTL, so that a standby can detect a lock that outlives it.
    pub(crate) async fn attempt_with(&self, session: &Session, token: String) -> Result<Attempt> {
        let token = format!("{token}@{}/{}", Holder::this_process(), millis(self.ttl));
        match self.script(session, token).await {
            Err(error @ Error::SlotOpen { .. }) => self.held_in_an_open_slot(session).await.ok_or(error),
            outcome => outcome,
        }
    }

    /// In an open slot the script cannot run, since it names keys that need not exist. A lock that is held can be read;
    /// a lock that is free cannot be acquired.
    async fn held_in_an_open_slot(&self, session: &Session) -> Option<Attempt> {
        let mut pttl = redis::cmd("PTTL");
        pttl.arg(&self.keys.lock);
        let remaining: i64 = session.command("look at a lock", &pttl).await.ok()?;
        let remaining = Duration::from_millis(u64::try_from(remaining).ok()?);
        Some(Attempt::Held { remaining, can_wait: false })
    }

    async fn script(&self, session: &Session, token: String) -> Result<Attempt> {
        const ATTEMPT: &str = "take a lock";
        let mut script = scripts::ACQUIRE.prepare_invoke();
        script.key(&self.keys.lock).key(&self.keys.notify);
        if let Some(member) = &self.keys.member {
            script.key(&member.registry).key(&member.offset).key(&member.stream);
        }
        script.arg(&token).arg(millis(self.ttl));
        if let Some(member) = &self.keys.member {
            script.arg(&member.name).arg(member.note_of_owner(&token)).arg(member.start.word());
        }
        let reply: Vec<String> = session.script(ATTEMPT, &script).await?;
        let words: Vec<&str> = reply.iter().map(String::as_str).collect();
        match words[..] {
            ["acquired", offset, last, rewinds] => {
                let rewinds = rewinds.parse().unwrap_or(0);
                let found = Found { offset: self.id(offset)?, last: self.id(last)?.unwrap_or_default(), rewinds };
                Ok(Attempt::Acquired(LockGuard::new(self, session.clone(), token, found)))
            }
            ["held", remaining, cut] => {
                // A lock without TTL (-1) is not one of ours; check again later.
                let remaining = remaining.parse().map_or(LONGEST_WAIT, Duration::from_millis);
                self.tell_of_a_step(cut.parse().map_or(Duration::ZERO, Duration::from_millis));
                Ok(Attempt::Held { remaining, can_wait: true })
            }
            ["paused"] => Ok(Attempt::Paused),
            _ => Err(Error::UnexpectedReply { attempt: ATTEMPT.to_owned(), reply: reply.join(" ") }),
        }
    }

    /// The lock would have remained for this much longer than its holder requested.
    pub(crate) fn tell_of_a_step(&self, cut: Duration) {
        // Clocks are corrected by a little all the time.
        if cut > Duration::from_secs(1) {
            tracing::warn!(
                lock = self.keys.lock, by = ?cut,
                "Redis's clock went back: a lock would have outlived its TTL by that, and was cut to it. A holder that lives \
                 keeps it"
            );
        }
    }

    fn id(&self, text: &str) -> Result<Option<MessageId>> {
        if text.is_empty() {
            return Ok(None);
        }
        text.parse().map(Some).map_err(|_| Error::UnexpectedReply {
            attempt: format!("read the offset that belongs to {}", self.keys.lock),
            reply: text.chars().take(64).collect(),
        })
    }

    /// The error of an attempt that finds the consumer paused.
    pub(crate) fn paused(&self) -> Error {
        match &self.keys.member {
            Some(member) => Error::Paused { stream: member.stream_name.clone(), consumer: member.name.clone() },
            None => Error::LockLost { lock: self.keys.lock.clone() },
        }
    }
}
