//! The reindex as callers see it: its options, and who of several processes is at work.

use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use super::progress::{ReindexProgress, ReindexReport};
use super::record::ReindexRecord;
use super::records::Reindexes;
use super::run::Run;
use super::source::KeySource;
use crate::error::{BoxError, Error, Result};
use crate::message::StreamName;
use crate::message::name::check_consumer;
use crate::redstream::Redstream;
use crate::time::backoff::Pauses;
use crate::transport::options::bounded;
use crate::transport::session::Session;
use crate::worker::{Lock, LockGuard};

/// The longest id.
const LONGEST_ID: usize = 255;

/// A walk through all keys of a [`KeySource`], which queues each of them on its stream: made by
/// [`Stream::reindex`](crate::Stream::reindex), or by `redstream.reindex` of `redstream-seaorm`.
///
/// # What it guarantees
///
/// - Every key that the source has from the beginning to the end of the walk is queued, at least once: once if no
///   process or connection breaks. A row that is written meanwhile announces itself.
/// - The consumers read each row after they issued its version, so a walk never overwrites newer data.
/// - At most two chunks of keys are in the stream that some watched consumer has not passed, so changes wait no longer
///   than these take. The size of a chunk follows from the consumers' speed: see [`target`](Self::target).
/// - [Done](ReindexReport::is_done) means that every watched consumer has passed the last key. A message that became a
///   dead letter is passed, and [reported](ReindexReport::dead_letters).
///
/// # Several processes
///
/// One process walks a stream at a time; a lock ensures it. [`run`](Self::run) on other hosts stands by. If the process
/// at work ends, a standby continues after the last recorded chunk; if it gets done, the standbys of the same id return
/// its report and do not walk again.
#[must_use = "it does nothing until it is run"]
pub struct Walk<S> {
    pub(super) redstream: Redstream,
    /// The stream, or the name that the shards have in common.
    pub(super) name: StreamName,
    pub(super) streams: Vec<StreamName>,
    pub(super) source: S,
    pub(super) id: String,
    /// All that are registered if it is empty.
    pub(super) consumers: Vec<String>,
    pub(super) target: Duration,
    lock_ttl: Duration,
    is_anew: bool,
    pub(super) on_progress: Option<Box<OnProgress>>,
}

type OnProgress = dyn Fn(&ReindexProgress) + Send + Sync;

impl<S: KeySource> Walk<S> {
    pub(crate) fn new(redstream: Redstream, name: StreamName, streams: Vec<StreamName>, source: S) -> Self {
        Self {
            redstream,
            name,
            streams,
            id: source.entity(),
            source,
            consumers: Vec::new(),
            target: Duration::from_millis(5),
            lock_ttl: Duration::from_secs(5),
            is_anew: false,
            on_progress: None,
        }
    }

    /// The name of its record: for [`pause`](Reindexes::pause) and the other verbs of operators, and to continue after
    /// a crash. A record that is finished is replaced. Default: the source's name, such as that of the table.
    pub fn id(mut self, id: impl Into<String>) -> Self {
        self.id = id.into();
        self
    }

    /// Waits for this consumer, and for the others that are given by further calls, and not for the rest. Default: all
    /// that are registered when the run begins.
    pub fn consumer(mut self, name: impl Into<String>) -> Self {
        self.consumers.push(name.into());
        self
    }

    /// How much longer a chunk of keys may keep the slowest watched consumer busy than a single key does: a change
    /// waits for at most two chunks. If a single key takes longer than this, a chunk may take twice as long as that, or
    /// the walk would be slow. Chunks have from 1 to 10,000 keys. Default: 5 ms.
    pub fn target(mut self, target: Duration) -> Self {
        self.target = target;
        self
    }

    /// After how long without renewal another process may take over. Default: 5 seconds.
    pub fn lock_ttl(mut self, ttl: Duration) -> Self {
        self.lock_ttl = ttl;
        self
    }

    /// Begins a new walk even if that of its id is not finished, and waits for no other's to end in its place: for a
    /// loss of Redis, in which keys that were queued before can be lost. Default: no.
    pub fn anew(mut self) -> Self {
        self.is_anew = true;
        self
    }

    /// Called at most every 200 ms, and at the end. Keep it short.
    pub fn on_progress(mut self, report: impl Fn(&ReindexProgress) + Send + Sync + 'static) -> Self {
        self.on_progress = Some(Box::new(report));
        self
    }

    /// Walks until it is done, aborted, or shut down. Continues the recorded walk of its id if that is not finished,
    /// and begins a new one otherwise.
    ///
    /// It waits without end for a consumer that is paused or does not run, for an operator who has paused it, and while
    /// Redis does not answer; a warning says so. Dropping the future is as a crash: run it again to continue.
    ///
    /// # Errors
    ///
    /// [`Error::KeySource`] if the source returns an error; [`Error::NoSuchConsumer`] if a named consumer is not
    /// registered, or is forgotten meanwhile; [`Error::InvalidOption`] if no consumer is registered, or if the
    /// unfinished walk of this id is one of other rows.
    pub async fn run(&self, shutdown: CancellationToken) -> Result<ReindexReport> {
        self.check()?;
        let before = self.records().get(&self.id).await?.filter(|record| record.state.is_finished());
        let before = before.map(|record| record.walk);
        let anew = AtomicBool::new(self.is_anew);
        let mut pauses = Pauses::for_outage(Duration::from_millis(100), Duration::from_secs(1));
        loop {
            // Boxed: a large future.
            match Box::pin(self.lead(before.as_deref(), &anew, &shutdown)).await {
                Ok(record) => return Ok(record.map_or_else(ReindexReport::not_begun, ReindexReport::from)),
                Err(error) if error.may_pass() && !shutdown.is_cancelled() => {
                    let pause = pauses.pause();
                    tracing::warn!(
                        stream = %self.name, id = self.id, error = &error as &dyn std::error::Error, ?pause,
                        "a reindex is interrupted: it continues after the pause"
                    );
                    shutdown.run_until_cancelled(tokio::time::sleep(pause)).await;
                }
                Err(error) => return Err(error),
            }
        }
    }

    pub(super) fn records(&self) -> Reindexes {
        Reindexes::new(self.redstream.clone(), self.name.clone())
    }

    /// The error of the source.
    pub(super) fn failed(&self, attempt: &'static str) -> impl FnOnce(BoxError) -> Error {
        let (stream, id) = (self.name.clone(), self.id.clone());
        move |source| Error::KeySource { stream, id, attempt, source }
    }

    fn check(&self) -> Result<()> {
        Lock::check_ttl(self.lock_ttl)?;
        bounded("target", self.target)?;
        let refused = |reason: &str| Err(Error::InvalidOption { option: "id", reason: reason.to_owned() });
        if self.id.is_empty() {
            return refused("it is empty");
        }
        if self.id.len() > LONGEST_ID {
            return refused("it is longer than 255 bytes");
        }
        self.consumers.iter().try_for_each(|name| check_consumer(name)).map_err(Error::from)
    }

    /// Acquires the lock and walks. Returns the record as it is in the end; on a shutdown while it stands by, as it is
    /// now.
    async fn lead(
        &self,
        before: Option<&str>,
        anew: &AtomicBool,
        shutdown: &CancellationToken,
    ) -> Result<Option<ReindexRecord>> {
        let open = Session::open(self.redstream.link());
        let Some(session) = shutdown.run_until_cancelled(open).await.transpose()? else {
            return self.records().get(&self.id).await;
        };
        let told = AtomicBool::new(false);
        let standing_by = |_| {
            if !told.swap(true, Ordering::Relaxed) {
                tracing::info!(stream = %self.name, id = self.id, "standing by: a reindex of this stream is at work");
            }
        };
        let lock = Lock::reindex(&self.redstream, &self.name, self.lock_ttl);
        let Some(guard) = lock.stand_by(&session, shutdown, standing_by).await? else {
            return self.records().get(&self.id).await;
        };
        let outcome = self.work(&guard, before, anew, shutdown).await;
        // What was done stays done: without a release the lock expires by its TTL.
        if let Err(error) = guard.release().await {
            let error = &error as &dyn std::error::Error;
            tracing::debug!(stream = %self.name, id = self.id, error, "the lock of a reindex was not released");
        }
        outcome.map(Some)
    }

    async fn work(
        &self,
        guard: &LockGuard,
        before: Option<&str>,
        anew: &AtomicBool,
        shutdown: &CancellationToken,
    ) -> Result<ReindexRecord> {
        loop {
            let begun = Run::begin(self, guard, before, anew.load(Ordering::Relaxed)).await?;
            // After an interruption it goes on with what it began.
            anew.store(false, Ordering::Relaxed);
            match begun {
                Ok(run) => {
                    if let Some(record) = run.until_done(shutdown).await? {
                        return Ok(record);
                    }
                }
                Err(finished_by_another) => return Ok(finished_by_another),
            }
        }
    }
}

impl<S> fmt::Debug for Walk<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Walk").field("stream", &self.name).field("id", &self.id).finish_non_exhaustive()
    }
}
