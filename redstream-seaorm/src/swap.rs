//! A new index takes the place of the old one, under the searches.
//!
//! `run` has its steps, `turn` those that one program at a time does, `switch` is what the datastore does, `walks`
//! which walks count, `left_over` what the index has from earlier times, `consumers` whether they are there yet,
//! `report` what was done, and `error` what can go wrong.
//!
//! May use `verify`, `reindex`, `entity` and `error`.

mod consumers;
pub(crate) mod error;
mod left_over;
pub(crate) mod report;
mod run;
pub(crate) mod switch;
mod turn;
mod walks;

use std::fmt;
use std::pin::Pin;
use std::sync::Mutex;
use std::time::Duration;

use redstream_core::{BoxError, Redstream, ReindexProgress};
use sea_orm::ConnectionTrait;

use self::switch::Switch;
use crate::entity::streamed::Streamed;
use crate::reindex::Reindex;
use crate::verify::Verify;

/// Fills a new index and has the searches use it, without a pause: made by
/// [`RedstreamExt::swap`](crate::RedstreamExt::swap).
///
/// The searches use an alias. Each index is written by a consumer of its own: the old one goes on with the old index
/// until the new one is complete. A run
///
/// 1. creates the new index;
/// 2. registers its consumer, which must run: in this program's workers, or in another's;
/// 3. queues the key of every row, throttled by that consumer, and waits until it has passed them all; then those of
///    documents that the index had before its consumer was registered, and that were not written since: their rows were
///    deleted while no consumer wrote the index;
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
    index: Box<dyn Switch<E> + 'a>,
    consumer: String,
    replaces: Option<String>,
    verify: Option<Verify<'a, E>>,
    /// In a lock, so that the swap can be shared with other threads.
    check: Option<Mutex<Box<Check<'a>>>>,
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

impl<'a, E: Streamed> Swap<'a, E> {
    pub(crate) fn new(
        redstream: Redstream,
        db: &'a impl ConnectionTrait,
        index: impl Switch<E> + 'a,
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
    /// runs, the old index goes on being written: stop it, which is to run a program without it, and run the swap
    /// again. Before the switch it must exist. Default: none.
    pub fn replaces(mut self, consumer: impl Into<String>) -> Self {
        self.replaces = Some(consumer.into());
        self
    }

    /// Verifies the new index when it is complete, before the searches use it: a difference leaves the old index in
    /// use. [Unsettled](crate::VerifyReport::unsettled) keys do not: they are written all the time, to this index, too.
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
        self.check = Some(Mutex::new(Box::new(move || Box::pin(check()))));
        self
    }

    /// Whether the old index is removed after the switch, once its [consumer](Self::replaces) is forgotten: one that
    /// still runs would create it again. Only the run that switches does so. Default: no, it stays as it was.
    pub fn remove_old(mut self, on: bool) -> Self {
        self.remove_old = on;
        self
    }

    /// How long the consumer may take, after the walk, to pass what was written meanwhile. Default: 5 minutes.
    pub fn patience(mut self, patience: Duration) -> Self {
        self.patience = patience;
        self
    }

    /// After how long without renewal another process may continue the walk (see [`Reindex::lock_ttl`]), switch or
    /// abort. Default: 5 seconds.
    pub fn lock_ttl(mut self, ttl: Duration) -> Self {
        self.lock_ttl = Some(ttl);
        self
    }

    /// Called at most every 200 ms during the walk, and at its end; see [`Reindex::on_progress`].
    pub fn on_progress(mut self, report: impl Fn(&ReindexProgress) + Send + Sync + 'static) -> Self {
        self.on_progress = Some(Box::new(report));
        self
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
