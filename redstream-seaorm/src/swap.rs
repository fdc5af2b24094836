//! A new index takes the place of the old one, under the searches.
//!
//! `switch` is what the datastore does, `walks` which walks count, `error` what can go wrong.
//!
//! May use `verify`, `reindex`, `entity` and `error`.

pub(crate) mod error;
pub(crate) mod switch;
mod walks;

use std::fmt;
use std::pin::Pin;
use std::time::Duration;

use redstream_core::{
    BoxError, CancellationToken, Error, MessageId, Redstream, ReindexProgress, ReindexState, Start, Stream,
};
use sea_orm::ConnectionTrait;

use self::error::SwapError;
use self::switch::Switch;
use crate::entity::streamed::Streamed;
use crate::entity::streams::entity_stream;
use crate::failpoint::failpoint;
use crate::reindex::Reindex;
use crate::verify::Verify;
use crate::verify::report::VerifyState;

/// How often the consumer's position is read.
const POLL: Duration = Duration::from_millis(50);

/// Fills a new index and has the searches use it, without a pause: made by
/// [`RedstreamExt::swap`](crate::RedstreamExt::swap).
///
/// The searches use an alias. Each index is written by a consumer of its own: the old one goes on with the old index
/// until the new one is complete. A run
///
/// 1. creates the new index;
/// 2. registers its consumer, which must run: in this program's workers, or in another's;
/// 3. queues the key of every row, throttled by that consumer, and waits until it has passed them all;
/// 4. [verifies](Self::verify) the new index, or runs another [check](Self::check), if either is given;
/// 5. points the alias at the new index, in one step: no search sees a half-filled index, and none fails;
/// 6. forgets the [replaced](Self::replaces) consumer if it does not run any more, and then
///    [removes](Self::remove_old) the old index if that is wanted.
///
/// Whatever ends it, running it again continues: what is done is found out from the index, the alias and the
/// [record](crate::Reindexes) of the walk. [`abort`](Self::abort) leaves the old index as it is.
#[must_use = "it does nothing until it is run"]
pub struct Swap<'a, E: Streamed> {
    redstream: Redstream,
    db: &'a (dyn MakesReindex<E> + 'a),
    index: Box<dyn Switch + 'a>,
    consumer: String,
    replaces: Option<String>,
    verify: Option<Verify<'a, E>>,
    check: Option<Box<Check<'a>>>,
    remove_old: bool,
    patience: Duration,
    lock_ttl: Option<Duration>,
    on_progress: Option<Box<OnProgress>>,
}

type OnProgress = dyn Fn(&ReindexProgress) + Send + Sync;

type Check<'a> = dyn FnOnce() -> Pin<Box<dyn Future<Output = Result<(), BoxError>> + Send + 'a>> + Send + 'a;

/// A connection, whatever its type.
trait MakesReindex<E: Streamed>: Sync {
    fn reindex(&self, redstream: &Redstream) -> Reindex<'_, E>;
}

impl<E: Streamed, C: ConnectionTrait> MakesReindex<E> for C {
    fn reindex(&self, redstream: &Redstream) -> Reindex<'_, E> {
        Reindex::new(redstream.clone(), self)
    }
}

/// What a [`Swap`] did.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
#[must_use = "a run that ended by the shutdown or was aborted is no error: see `is_switched`"]
pub struct SwapReport {
    /// Whether the searches use the new index now.
    pub is_switched: bool,
    /// The index that they used before; `None` if there was none, or if an earlier run has switched.
    pub replaced: Option<String>,
    /// Whether the [replaced](Swap::replaces) consumer is forgotten. If it still runs, stop it and run the swap again.
    pub is_retired: bool,
    /// How many keys were queued.
    pub queued: u64,
}

impl<'a, E: Streamed> Swap<'a, E> {
    pub(crate) fn new(
        redstream: Redstream,
        db: &'a impl ConnectionTrait,
        index: impl Switch + 'a,
        consumer: String,
    ) -> Self {
        Self {
            redstream,
            db,
            index: Box::new(index),
            consumer,
            replaces: None,
            verify: None,
            check: None,
            remove_old: false,
            patience: Duration::from_secs(300),
            lock_ttl: None,
            on_progress: None,
        }
    }

    /// The consumer of the old index: it is forgotten after the switch, so that trimming no longer waits for it. If it
    /// runs, the old index goes on being written: stop it, which is to run a program without it, and run the swap again.
    /// Default: none.
    pub fn replaces(mut self, consumer: impl Into<String>) -> Self {
        self.replaces = Some(consumer.into());
        self
    }

    /// Verifies the new index when it is complete, before the searches use it: a difference leaves the old index in use.
    /// The consumer is set by the swap.
    pub fn verify(mut self, verify: Verify<'a, E>) -> Self {
        self.verify = Some(verify.consumer(self.consumer.clone()));
        self
    }

    /// Runs when the new index is complete and before the searches use it. An error leaves the old index in use.
    pub fn check<F>(mut self, check: impl FnOnce() -> F + Send + 'a) -> Self
    where
        F: Future<Output = Result<(), BoxError>> + Send + 'a,
    {
        self.check = Some(Box::new(move || Box::pin(check())));
        self
    }

    /// Whether the old index is removed after the switch, once its [consumer](Self::replaces) is forgotten: one that still
    /// runs would create it again. Only the run that switches does so. Default: no, it stays as it was.
    pub fn remove_old(mut self, on: bool) -> Self {
        self.remove_old = on;
        self
    }

    /// How long the consumer may take, after the walk, to pass what was written meanwhile. Default: 5 minutes.
    pub fn patience(mut self, patience: Duration) -> Self {
        self.patience = patience;
        self
    }

    /// After how long without renewal another process may continue the walk; see [`Reindex::lock_ttl`]. Default: 5
    /// seconds.
    pub fn lock_ttl(mut self, ttl: Duration) -> Self {
        self.lock_ttl = Some(ttl);
        self
    }

    /// Called at most every 200 ms during the walk, and at its end; see [`Reindex::on_progress`].
    pub fn on_progress(mut self, report: impl Fn(&ReindexProgress) + Send + Sync + 'static) -> Self {
        self.on_progress = Some(Box::new(report));
        self
    }

    /// Runs until the searches use the new index, an operator [aborts](crate::Reindexes::abort) the walk, or
    /// `shutdown`.
    ///
    /// # Errors
    ///
    /// [`SwapError::Index`] if the datastore fails, [`SwapError::Redstream`] if Redis or the walk does,
    /// [`SwapError::Behind`] if the consumer does not get through, [`SwapError::DeadLetters`] if it gave documents up,
    /// [`SwapError::Verify`] and [`SwapError::Differs`] if it is not verified, and [`SwapError::Check`] if the check
    /// fails. Run it again to continue.
    pub async fn run(mut self, shutdown: CancellationToken) -> Result<SwapReport, SwapError> {
        let streams = self.streams()?;
        let before = self.current().await?;
        if before.as_deref() == Some(self.index.name()) {
            let is_retired = self.finish(&streams, None).await?;
            return Ok(SwapReport { is_switched: true, is_retired, ..SwapReport::unfinished(0) });
        }
        let identity = self.index.prepare().await.map_err(|source| self.failed("create", source))?;
        failpoint!("swap: index created");
        for stream in &streams {
            // What is in the stream already, the walk announces anyway.
            stream.register(&self.consumer, Start::Latest).await?;
        }
        failpoint!("swap: consumer registered");
        let queued = match self.walk(&identity, &shutdown).await? {
            Walked::Whole(queued) => queued,
            Walked::Part(queued) => return Ok(SwapReport::unfinished(queued)),
        };
        failpoint!("swap: walked");
        match shutdown.run_until_cancelled(self.catch_up(&streams)).await {
            Some(caught_up) => caught_up?,
            None => return Ok(SwapReport::unfinished(queued)),
        }
        failpoint!("swap: caught up");
        self.index.refresh().await.map_err(|source| self.failed("refresh", source))?;
        failpoint!("swap: refreshed");
        if let Some(verify) = self.verify.take() {
            let report = verify.run(shutdown.clone()).await?;
            if report.state == VerifyState::Cancelled {
                return Ok(SwapReport::unfinished(queued));
            }
            if !report.is_clean() {
                return Err(SwapError::Differs { index: self.name(), report: Box::new(report) });
            }
            failpoint!("swap: verified");
        }
        if let Some(check) = self.check.take() {
            let check = check();
            match shutdown.run_until_cancelled(check).await {
                Some(checked) => checked.map_err(|source| SwapError::Check { index: self.name(), source })?,
                None => return Ok(SwapReport::unfinished(queued)),
            }
            failpoint!("swap: checked");
        }
        self.index.switch(before.as_deref()).await.map_err(|source| self.failed("switch to", source))?;
        failpoint!("swap: switched");
        tracing::info!(index = self.index.name(), replaced = before, "searches use the new index");
        let is_retired = self.finish(&streams, before.as_deref()).await?;
        Ok(SwapReport { is_switched: true, replaced: before, is_retired, queued })
    }

    /// Ends a swap that has not switched: the walk ends, the new index's consumer is forgotten, and the new index is
    /// removed. The old index and its consumer are left as they are.
    ///
    /// # Errors
    ///
    /// [`Error::StillRunning`] if the new index's consumer runs: it would create the index again. Stop it, and abort again.
    /// [`SwapError::Switched`] if the searches use the new index already: nothing was done then. Otherwise as
    /// [`run`](Self::run).
    pub async fn abort(self) -> Result<(), SwapError> {
        if self.current().await?.as_deref() == Some(self.index.name()) {
            return Err(SwapError::Switched { index: self.name() });
        }
        let reindexes = entity_stream::<E>(&self.redstream)?.reindexes();
        walks::discard(&reindexes, self.index.name(), None).await?;
        failpoint!("swap: walk discarded");
        for stream in &self.streams()? {
            forget(stream, &self.consumer).await?;
        }
        failpoint!("swap: new consumer forgotten");
        let name = self.name();
        self.index.remove(&name).await.map_err(|source| self.failed("remove", source))?;
        failpoint!("swap: new index removed");
        Ok(())
    }

    fn streams(&self) -> Result<Vec<Stream>, Error> {
        Ok(entity_stream::<E>(&self.redstream)?.streams().to_vec())
    }

    async fn current(&self) -> Result<Option<String>, SwapError> {
        self.index.current().await.map_err(|source| self.failed("find out whether searches use", source))
    }

    async fn walk(&mut self, identity: &str, shutdown: &CancellationToken) -> Result<Walked, SwapError> {
        let (reindexes, index) = (entity_stream::<E>(&self.redstream)?.reindexes(), self.index.name());
        let id = walks::id(index, identity, &self.consumer, &self.streams()?).await?;
        walks::discard(&reindexes, index, Some(&id)).await?;
        if let Some(record) = reindexes.get(&id).await?
            && record.state == ReindexState::CaughtUp
        {
            return self.whole(record.queued, record.dead_letters);
        }
        let mut reindex = self.db.reindex(&self.redstream).id(id).consumer(&self.consumer);
        if let Some(ttl) = self.lock_ttl {
            reindex = reindex.lock_ttl(ttl);
        }
        if let Some(report) = self.on_progress.take() {
            reindex = reindex.on_progress(report);
        }
        let report = reindex.run(shutdown.clone()).await?;
        if report.is_done() { self.whole(report.queued, report.dead_letters) } else { Ok(Walked::Part(report.queued)) }
    }

    fn whole(&self, queued: u64, dead_letters: u64) -> Result<Walked, SwapError> {
        if dead_letters > 0 {
            return Err(SwapError::DeadLetters { index: self.name(), consumer: self.consumer.clone(), dead_letters });
        }
        Ok(Walked::Whole(queued))
    }

    /// Waits until the consumer has passed what is in the streams now: after a crash the walk can be long over.
    async fn catch_up(&self, streams: &[Stream]) -> Result<(), SwapError> {
        let pass = async {
            for stream in streams {
                let last = stream.last_id().await?;
                while !has_passed(stream, &self.consumer, last).await? {
                    tokio::time::sleep(POLL).await;
                }
            }
            Ok(())
        };
        match tokio::time::timeout(self.patience, pass).await {
            Ok(passed) => passed,
            Err(_) => {
                Err(SwapError::Behind { index: self.name(), consumer: self.consumer.clone(), within: self.patience })
            }
        }
    }

    /// Returns whether the replaced consumer is forgotten.
    async fn finish(&self, streams: &[Stream], old: Option<&str>) -> Result<bool, SwapError> {
        let mut is_retired = self.replaces.is_some();
        for (stream, consumer) in streams.iter().zip(self.replaces.iter().cycle()) {
            match forget(stream, consumer).await {
                Err(Error::StillRunning { .. }) => is_retired = false,
                forgotten => forgotten?,
            }
        }
        failpoint!("swap: old consumer forgotten");
        if let Some(consumer) = self.replaces.as_ref().filter(|_| !is_retired) {
            tracing::warn!(
                consumer,
                index = self.index.name(),
                old,
                "searches use the new index, and the consumer of the old one still runs: stop it and run the swap again, or trimming \
                 waits for it"
            );
        }
        match old {
            Some(old) if self.remove_old && (is_retired || self.replaces.is_none()) => {
                self.index.remove(old).await.map_err(|source| self.failed("remove the index before", source))?;
                failpoint!("swap: old index removed");
            }
            _ => {}
        }
        Ok(is_retired)
    }

    fn name(&self) -> String {
        self.index.name().to_owned()
    }

    fn failed(&self, attempt: &'static str, source: BoxError) -> SwapError {
        SwapError::Index { attempt, index: self.name(), source }
    }
}

impl SwapReport {
    /// The searches use what they used before.
    fn unfinished(queued: u64) -> Self {
        Self { is_switched: false, replaced: None, is_retired: false, queued }
    }
}

enum Walked {
    Whole(u64),
    /// It was aborted or shut down.
    Part(u64),
}

/// Whether the consumer has committed this message, or it is gone and so are all that it has not committed: a consumer
/// that began with an empty stream has no offset.
async fn has_passed(stream: &Stream, consumer: &str, id: MessageId) -> Result<bool, Error> {
    let offset = stream.offsets().get(consumer).await?.unwrap_or(MessageId::MIN);
    if offset >= id {
        return Ok(true);
    }
    Ok(stream.messages(offset, 1).await?.first().is_none_or(|next| next.id() > id))
}

/// One that is not registered counts as forgotten.
async fn forget(stream: &Stream, consumer: &str) -> Result<(), Error> {
    match stream.forget(consumer).await {
        Err(Error::NoSuchConsumer { .. }) => Ok(()),
        forgotten => forgotten,
    }
}

impl<E: Streamed> fmt::Debug for Swap<'_, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Swap")
            .field("index", &self.index.name())
            .field("consumer", &self.consumer)
            .field("replaces", &self.replaces)
            .finish_non_exhaustive()
    }
}
