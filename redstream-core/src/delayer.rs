//! The delayer: re-queues each delay message once its time has come, in case its main message never did.
//!
//! It is the consumer named `delayer` of the stream of delay messages. One script moves what is due, by
//! the clock of Redis alone, so that neither a crash nor a host's wrong clock loses or doubles a message.

use std::time::Duration;

use async_trait::async_trait;
use tokio_util::sync::CancellationToken;

use crate::chaos::{cross, local_ms};
use crate::consumer::check_batch_size;
use crate::lock::{Lock, LockGuard, millis};
use crate::mutation::{self, Mutation::LocalClock};
use crate::options::positive;
use crate::pulse::{Condition, Pulse};
use crate::registry::Member;
use crate::scripts::{self, BUDGET};
use crate::session::Session;
use crate::tenure::{self, Tenure, rest};
use crate::worker::Worker;
use crate::{Error, Redstream, Result, StreamName, metrics};

/// The consumer's name on the stream of delay messages.
pub(crate) const NAME: &str = "delayer";

/// It looks at the clock of Redis again after this long, should that have jumped.
const LONGEST_SLEEP: Duration = Duration::from_secs(30);

/// Turns delay messages into main messages when they are due; made by
/// [`Stream::delayer`](crate::Stream::delayer).
///
/// The same payload several times in one move is queued once. Run it on every host: one works, the
/// others stand by.
#[derive(Clone, Debug)]
pub struct Delayer {
    redstream: Redstream,
    stream: StreamName,
    delay: Duration,
    batch_size: usize,
    lock_ttl: Duration,
    pulse: Pulse,
}

/// What one [`run_once`](Delayer::run_once) did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Moved {
    /// Delay messages that were due, and are gone.
    pub due: u64,
    /// Main messages added for them: fewer where a payload was due several times.
    pub queued: u64,
    /// When the next one is due; `None` where no delay message waits.
    pub next: Option<Duration>,
}

impl Delayer {
    pub(crate) fn new(redstream: Redstream, stream: StreamName, delay: Duration) -> Self {
        Self { redstream, stream, delay, batch_size: 1000, lock_ttl: Duration::from_secs(5), pulse: Pulse::default() }
    }

    /// How many messages are moved at once at the most: Redis does nothing else meanwhile. Default: 1000,
    /// about 3 ms. Fewer where payloads are large: no more once they have come to 16 MiB.
    #[must_use]
    pub fn batch_size(mut self, messages: usize) -> Self {
        self.batch_size = messages;
        self
    }

    /// After how long without renewal another host may take over. Default: 5 seconds.
    #[must_use]
    pub fn lock_ttl(mut self, ttl: Duration) -> Self {
        self.lock_ttl = ttl;
        self
    }

    /// Moves what is due now, up to one batch. `None`: another host holds the lock.
    pub async fn run_once(&self) -> Result<Option<Moved>> {
        tenure::once(self).await
    }

    /// Moves what falls due, or stands by, until `shutdown`.
    ///
    /// Sleeps until the oldest message is due. Lives through lost connections and lost locks; errors only
    /// where waiting cannot help.
    pub async fn run(&self, shutdown: CancellationToken) -> Result<()> {
        tenure::serve(self, &shutdown).await
    }

    fn member(&self) -> Member {
        let note = format!(r#"{{"delay_ms":{}}}"#, millis(self.delay));
        Member { note, ..Member::new(self.redstream.keys(), &self.stream.delayed(), NAME) }
    }

    async fn move_due(&self, session: &Session, guard: &LockGuard) -> Result<Moved> {
        const ATTEMPT: &str = "move the delay messages that are due";
        let (ownership, member) = (guard.ownership(), self.member());
        let mut script = scripts::DELAY.prepare_invoke();
        script.key(&ownership.keys.lock).key(&member.registry).key(&member.offset);
        script.key(&member.stream).key(self.redstream.keys().stream(&self.stream));
        script.arg(&ownership.token).arg(millis(self.lock_ttl)).arg(NAME).arg(millis(self.delay)).arg(self.batch_size);
        script.arg(BUDGET);
        if mutation::is(LocalClock) {
            script.arg(local_ms().to_string());
        }
        cross("delayer: moving");
        let reply: Vec<String> = session.script(ATTEMPT, &script).await?;
        cross("delayer: moved");
        let unexpected = || Error::UnexpectedReply { attempt: ATTEMPT.to_owned(), reply: reply.join(" ") };
        let moved = match reply.iter().map(String::as_str).collect::<Vec<_>>()[..] {
            ["moved", due, queued, wait] => Moved {
                due: due.parse().map_err(|_| unexpected())?,
                queued: queued.parse().map_err(|_| unexpected())?,
                // -1: nothing waits
                next: wait.parse().ok().map(Duration::from_millis),
            },
            [refusal] => return Err(ownership.refused(ATTEMPT, refusal)),
            _ => return Err(unexpected()),
        };
        if moved.due > 0 {
            ::metrics::counter!(metrics::DELAYED, "stream" => self.stream.to_string()).increment(moved.due);
            tracing::debug!(stream = %self.stream, due = moved.due, queued = moved.queued, "delay messages re-queued");
        }
        Ok(moved)
    }
}

#[async_trait]
impl Tenure for Delayer {
    type Turn = Moved;

    fn redstream(&self) -> &Redstream {
        &self.redstream
    }

    fn lock(&self) -> Lock {
        Lock::consumer(&self.redstream, self.member(), self.lock_ttl)
    }

    fn own_pulse(&self) -> &Pulse {
        &self.pulse
    }

    async fn turn(&self, session: &Session, guard: &LockGuard) -> Result<Moved> {
        self.move_due(session, guard).await
    }

    async fn work(&self, session: &Session, guard: &LockGuard, shutdown: &CancellationToken) -> Result<()> {
        loop {
            self.pulse.turn(Condition::Working);
            let moved = self.move_due(session, guard).await?;
            self.pulse.progress(Condition::Idle);
            // One that comes later is not due before the whole delay has passed.
            let pause = moved.next.unwrap_or(self.delay).min(self.delay).min(LONGEST_SLEEP);
            if !rest(pause, guard, shutdown).await? {
                return Ok(());
            }
        }
    }
}

#[async_trait]
impl Worker for Delayer {
    fn name(&self) -> String {
        format!("delayer of {}", self.stream)
    }

    fn check(&self) -> Result<()> {
        positive("delay", self.delay)?;
        check_batch_size(self.batch_size)?;
        Lock::check_ttl(self.lock_ttl)
    }

    fn pulse(&self) -> Option<Pulse> {
        Some(self.pulse.clone())
    }

    async fn run(&self, shutdown: CancellationToken) -> Result<()> {
        Delayer::run(self, shutdown).await
    }
}
