//! The consumer: reads a stream in batches, has them handled, and commits how far it has come.
//!
//! In the order of a batch: [`fetch`] reads it, `prefetch` the next one meanwhile; `run` has it handled by a [`handler`], as a [`batch`]
//! with a [`version`]; `failure` goes on where that fails, up to the [`dead_letters`]; [`offsets`] are what is committed. `record` and
//! [`loss`] look at what Redis has on record when the work begins. [`sync`] waits for a consumer from outside.
//!
//! Uses the worker and what is below it. The delayer reads by [`fetch`] too.

mod batch;
mod blocking;
pub(crate) mod dead_letters;
mod failure;
pub(crate) mod fetch;
mod handler;
mod loss;
mod neglect;
mod offsets;
mod oversized;
mod prefetch;
mod record;
pub(crate) mod registered;
mod run;
mod sync;
mod told;
mod version;
mod written_streams;

pub use batch::Batch;
pub use dead_letters::{DeadLetter, DeadLetters};
pub use failure::OnPoison;
pub use handler::{Handler, HandlerError};
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

use crate::consumer::fetch::Portion;
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
/// Run it on as many hosts as you like: one of them holds the consumer's lock and works, the others
/// stand by. Each batch is handled, then committed; a batch that was not committed comes again, to
/// the owner of the lock then. The next batch is read while the handler works, and handled without waiting for the commit of
/// the last where it came in after that; commits of such batches are a millisecond apart at the least, so that one may be for
/// several of them.
///
/// A handler that fails or panics gets the same messages again after a pause. One message that fails for good
/// goes to the consumer's dead letters; where nothing can be handled, nothing is given up: see
/// [`OnPoison`].
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
    /// A message that was handled well: where others fail, it tells whether the datastore answers.
    canary: Arc<tokio::sync::Mutex<Option<Message>>>,
}

/// What one [`run_once`](Consumer::run_once) did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Progress {
    /// That many messages were handled and committed.
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

    /// How many messages a batch has at the most. Default: 1000. Batches are smaller where payloads are large: no more
    /// messages once they have come to 16 MiB.
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

    /// Where it begins if it is new to the stream. Default: [`Start::Earliest`].
    #[must_use]
    pub fn start(mut self, start: Start) -> Self {
        self.start = start;
        self
    }

    /// The pause after a handler's first failure, and the longest. It doubles in between, and each has a
    /// random part. Default: 100 milliseconds to 30 seconds.
    ///
    /// While *nothing* can be handled, and while Redis is away, a pause is two seconds at the most, so that work goes on soon
    /// after: one message or connection is tried then, which costs little.
    #[must_use]
    pub fn backoff(mut self, min: Duration, max: Duration) -> Self {
        self.backoff = (min, max);
        self
    }

    /// How often a batch is tried before the messages at fault are looked for, one by one. Default: 5. A message
    /// that fails alone, while others succeed, is then dealt with [as poison](Self::on_poison).
    #[must_use]
    pub fn attempts(mut self, attempts: u32) -> Self {
        self.attempts = attempts;
        self
    }

    /// How long one call of the handler may take. Default: no bound; a handler that has not returned within the supervisor's
    /// [`patience`](crate::Supervisor::patience), or five minutes without one, is then warned of in the log.
    ///
    /// A call that takes longer is dropped at its next `await`, and counts as a failure: the batch is tried again, as
    /// [`attempts`](Self::attempts) says, and what it was doing may be done in part. Much longer than your slowest batch. It cannot
    /// cut off a handler that blocks its thread, so that one loses its lock a TTL later, and another host takes over: use
    /// `tokio::task::spawn_blocking` for work that blocks.
    ///
    /// While *nothing* succeeds, calls that run out of time are taken for an outage of the datastore, and no message is given up: see
    /// [`on_poison`](Self::on_poison).
    #[must_use]
    pub fn handler_timeout(mut self, bound: Duration) -> Self {
        self.handler_timeout = Some(bound);
        self
    }

    /// The largest payload that is handled, in bytes. A message with a larger one is not parsed and not given to the handler: it goes
    /// to the dead letters with the first 4 KiB of it, or with [`OnPoison::Stop`] the consumer stops there; with
    /// [`OnPoison::Block`] the handler gets it all the same. Default: 16 MiB; a key takes some tens of bytes.
    #[must_use]
    pub fn max_payload(mut self, bytes: usize) -> Self {
        self.max_payload = bytes;
        self
    }

    /// How long delay messages may be overdue, or committed messages may stay with no trimmer at work, before a warning says that no
    /// host runs a delayer or a trimmer of this stream; [`Health::neglected`](crate::Health::neglected) tells it as well. Looked at by
    /// the host at work, every 30 seconds or as often as this. Default: 5 minutes. `Duration::MAX` switches it off, for a stream that is
    /// trimmed by a job now and then.
    #[must_use]
    pub fn warn_neglect(mut self, after: Duration) -> Self {
        self.warn_neglect = after;
        self
    }

    /// What happens to a message that fails for good while others succeed. Default:
    /// [`OnPoison::DeadLetter`].
    ///
    /// Where *nothing* succeeds it is an outage of the datastore: the consumer keeps trying, whatever is chosen
    /// here.
    #[must_use]
    pub fn on_poison(mut self, on_poison: OnPoison) -> Self {
        self.on_poison = on_poison;
        self
    }

    /// What this consumer is: the application, and the datastore that it feeds, such as `shop, index books on search.internal`. It is
    /// noted in Redis, and a consumer of the same name that says to be something else is refused with [`Error::OtherIdentity`]: two
    /// applications that share a name on one Redis would take each other's changes away. The same text on all hosts, and in each
    /// version of the application.
    ///
    /// Default: what the handler says by [`Handler::identity`]; else the name of the program and the type of its handler, by which
    /// another one is not refused but warned of in the log, since both may change from one version to the next.
    /// [`Stream::clear_identity`](crate::Stream::clear_identity) lets a consumer become something else.
    #[must_use]
    pub fn identity(mut self, identity: impl Into<String>) -> Self {
        self.identity = Identity::given(identity.into());
        self
    }

    /// Passes over the [repeat](crate::Message::is_repeat) of a change whose main message, sent after the commit, this consumer has
    /// had: by default each change is handled twice, the second time when its delay has passed. Default: no.
    ///
    /// **Only if** what the handler writes to refuses versions older than it has (see [`Batch::version`](crate::Batch::version)), and
    /// rows are read from the primary database: else the repeat is what repairs a late write or a stale read. So a search
    /// index with versions says this, and a cache without them, which reads the same stream, does not.
    ///
    /// The writers of the stream learn of it from the registry, within a minute, and then mark delay messages, or remove them if all
    /// registered consumers say this. A delay message whose change was never announced is not marked, and handled as ever.
    #[must_use]
    pub fn skip_repeats(mut self, on: bool) -> Self {
        self.skips_repeats = on;
        self
    }

    /// Called when the consumer notices that Redis lost messages or the consumer's place (after a flush, a restart from an
    /// old file, a failover to a replica that lagged), also if no worker lived meanwhile, and when Redis has no record of the
    /// consumer, as when it is new ([`LossKind::NoRecord`]). Answer with a reindex, which `docs/workers.md`
    /// shows. Default: only the log says so, as an error; that there is no record, as a warning.
    ///
    /// Called once for each loss, before the consumer goes on, and with shards by each shard; keep it short, and leave the work to a
    /// task.
    #[must_use]
    pub fn on_loss(mut self, on_loss: impl Fn(Loss) + Send + Sync + 'static) -> Self {
        self.on_loss = Some(Arc::new(on_loss));
        self
    }

    /// Handles and commits one batch of what is in the stream now, without waiting for more.
    ///
    /// Errors with [`Error::Handler`] where the handler failed: then nothing is committed.
    pub async fn run_once(&self) -> Result<Progress> {
        leadership::once(self).await.map(|progress| progress.unwrap_or(Progress::Standby))
    }

    /// Works, or stands by, until `shutdown`; then finishes the batch at hand, commits it and releases the
    /// lock.
    ///
    /// Lives through lost connections and lost locks. Errors only where waiting cannot help: an option that
    /// cannot work, a consumer that was forgotten, a server that is too old.
    pub async fn run(&self, shutdown: CancellationToken) -> Result<()> {
        leadership::serve(self, &shutdown).await
    }

    /// One of several that tell their warnings together.
    pub(crate) fn together(self, told: &Told) -> Self {
        Self { told: told.clone(), ..self }
    }

    fn member(&self) -> ConsumerKeys {
        // Said in any case: it takes back what an earlier version of the program said.
        let note = format!(r#"{{"skips_repeats":{}}}"#, self.skips_repeats);
        ConsumerKeys { start: self.start, note, ..ConsumerKeys::new(self.redstream.keys(), &self.stream, &self.name) }
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
