//! The reindex of an entity: all its rows, or some, are announced again.
//!
//! `rows` reads the keys, page by page; `split` divides them into ranges. The walk itself is the engine's.
//!
//! May use `bulk`, `entity` and `error`.

mod rows;
mod split;

use std::fmt;
use std::time::Duration;

use redstream_core::{CancellationToken, Error, Redstream, ReindexProgress, ReindexReport, Result, Walk};
use sea_orm::sea_query::{Condition, IntoCondition};
use sea_orm::{ConnectionTrait, Select};

use self::rows::{Reads, Rows};
use crate::entity::streamed::{Streamed, table};
use crate::entity::streams::entity_stream;

/// How many ranges there may be: each holds up to two pages of keys.
const MOST_RANGES: u32 = 16;

/// Queues the key of every row of an entity on its stream: made by
/// [`RedstreamExt::reindex`](crate::RedstreamExt::reindex).
///
/// For a consumer that is new, after a loss of Redis, and after writes that were not seen. It queues keys, as saves do;
/// the consumers read the rows, so a reindex never overwrites newer data and writers need not stop. All consumers of
/// the stream read each row again.
///
/// - It is throttled by the consumers: at most two chunks of keys are in the stream that they have not passed, so that
///   changes wait for about two times the [`target`](Self::target), whatever the size of the table.
/// - It is recorded in Redis after each chunk: after a crash, [`run`](Self::run) continues. On several hosts, one walks
///   and the others stand by.
/// - It goes to the last key that there is when it begins. Rows that are written meanwhile announce themselves.
/// - It deletes nothing that has no row: queue the keys that the *index* has by
///   [`reindex_keys`](crate::RedstreamExt::reindex_keys), or fill an empty index.
/// - Operators [list, pause, resume and abort](redstream_core::Reindexes) it by
///   `redstream.of::<product::Entity>()?.reindexes()`.
///
/// The consumer must be registered before: start it, or call [`Stream::register`](redstream_core::Stream::register).
///
/// ```no_run
/// mod product {
///     use redstream_seaorm::Streamed;
///     use sea_orm::entity::prelude::*;
///
///     #[derive(Clone, Debug, PartialEq, DeriveEntityModel, Streamed)]
///     #[sea_orm(table_name = "products")]
///     pub struct Model {
///         #[sea_orm(primary_key)]
///         pub id: i64,
///         pub name: String,
///         pub hidden: bool,
///     }
///     #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
///     pub enum Relation {}
/// }
///
/// use redstream_seaorm::core::Start;
/// use redstream_seaorm::{CancellationToken, Changes, HandlerError, Indexer, Redstream, RedstreamExt, Sink, Supervisor};
/// use sea_orm::{ColumnTrait, Database};
///
/// struct SearchIndex;
///
/// impl Sink<product::Entity> for SearchIndex {
///     async fn write(&self, changes: Changes<product::Entity>) -> Result<(), HandlerError> {
///         Ok(println!("{} rows to write, {} keys to remove", changes.upserts.len(), changes.deletes.len()))
///     }
/// }
///
/// #[tokio::main]
/// async fn main() -> Result<(), Box<dyn std::error::Error>> {
///     let redstream = Redstream::connect("redis://127.0.0.1/").await?;
///     let db = Database::connect("postgres://localhost/shop").await?;
///     let products = redstream.of::<product::Entity>()?;
///     for stream in products.streams() {
///         stream.register("search", Start::Latest).await?; // what is in the stream already, the reindex announces anyway
///     }
///     let workers = Supervisor::new().with(products.consumer("search", Indexer::new(db.clone(), SearchIndex))).start()?;
///
///     let report = redstream
///         .reindex::<product::Entity>(&db)
///         .filter(product::Column::Hidden.eq(false))
///         .consumer("search")
///         .on_progress(|progress| println!("{progress}"))
///         .run(CancellationToken::new())
///         .await?;
///     println!("{} keys; complete: {}; {} dead letters", report.queued, report.is_done(), report.dead_letters);
///     Ok(workers.shutdown().await?)
/// }
/// ```
#[must_use = "it does nothing until it is run"]
pub struct Reindex<'a, E: Streamed> {
    redstream: Redstream,
    db: Box<dyn Reads<E> + 'a>,
    select: Select<E>,
    condition: Condition,
    ranges: u32,
    id: Option<String>,
    consumers: Vec<String>,
    target: Option<Duration>,
    lock_ttl: Option<Duration>,
    is_anew: bool,
    on_progress: Option<Box<OnProgress>>,
}

type OnProgress = dyn Fn(&ReindexProgress) + Send + Sync;

impl<'a, E: Streamed> Reindex<'a, E> {
    pub(crate) fn new(redstream: Redstream, db: &'a impl ConnectionTrait) -> Self {
        Self {
            redstream,
            db: Box::new(db),
            select: E::find(),
            condition: Condition::all(),
            ranges: 1,
            id: None,
            consumers: Vec::new(),
            target: None,
            lock_ttl: None,
            is_anew: false,
            on_progress: None,
        }
    }

    /// Only rows that meet this. Several filters must all be met. Default: all rows.
    ///
    /// Its text, with its values, is part of the record in Redis: a walk is continued only by a run with the same
    /// filter.
    pub fn filter(mut self, filter: impl IntoCondition) -> Self {
        self.condition = self.condition.add(filter.into_condition());
        self
    }

    /// Only the rows of this selection, such as one that joins another table. Its columns, order, limit and offset do
    /// not count. Default: `E::find()`.
    pub fn select(mut self, rows: Select<E>) -> Self {
        self.select = rows;
        self
    }

    /// Waits for this consumer, and for the others that are given by further calls, and not for the rest. Default: all
    /// that are registered with the stream when the run begins.
    pub fn consumer(mut self, name: impl Into<String>) -> Self {
        self.consumers.push(name.into());
        self
    }

    /// The name of its record: to continue it after a crash, and for operators. A record that is finished is replaced.
    /// Default: the table's name.
    pub fn id(mut self, id: impl Into<String>) -> Self {
        self.id = Some(id.into());
        self
    }

    /// Splits the keys into so many ranges, which are read at the same time: for a database whose answers take longer
    /// than the consumers. From 1 to 16, and only for a key of one column that is an integer or a UUID; others are
    /// [`Error::InvalidOption`]. Default: 1.
    pub fn ranges(mut self, ranges: u32) -> Self {
        self.ranges = ranges;
        self
    }

    /// How much longer a chunk of keys may keep the slowest consumer busy than a single key does: a change waits for at
    /// most two chunks. If a single key takes longer than this, a chunk may take twice as long as that, or the walk
    /// would be slow. Chunks have from 1 to 10,000 keys. Default: 5 ms.
    pub fn target(mut self, target: Duration) -> Self {
        self.target = Some(target);
        self
    }

    /// After how long without renewal another process may take over. Default: 5 seconds.
    pub fn lock_ttl(mut self, ttl: Duration) -> Self {
        self.lock_ttl = Some(ttl);
        self
    }

    /// Begins a new walk even if that of its id is not finished, and waits for no other's to end in its place: for a
    /// loss of Redis, in which keys that were queued before can be lost. Default: no.
    pub fn anew(mut self) -> Self {
        self.is_anew = true;
        self
    }

    /// Called at most every 200 ms, and at the end. [`ReindexProgress`] displays itself as one line. Keep it short.
    pub fn on_progress(mut self, report: impl Fn(&ReindexProgress) + Send + Sync + 'static) -> Self {
        self.on_progress = Some(Box::new(report));
        self
    }

    /// Runs until it is done, aborted by an operator, or shut down; see [`Walk::run`](redstream_core::Walk::run).
    ///
    /// A walk of the same id that is not finished is continued, one that another host runs is waited for. It waits
    /// without end for a consumer that is paused or does not run: a warning says so.
    ///
    /// # Errors
    ///
    /// [`Error::KeySource`] if the database returns an error or no message can be made of a key: run it again to
    /// continue. [`Error::NoSuchConsumer`] if a named consumer is not registered. [`Error::InvalidOption`] if none is
    /// registered, if the key cannot be split into ranges, if the entity has no stream, or if the unfinished walk of
    /// this id has another filter.
    pub async fn run(self, shutdown: CancellationToken) -> Result<ReindexReport> {
        let stream = entity_stream::<E>(&self.redstream)?;
        if !(1..=MOST_RANGES).contains(&self.ranges) {
            let reason = format!("{} is not from 1 to {MOST_RANGES}", self.ranges);
            return Err(Error::InvalidOption { option: "ranges", reason });
        }
        let rows = Rows::new(self.db, self.select, self.condition, self.ranges);
        if self.ranges > 1 && !rows.can_split() {
            let reason = format!("the key of `{}` is neither one integer nor one UUID", table::<E>());
            return Err(Error::InvalidOption { option: "ranges", reason });
        }
        let mut walk = self.consumers.into_iter().fold(stream.reindex(rows), Walk::consumer);
        if let Some(id) = self.id {
            walk = walk.id(id);
        }
        if let Some(target) = self.target {
            walk = walk.target(target);
        }
        if let Some(ttl) = self.lock_ttl {
            walk = walk.lock_ttl(ttl);
        }
        if self.is_anew {
            walk = walk.anew();
        }
        if let Some(report) = self.on_progress {
            walk = walk.on_progress(report);
        }
        walk.run(shutdown).await
    }
}

impl<E: Streamed> fmt::Debug for Reindex<'_, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reindex")
            .field("table", &table::<E>())
            .field("condition", &self.condition)
            .field("id", &self.id)
            .finish_non_exhaustive()
    }
}
