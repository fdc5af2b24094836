//! The trimmer: removes messages that all consumers have committed, and never beyond one of them.
//!
//! Uses the worker and what is below it.

mod sweep;
mod watch;

use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use async_trait::async_trait;
use tokio_util::sync::CancellationToken;

use self::watch::Watched;
use crate::error::Result;
use crate::message::name::check_consumer;
use crate::message::{MessageId, StreamName};
use crate::redstream::Redstream;
use crate::transport::options::positive;
use crate::transport::session::Session;
use crate::worker::leadership::{self, Leader, rest};
use crate::worker::{Lock, LockGuard, Worker, WorkerState, WorkerStatus};

/// Removes messages that are no longer needed; made by [`Stream::trimmer`](crate::Stream::trimmer).
///
/// By default a message is removed when **every** registered consumer has committed it; a consumer that has not
/// committed anything yet keeps everything. [`Stream::forget`](crate::Stream::forget) retires a consumer that will not
/// run again.
///
/// Consumer groups of Redis on the stream (`XREADGROUP`) are not consumers, and are not waited for. From Redis 8.2 on,
/// messages that a group has not acknowledged are kept (`XTRIM … ACKED`); before, they are removed once all consumers
/// have committed them. The trimmer warns in both cases.
///
/// A trimmer of the Ruby gem does not know the registry and trims beyond our consumers: run one kind of
/// trimmer on a stream.
#[derive(Clone, Debug)]
pub struct Trimmer {
    redstream: Redstream,
    stream: StreamName,
    interval: Duration,
    lock_ttl: Duration,
    listed: Vec<String>,
    policy: Policy,
    warn_behind: Duration,
    status: WorkerStatus,
    groups_told: Arc<AtomicBool>,
    unregistered_told: Arc<AtomicBool>,
}

#[derive(Clone, Copy, Debug)]
enum Policy {
    /// Messages that all have committed and that are older than this.
    Committed { keep: Duration },
    /// Messages that are older than this, read or not.
    Expired { after: Duration },
}

/// The result of [`run_once`](Trimmer::run_once).
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Trimmed {
    /// This many entries were removed, of one message or several.
    Removed(u64),
    /// No message may be removed, since this consumer has committed nothing yet.
    WaitingFor(String),
    /// The stream has no consumer, so it is not known which messages are still needed.
    NoConsumers,
    /// This consumer's offset is beyond the stream's last message: Redis lost messages that the
    /// consumer had seen. Nothing is removed.
    OffsetBeyondStream {
        /// The consumer.
        consumer: String,
        /// Its offset.
        offset: MessageId,
        /// The last message that the stream knows of.
        last: MessageId,
    },
    /// Another host holds the trimmer's lock.
    Standby,
}

impl Trimmer {
    pub(crate) fn new(redstream: Redstream, stream: StreamName) -> Self {
        Self {
            redstream,
            stream,
            interval: Duration::from_secs(30),
            lock_ttl: Duration::from_secs(5),
            listed: Vec::new(),
            policy: Policy::Committed { keep: Duration::ZERO },
            warn_behind: Duration::from_secs(900),
            status: WorkerStatus::default(),
            groups_told: Arc::default(),
            unregistered_told: Arc::default(),
        }
    }

    /// The pause between two sweeps. Default: 30 seconds.
    #[must_use]
    pub fn interval(mut self, interval: Duration) -> Self {
        self.interval = interval;
        self
    }

    /// After how long without renewal another host may take over. Default: 5 seconds.
    #[must_use]
    pub fn lock_ttl(mut self, ttl: Duration) -> Self {
        self.lock_ttl = ttl;
        self
    }

    /// Also waits for this consumer, which does not register itself, such as a consumer of the Ruby gem. Writers do not
    /// know of it either: if it reads the stream beside consumers of this crate, switch off
    /// [`ConnectOptions::packed`](crate::ConnectOptions::packed).
    #[must_use]
    pub fn also(mut self, consumer: impl Into<String>) -> Self {
        self.listed.push(consumer.into());
        self
    }

    /// Keeps messages for at least this long after they were added, even if all have committed them, so that a
    /// consumer can be rewound. Default: zero.
    #[must_use]
    pub fn keep(mut self, retention: Duration) -> Self {
        self.policy = Policy::Committed { keep: retention };
        self
    }

    /// Removes messages of that age, **read or not**: the classic form, which bounds memory and can remove what a slow
    /// consumer has not read yet. It then logs a warning with the count.
    #[must_use]
    pub fn expire_after(mut self, age: Duration) -> Self {
        self.policy = Policy::Expired { after: age };
        self
    }

    /// How old a consumer's oldest uncommitted message may be before a warning says that it prevents trimming. Default:
    /// 15 minutes. The gauge `redstream_consumer_behind_seconds` has the age at each sweep.
    #[must_use]
    pub fn warn_behind(mut self, age: Duration) -> Self {
        self.warn_behind = age;
        self
    }

    /// Runs one sweep. Returns its result.
    ///
    /// # Errors
    ///
    /// As [`run`](Self::run), and if Redis does not answer.
    pub async fn run_once(&self) -> Result<Trimmed> {
        leadership::once(self).await.map(|trimmed| trimmed.unwrap_or(Trimmed::Standby))
    }

    /// Sweeps in intervals, or stands by, until `shutdown`.
    ///
    /// # Errors
    ///
    /// Only if waiting cannot help, as with [`Consumer::run`](crate::Consumer::run).
    pub async fn run(&self, shutdown: CancellationToken) -> Result<()> {
        leadership::serve(self, &shutdown).await
    }
}

#[async_trait]
impl Leader for Trimmer {
    type Step = Trimmed;

    fn redstream(&self) -> &Redstream {
        &self.redstream
    }

    fn lock(&self) -> Lock {
        Lock::trimmer(&self.redstream, &self.stream, self.lock_ttl)
    }

    fn own_status(&self) -> &WorkerStatus {
        &self.status
    }

    async fn step(&self, session: &Session, _: &LockGuard) -> Result<Trimmed> {
        self.sweep(session).await
    }

    async fn lead(&self, session: &Session, guard: &LockGuard, shutdown: &CancellationToken) -> Result<()> {
        let mut watched = Watched::of(&self.stream);
        loop {
            self.status.set_state(WorkerState::Working);
            let trimmed = self.sweep(session).await?;
            self.watch(session, &mut watched).await?;
            self.status.achieved();
            self.status.set_state(WorkerState::Idle);
            self.report(&trimmed);
            if !rest(self.interval, guard, shutdown).await? {
                return Ok(());
            }
        }
    }
}

#[async_trait]
impl Worker for Trimmer {
    fn name(&self) -> String {
        format!("trimmer of {}", self.stream)
    }

    fn check(&self) -> Result<()> {
        self.listed.iter().try_for_each(|name| check_consumer(name))?;
        positive("interval", self.interval)?;
        if let Policy::Expired { after } = self.policy {
            positive("expire_after", after)?;
        }
        Lock::check_ttl(self.lock_ttl)
    }

    fn status(&self) -> Option<WorkerStatus> {
        Some(self.status.clone())
    }

    async fn run(&self, shutdown: CancellationToken) -> Result<()> {
        Trimmer::run(self, shutdown).await
    }
}
