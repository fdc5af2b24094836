//! The consumer: reads a stream in batches, passes them to the handler, and commits its offset.
//!
//! In the order of a batch: [`fetch`] reads it, `prefetch` reads the next one meanwhile; `run` passes it to a
//! [`handler`], as a [`batch`] with a [`version`]; `failure` retries it if that fails, up to the [`dead_letters`];
//! [`offsets`] are what is committed. `record` and [`loss`] check what Redis has recorded when the work begins.
//! [`sync`] waits for a consumer from outside.
//!
//! Uses the worker and what is below it. The delayer also reads by [`fetch`].

mod batch;
mod blocking;
pub(crate) mod dead_letters;
mod failure;
pub(crate) mod fetch;
mod fingerprint;
mod handler;
mod loss;
mod neglect;
mod offsets;
mod oversized;
mod prefetch;
mod record;
pub(crate) mod registered;
mod run;
mod spans;
mod sync;
mod told;
mod version;
mod written_streams;

pub use batch::Batch;
pub use dead_letters::{DeadLetter, DeadLetters};
pub use failure::OnPoison;
pub use handler::{Handler, HandlerError, Prepared};
pub use loss::{Loss, LossKind};
pub use offsets::{Committed, OffsetStore};
pub use sync::SyncToken;
pub use written_streams::WrittenStreams;

use record::Identity;
pub(crate) use told::Told;

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use tokio_util::sync::CancellationToken;

use crate::consumer::fetch::{Limits, Portion};
use crate::consumer::loss::Memory;
use crate::consumer::version::Highest;
use crate::error::{Error, Result};
use crate::message::name::check_consumer;
use crate::message::{Message, StreamName};
use crate::redstream::Redstream;
use crate::transport::options::{bounded, check_batch_size};
use crate::transport::scripts::BUDGET;
use crate::worker::leadership;
use crate::worker::member::ConsumerKeys;
use crate::worker::{Lock, Start, Worker, WorkerStatus};

/// A named reader of a stream, made by [`Stream::consumer`](crate::Stream::consumer).
///
/// Run it on as many hosts as you like: one of them holds the consumer's lock and works, the others stand by. Each
/// batch is handled, then committed; a batch that was not committed is repeated, by the owner of the lock then. The
/// next batch is read while the handler works, and is handled without waiting for the commit of the last if it arrived
/// after that; commits of such batches are at least a millisecond apart, so that one may cover several batches.
///
/// A handler that fails or panics gets the same messages again after a pause. A message that fails permanently goes to
/// the consumer's dead letters; if nothing can be handled, no message is given up: see [`OnPoison`].
#[derive(Clone)]
pub struct Consumer {
    redstream: Redstream,
    stream: StreamName,
    name: String,
    handler: Arc<dyn Handler>,
    identity: Identity,
    batch_size: usize,
    lock_ttl: Duration,
    start: Start,
    backoff: (Duration, Duration),
    attempts: u32,
    on_poison: OnPoison,
    skips_repeats: bool,
    on_loss: Option<Arc<dyn Fn(Loss) + Send + Sync>>,
    handler_timeout: Option<Duration>,
    warn_neglect: Duration,
    max_payload: usize,
    told: Told,
    status: WorkerStatus,
    highest: Highest,
    memory: Memory,
    portion: Portion,
    /// A message that was handled: if others fail, it is retried to find out whether the datastore answers.
    canary: Arc<tokio::sync::Mutex<Option<Message>>>,
}

/// The result of [`run_once`](Consumer::run_once).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Progress {
    /// This many messages were handled and committed.
    Handled(usize),
    /// There was nothing to read.
    Idle,
    /// Another host holds the lock.
    Standby,
}

impl Consumer {
    /// `kind`: the handler's type.
    pub(crate) fn new(
        redstream: Redstream,
        stream: StreamName,
        name: String,
        handler: Arc<dyn Handler>,
        kind: &'static str,
    ) -> Self {
        let identity = handler.identity().map_or_else(|| Identity::derived(kind), Identity::given);
        Self {
            redstream,
            stream,
            name,
            handler,
            identity,
            batch_size: 1000,
            lock_ttl: Duration::from_secs(5),
            start: Start::Earliest,
            backoff: (Duration::from_millis(100), Duration::from_secs(30)),
            attempts: 5,
            on_poison: OnPoison::DeadLetter,
            skips_repeats: false,
            on_loss: None,
            handler_timeout: None,
            warn_neglect: Duration::from_secs(300),
            max_payload: BUDGET,
            told: Told::default(),
            status: WorkerStatus::default(),
            highest: Highest::default(),
            memory: Memory::default(),
            portion: Portion::default(),
            canary: Arc::default(),
        }
    }

    /// How many messages a batch has at most. Default: 1000. Batches are smaller if payloads are large, since no more
    /// messages are added after 16 MiB, and because an entry of the stream, which holds up to 100 messages, is not
    /// divided unless it has more messages than this; it is committed when the last of them is handled.
    #[must_use]
    pub fn batch_size(mut self, messages: usize) -> Self {
        self.batch_size = messages;
        self
    }

    /// After how long without renewal another host may take over. Default: 5 seconds, renewed at a
    /// third of that; at least 100 milliseconds.
    #[must_use]
    pub fn lock_ttl(mut self, ttl: Duration) -> Self {
        self.lock_ttl = ttl;
        self
    }

    /// Where the consumer begins if it is new to the stream. Default: [`Start::Earliest`].
    #[must_use]
    pub fn start(mut self, start: Start) -> Self {
        self.start = start;
        self
    }

    /// The pause after a handler's first failure, and the longest pause. Pauses double in between, and each has a
    /// random part. Default: 100 milliseconds to 30 seconds.
    ///
    /// While *nothing* can be handled, and while Redis is unavailable, a pause is at most two seconds, so that work
    /// continues soon afterwards: only one message or connection is tried then, which costs little.
    #[must_use]
    pub fn backoff(mut self, min: Duration, max: Duration) -> Self {
        self.backoff = (min, max);
        self
    }

    /// How often a batch is tried before the failing messages are searched for, one by one. Default: 5. A message that
    /// fails alone, while others succeed, is then handled [as poison](Self::on_poison).
    #[must_use]
    pub fn attempts(mut self, attempts: u32) -> Self {
        self.attempts = attempts;
        self
    }

    /// How long one call of the handler may take. Default: no bound; a handler that has not returned within the
    /// supervisor's [`patience`](crate::Supervisor::patience), or five minutes without one, is then reported in the
    /// log.
    ///
    /// A call that takes longer is dropped at its next `await` and counts as a failure: the batch is retried, as
    /// [`attempts`](Self::attempts) says, and the interrupted work may be partly done. Set it much longer than your
    /// slowest batch. It cannot interrupt a handler that blocks its thread: such a handler loses its lock a TTL later,
    /// and another host takes over. Use `tokio::task::spawn_blocking` for work that blocks.
    ///
    /// While *nothing* succeeds, timeouts are treated as an outage of the datastore, and no message is given up: see
    /// [`on_poison`](Self::on_poison).
    #[must_use]
    pub fn handler_timeout(mut self, bound: Duration) -> Self {
        self.handler_timeout = Some(bound);
        self
    }

    /// The largest payload that is handled, in bytes. A message with a larger one is not parsed and not given to the
    /// handler: it goes to the dead letters with its first 4 KiB, or with [`OnPoison::Stop`] the consumer stops there;
    /// with [`OnPoison::Block`] the handler gets it anyway. Default: 16 MiB; a key takes some tens of bytes.
    #[must_use]
    pub fn max_payload(mut self, bytes: usize) -> Self {
        self.max_payload = bytes;
        self
    }

    /// How long delay messages may be overdue, or committed messages may stay without a running trimmer, before a
    /// warning says that no host runs a delayer or a trimmer of this stream;
    /// [`Health::neglected`](crate::Health::neglected) reports it as well. Checked by the host at work, every 30
    /// seconds or at this interval. Default: 5 minutes. `Duration::MAX` switches it off, for a stream that is trimmed
    /// by a periodic job.
    #[must_use]
    pub fn warn_neglect(mut self, after: Duration) -> Self {
        self.warn_neglect = after;
        self
    }

    /// What happens to a message that fails permanently while others succeed. Default:
    /// [`OnPoison::DeadLetter`].
    ///
    /// If *nothing* succeeds, it is an outage of the datastore: the consumer keeps retrying, whatever is chosen here.
    #[must_use]
    pub fn on_poison(mut self, on_poison: OnPoison) -> Self {
        self.on_poison = on_poison;
        self
    }

    /// What this consumer is: the application, and the datastore that it writes to, such as `shop, index books on
    /// search.internal`. It is recorded in Redis, and a consumer of the same name with another identity is refused with
    /// [`Error::OtherIdentity`]: two applications that share a name on one Redis would each miss the changes that the
    /// other handles. Use the same text on all hosts and in each version of the application.
    ///
    /// Default: the text of [`Handler::identity`]; otherwise the name of the program and the type of its handler. A
    /// difference from these is not refused but logged as a warning, since both may change from one version to the
    /// next. [`Stream::clear_identity`](crate::Stream::clear_identity) lets a consumer get another identity.
    #[must_use]
    pub fn identity(mut self, identity: impl Into<String>) -> Self {
        self.identity = Identity::given(identity.into());
        self
    }

    /// Skips the [repeat](crate::Message::is_repeat) of a change whose main message, sent after the commit, this
    /// consumer has handled: by default each change is handled twice, the second time after its delay. Default: no.
    ///
    /// **Only if** the datastore refuses versions older than it has (see [`Batch::version`](crate::Batch::version)),
    /// and rows are read from the primary database: otherwise the repeat repairs a late write or a stale read. So a
    /// search index with versions sets this, and a cache without them, which reads the same stream, does not.
    ///
    /// The writers of the stream read it from the registry, within a minute, and then mark delay messages, or remove
    /// them if all registered consumers set this. A delay message whose change was never announced is not marked, and
    /// is handled.
    #[must_use]
    pub fn skip_repeats(mut self, on: bool) -> Self {
        self.skips_repeats = on;
        self
    }

    /// Called when the consumer notices that Redis lost messages or the consumer's offset (after a flush, a restart
    /// from an old file, a failover to a replica that lagged), even if no worker was running meanwhile, and when Redis
    /// has no record of the consumer, as when it is new ([`LossKind::NoRecord`]). Respond with a
    /// [reindex](crate::Walk). Default: only the log says so, as an error; a missing record is logged as a warning.
    ///
    /// Called once for each loss, before the consumer continues, and with shards by each shard; keep it short, and run
    /// the work in a task.
    #[must_use]
    pub fn on_loss(mut self, on_loss: impl Fn(Loss) + Send + Sync + 'static) -> Self {
        self.on_loss = Some(Arc::new(on_loss));
        self
    }

    /// Handles and commits one batch of what is in the stream now, without waiting for more; several, if a batch is
    /// smaller than the entry that holds its messages, which is committed as a whole.
    ///
    /// # Errors
    ///
    /// [`Error::Handler`] if the handler failed: then nothing is committed. Otherwise as [`run`](Self::run), and if
    /// Redis does not answer.
    pub async fn run_once(&self) -> Result<Progress> {
        leadership::once(self).await.map(|progress| progress.unwrap_or(Progress::Standby))
    }

    /// Works, or stands by, until `shutdown`; then finishes the current batch, commits it and releases the lock.
    /// Retries after lost connections and lost locks.
    ///
    /// # Errors
    ///
    /// Only if waiting cannot help: an option that cannot work, a consumer that was forgotten, a server that is too
    /// old.
    pub async fn run(&self, shutdown: CancellationToken) -> Result<()> {
        leadership::serve(self, &shutdown).await
    }

    /// One of several consumers that share the state of their warnings.
    pub(crate) fn together(self, told: &Told) -> Self {
        Self { told: told.clone(), ..self }
    }

    fn limits(&self) -> Limits {
        Limits { most: self.batch_size, budget: BUDGET, whole_entries: false }
    }

    fn member(&self) -> ConsumerKeys {
        // Written in any case, to overwrite the setting of an earlier version of the program.
        let note = format!(r#"{{"skips_repeats":{}}}"#, self.skips_repeats);
        let keys = ConsumerKeys::new(self.redstream.keys(), &self.stream, &self.name);
        ConsumerKeys { start: self.start, note, reads_packs: true, ..keys }
    }
}

#[async_trait]
impl Worker for Consumer {
    fn name(&self) -> String {
        format!("consumer {} of {}", self.name, self.stream)
    }

    fn check(&self) -> Result<()> {
        check_consumer(&self.name)?;
        check_batch_size(self.batch_size)?;
        if self.attempts == 0 {
            return Err(Error::InvalidOption { option: "attempts", reason: "it is zero".to_owned() });
        }
        bounded("backoff", self.backoff.0)?;
        bounded("backoff", self.backoff.1)?;
        bounded("warn_neglect", self.warn_neglect)?;
        self.handler_timeout.map_or(Ok(()), |bound| bounded("handler_timeout", bound))?;
        if self.backoff.1 < self.backoff.0 {
            let reason = "the longest pause is shorter than the first".to_owned();
            return Err(Error::InvalidOption { option: "backoff", reason });
        }
        Lock::check_ttl(self.lock_ttl)
    }

    fn status(&self) -> Option<WorkerStatus> {
        Some(self.status.clone())
    }

    async fn run(&self, shutdown: CancellationToken) -> Result<()> {
        Consumer::run(self, shutdown).await
    }
}

impl std::fmt::Debug for Consumer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Consumer").field("stream", &self.stream).field("name", &self.name).finish_non_exhaustive()
    }
}
