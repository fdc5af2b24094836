//! The delayer: re-queues each delay message once it is due, in case its main message was never written.
//!
//! It is the consumer named `delayer` of the stream of delay messages. One script moves the due messages, by the clock
//! of Redis alone, so that neither a crash nor a host's wrong clock loses or duplicates a message. The next messages
//! are read while it runs: the waiting messages are the stream's oldest, and stay so whatever is added.
//!
//! Uses the consumer, whose way of reading a stream it shares, and what is below.

mod clock;
mod due;
mod prefetch;

use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use redis::ScriptInvocation;
use tokio_util::sync::CancellationToken;

use self::clock::Clock;
use self::due::Due;
use self::prefetch::Ahead;
use crate::consumer::fetch::{Fetch, Limits, Portion, read_now};
use crate::error::{Error, Result};
use crate::failpoint::failpoint;
use crate::keys::DELAYER;
use crate::message::entry::SEPARATOR;
use crate::message::{Message, MessageId, StreamName};
use crate::metrics;
use crate::redstream::Redstream;
use crate::time::millis;
use crate::transport::options::{bounded, check_batch_size};
use crate::transport::scripts;
use crate::transport::session::Session;
use crate::worker::leadership::{self, Leader, rest};
use crate::worker::member::ConsumerKeys;
use crate::worker::{Lock, LockGuard, Worker, WorkerState, WorkerStatus};

/// It reads the clock of Redis again after this time, in case the clock was changed.
const LONGEST_SLEEP: Duration = Duration::from_secs(30);

/// The limit of one move in bytes, and of one message: they are sent to the delayer and back.
const BUDGET: usize = 1 << 20;

/// Turns delay messages into main messages when they are due; made by
/// [`Stream::delayer`](crate::Stream::delayer).
///
/// Duplicates of a payload in one move are queued once. Run it on every host: one works, the others stand by.
#[derive(Clone, Debug)]
pub struct Delayer {
    redstream: Redstream,
    stream: StreamName,
    delay: Duration,
    batch_size: usize,
    lock_ttl: Duration,
    status: WorkerStatus,
    portion: Portion,
    clock: Arc<Mutex<Clock>>,
}

/// The result of [`run_once`](Delayer::run_once).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Moved {
    /// Delay messages that were due, and are removed.
    pub due: u64,
    /// Main messages added for them: fewer if a payload was due several times.
    pub queued: u64,
    /// When the next one is due; `None` if no delay message waits.
    pub next: Option<Duration>,
}

impl Delayer {
    pub(crate) fn new(redstream: Redstream, stream: StreamName, delay: Duration) -> Self {
        let lock_ttl = Duration::from_secs(5);
        Self {
            redstream,
            stream,
            delay,
            batch_size: 1000,
            lock_ttl,
            status: WorkerStatus::default(),
            portion: Portion::default(),
            clock: Arc::default(),
        }
    }

    /// How many messages are moved at once at most: Redis does nothing else meanwhile. Default: 1000, about 3 ms. Fewer
    /// if payloads are large: no more are added after 1 MiB.
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
    ///
    /// # Errors
    ///
    /// As [`run`](Self::run), and if Redis does not answer.
    pub async fn run_once(&self) -> Result<Option<Moved>> {
        leadership::once(self).await
    }

    /// Moves messages when they are due, or stands by, until `shutdown`.
    ///
    /// Sleeps until the oldest message is due. Retries after lost connections and lost locks.
    ///
    /// # Errors
    ///
    /// Only if waiting cannot help, as with [`Consumer::run`](crate::Consumer::run).
    pub async fn run(&self, shutdown: CancellationToken) -> Result<()> {
        leadership::serve(self, &shutdown).await
    }

    /// What is moved is removed from the stream, so an entry is moved as a whole.
    fn limits(&self) -> Limits {
        Limits { most: self.batch_size, budget: BUDGET, whole_entries: true }
    }

    fn member(&self) -> ConsumerKeys {
        let note = format!(r#"{{"delay_ms":{}}}"#, millis(self.delay));
        let keys = ConsumerKeys::new(self.redstream.keys(), &self.stream.delayed(), DELAYER);
        ConsumerKeys { note, reads_packs: true, ..keys }
    }

    /// The move of the messages of this batch that are due by the last known time of Redis.
    fn a_move(&self, guard: &LockGuard, batch: &[Message], now: u64) -> Move {
        let due = Due::of(batch, now, millis(self.delay));
        let (ownership, member) = (guard.ownership(), self.member());
        let mut script = scripts::DELAY.prepare_invoke();
        script.key(&ownership.keys.lock).key(&member.registry).key(&member.offset);
        script.key(&member.stream).key(self.redstream.keys().stream(&self.stream));
        if !due.without.is_empty() {
            script.key(&member.dead_letters);
        }
        // Whether their readers read packs is decided by the script.
        let entries = || due.entries(self.redstream.is_packed());
        let kinds: String = entries().map(|entry| if entry.len() == 1 { 'o' } else { 's' }).collect();
        if kinds.contains('s') {
            script.key(self.redstream.keys().registry(&self.stream));
        }
        script.arg(&ownership.token).arg(millis(self.lock_ttl)).arg(DELAYER).arg(millis(self.delay));
        script.arg(due.last.to_string()).arg(due.without.len()).arg(kinds);
        for id in &due.without {
            script.arg(id.to_string());
        }
        for entry in entries() {
            match entry {
                [payload] => script.arg(payload),
                several => script.arg(several.join(&SEPARATOR)),
            };
        }
        Move { script, due: due.count, queued: due.queued(), dead: due.without, last: due.last }
    }

    /// Moves them; moves none if the last of them is not due by the clock of Redis. Reads the clock in any case.
    async fn carry_out(&self, session: &Session, guard: &LockGuard, these: &Move) -> Result<Look> {
        const ATTEMPT: &str = "move the delay messages that are due";
        failpoint!("delayer: moving");
        let reply: Vec<String> = session.script(ATTEMPT, &these.script).await?;
        failpoint!("delayer: moved");
        let unexpected = || Error::UnexpectedReply { attempt: ATTEMPT.to_owned(), reply: reply.join(" ") };
        let look = match reply.iter().map(String::as_str).collect::<Vec<_>>()[..] {
            ["moved", moved, now, wait] => Look {
                moved: moved == "1",
                now: now.parse().map_err(|_| unexpected())?,
                // -1: no message waits
                next: wait.parse().ok().map(Duration::from_millis),
            },
            [refusal] => return Err(guard.ownership().refused(ATTEMPT, refusal)),
            _ => return Err(unexpected()),
        };
        if these.due > 0 && look.moved {
            ::metrics::counter!(metrics::DELAYED, "stream" => self.stream.to_string()).increment(these.due);
            tracing::debug!(stream = %self.stream, due = these.due, queued = these.queued, "delay messages re-queued");
        }
        if let (Some(first), true) = (these.dead.first(), look.moved) {
            let labels = [("stream", self.stream.to_string()), ("consumer", DELAYER.to_owned())];
            ::metrics::counter!(metrics::DEAD, &labels).increment(these.dead.len() as u64);
            tracing::error!(
                stream = %self.stream, first = %first, entries = these.dead.len(),
                "delay messages without a field `payload`: they go to Stream::delayer_dead_letters, and the delayer goes on"
            );
        }
        Ok(look)
    }

    /// Moves all that is due, and returns when the next one is.
    ///
    /// Redis always has work: while it moves one batch the next is prepared, and the batch after that is requested.
    /// Each is read from the end of the previous move, so that none is left out.
    async fn move_all(
        &self,
        session: &Session,
        guard: &LockGuard,
        ahead: &mut Ahead,
        shutdown: &CancellationToken,
    ) -> Result<Option<Duration>> {
        let mut looked = self.carry_out(session, guard, &self.a_move(guard, &[], 0)).await?;
        self.watch(session, &looked).await?;
        let mut batch = ahead.batch(MessageId::MIN).await?;
        let mut ready = self.a_move(guard, &batch, looked.now);
        while ready.due > 0 && looked.moved && !shutdown.is_cancelled() {
            let preparing = async {
                batch = ahead.batch(ready.last).await?;
                let next = self.a_move(guard, &batch, looked.now);
                if next.due > 0 {
                    ahead.ask(next.last).await;
                }
                Ok::<_, Error>(next)
            };
            let (moved, next) = tokio::join!(self.carry_out(session, guard, &ready), preparing);
            (looked, ready) = (moved?, next?);
            if ready.due == 0 {
                // It was prepared with an older time.
                ready = self.a_move(guard, &batch, looked.now);
            }
            self.status.achieved();
        }
        Ok(looked.next)
    }
}

/// Delay messages to be moved, in the form of the script's arguments.
struct Move {
    script: ScriptInvocation<'static>,
    due: u64,
    queued: u64,
    /// Those that cannot be moved.
    dead: Vec<MessageId>,
    last: MessageId,
}

/// The clock of Redis, and its oldest message.
#[derive(Debug)]
struct Look {
    /// The given messages were moved.
    moved: bool,
    /// Milliseconds since 1970.
    now: u64,
    next: Option<Duration>,
}

#[async_trait]
impl Leader for Delayer {
    type Step = Moved;

    fn redstream(&self) -> &Redstream {
        &self.redstream
    }

    fn lock(&self) -> Lock {
        Lock::consumer(&self.redstream, self.member(), self.lock_ttl)
    }

    fn own_status(&self) -> &WorkerStatus {
        &self.status
    }

    async fn step(&self, session: &Session, guard: &LockGuard) -> Result<Moved> {
        let stream = self.member().stream;
        let looked = self.carry_out(session, guard, &self.a_move(guard, &[], 0)).await?;
        let batch = read_now(session, &stream, self.limits(), &self.portion, MessageId::MIN).await?;
        let these = self.a_move(guard, &batch, looked.now);
        let Look { moved, next, .. } = self.carry_out(session, guard, &these).await?;
        let (due, queued) = if moved { (these.due, these.queued) } else { (0, 0) };
        Ok(Moved { due, queued, next })
    }

    async fn lead(&self, session: &Session, guard: &LockGuard, shutdown: &CancellationToken) -> Result<()> {
        let source = Fetch::new(session.clone(), &self.member().stream, self.limits(), &self.portion);
        let mut ahead = Ahead::new(source);
        loop {
            self.status.set_state(WorkerState::Working);
            let next = self.move_all(session, guard, &mut ahead, shutdown).await?;
            self.status.achieved();
            self.status.set_state(WorkerState::Idle);
            // A later message is not due before the whole delay has passed.
            let pause = next.unwrap_or(self.delay).min(self.delay).min(LONGEST_SLEEP);
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
        bounded("delay", self.delay)?;
        check_batch_size(self.batch_size)?;
        Lock::check_ttl(self.lock_ttl)
    }

    fn status(&self) -> Option<WorkerStatus> {
        Some(self.status.clone())
    }

    async fn run(&self, shutdown: CancellationToken) -> Result<()> {
        Delayer::run(self, shutdown).await
    }
}
