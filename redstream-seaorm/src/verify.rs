//! Verification: compares the rows of an entity with what a sink has of them, and repairs what differs.
//!
//! # Layout
//! - `options` are those of one verification, `report` and `error` what comes out of it;
//! - `pass` is one run: `compare` compares page by page, and `decide` compares suspects again;
//! - `pages` reads ahead, a `page` at a time, from the two `sides`; `recheck` compares single keys;
//! - `worker` repeats it on one of several hosts;
//! - `standing` says how far consumers and delayers are; `suspect` is a key that is not decided;
//! - `order` is the order of keys that every datastore sorts alike; `retry` tries a read again.
//!
//! May use `index` and what it uses.

mod compare;
mod decide;
pub(crate) mod error;
mod gauges;
mod options;
mod order;
mod page;
mod pages;
mod pass;
mod recheck;
pub(crate) mod report;
mod retry;
mod sides;
mod standing;
mod suspect;
pub(crate) mod worker;

use std::fmt;
use std::ops::Deref;
use std::pin::Pin;
use std::time::Duration;

use redstream_core::{CancellationToken, Redstream};
use sea_orm::sea_query::IntoCondition;
use sea_orm::{ConnectionTrait, Select};

use self::error::VerifyError;
use self::options::Options;
use self::pass::Pass;
use self::report::VerifyReport;
use self::worker::VerifyWorker;
use crate::entity::streamed::Streamed;
use crate::index::loader::{Loader, Rows};
use crate::index::scan::Scan;

/// Compares what the primary database has of an entity with what a sink has of it: made by
/// [`RedstreamExt::verify`](crate::RedstreamExt::verify), or by [`Verify::new`] if it is to own its parts.
///
/// - Each key of rows and of documents is compared once, page by page; memory is bounded.
/// - A key that differs is compared again after the delayer and the consumer have passed what was on its way, and is
///   reported only if it still differs and was not announced again. So a system that is written meanwhile has no false
///   differences; a key that changes each time is [unsettled](VerifyReport::unsettled).
/// - It never writes to the sink: a [repair](Self::repair) queues keys, and the consumer does the rest.
///
/// Keys of integers, booleans, UUIDs and bytes are merged by ranges, since every datastore sorts them alike; others are
/// looked up, for which the sink must implement [`Scan::find`]. The guide is `docs/verify.md`.
///
/// ```no_run
/// # mod city {
/// #     use redstream_seaorm::Streamed;
/// #     use sea_orm::entity::prelude::*;
/// #     #[derive(Clone, Debug, PartialEq, DeriveEntityModel, Streamed)]
/// #     #[sea_orm(table_name = "cities")]
/// #     pub struct Model { #[sea_orm(primary_key)] pub id: i64, pub name: String }
/// #     #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
/// #     pub enum Relation {}
/// # }
/// use std::process::ExitCode;
///
/// use redstream_seaorm::{CancellationToken, Redstream, RedstreamExt, Scan};
///
/// async fn verify(
///     redstream: Redstream,
///     db: sea_orm::DatabaseConnection,
///     index: impl Scan<city::Entity>,
/// ) -> Result<ExitCode, Box<dyn std::error::Error>> {
///     let report = redstream
///         .verify::<city::Entity>(&db, &index)
///         .consumer("search")
///         .on_progress(|report| println!("{report}"))
///         .run(CancellationToken::new())
///         .await?;
///     println!("{} missing, {} stale, {} extra", report.missing, report.stale, report.extra);
///     Ok(report.exit_code())
/// }
/// ```
#[must_use = "it does nothing until it is run"]
pub struct Verify<'a, E: Streamed> {
    redstream: Redstream,
    parts: Box<dyn Compares<E> + 'a>,
    options: Options<E>,
}

impl<E: Streamed> Verify<'static, E> {
    /// Compares rows with documents; `db` and `sink` are those of the [`Indexer`](crate::Indexer).
    pub fn new<C, S>(redstream: &Redstream, db: C, sink: S) -> Self
    where
        E: Streamed<Model: Sync>,
        C: ConnectionTrait + Send + Sync + 'static,
        S: Scan<E>,
    {
        Self::with_loader(redstream, db, Rows, sink)
    }

    /// Compares the records that the loader makes with documents; all three are those of the
    /// [`Indexer`](crate::Indexer).
    pub fn with_loader<C, L, S>(redstream: &Redstream, db: C, loader: L, sink: S) -> Self
    where
        C: ConnectionTrait + Send + Sync + 'static,
        L: Loader<E, C>,
        S: Scan<E, L::Record>,
    {
        Self::of(redstream, Held::Owned(db), loader, Held::Owned(sink))
    }

    /// A worker that verifies again and again: one pass in each period, at a low rate. Give several verifications of
    /// one entity different [ids](Self::id).
    ///
    /// ```no_run
    /// # mod city {
    /// #     use redstream_seaorm::Streamed;
    /// #     use sea_orm::entity::prelude::*;
    /// #     #[derive(Clone, Debug, PartialEq, DeriveEntityModel, Streamed)]
    /// #     #[sea_orm(table_name = "cities")]
    /// #     pub struct Model { #[sea_orm(primary_key)] pub id: i64, pub name: String }
    /// #     #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    /// #     pub enum Relation {}
    /// # }
    /// # use std::time::Duration;
    /// # use redstream_seaorm::{Redstream, Scan, Supervisor, Verify};
    /// # fn example(redstream: Redstream, db: sea_orm::DatabaseConnection, index: impl Scan<city::Entity>) {
    /// let verify = Verify::<city::Entity>::new(&redstream, db, index).consumer("search").target("search").repair(true);
    /// let workers = Supervisor::new().with(verify.every(Duration::from_secs(6 * 3600)));
    /// # }
    /// ```
    pub fn every(self, period: Duration) -> VerifyWorker<E> {
        VerifyWorker::new(self, period)
    }
}

impl<'a, E: Streamed> Verify<'a, E> {
    pub(crate) fn borrowing<C, L, S>(redstream: &Redstream, db: &'a C, loader: L, sink: &'a S) -> Self
    where
        C: ConnectionTrait + Send + Sync + 'static,
        L: Loader<E, C>,
        S: Scan<E, L::Record>,
    {
        Self::of(redstream, Held::Borrowed(db), loader, Held::Borrowed(sink))
    }

    fn of<C, L, S>(redstream: &Redstream, db: Held<'a, C>, loader: L, sink: Held<'a, S>) -> Self
    where
        C: ConnectionTrait + Send + Sync + 'static,
        L: Loader<E, C>,
        S: Scan<E, L::Record>,
    {
        let target = short(std::any::type_name::<S>());
        let parts = Box::new(Parts { db, loader, sink });
        Self { redstream: redstream.clone(), parts, options: Options::new(target) }
    }

    /// The consumer that feeds the sink; by further calls, further ones. A difference is reported only after they have
    /// passed what was in the stream when it was found. Default: all that are registered.
    pub fn consumer(mut self, name: impl Into<String>) -> Self {
        self.options.consumers.push(name.into());
        self
    }

    /// Only rows that meet this. Several filters must all be met. Default: all rows.
    ///
    /// It says which rows are compared, not which belong in the sink: that is the loader's decision. So a document
    /// whose row does not meet the filter is not extra, and one without a record is.
    pub fn filter(mut self, filter: impl IntoCondition) -> Self {
        self.options.condition = self.options.condition.add(filter.into_condition());
        self.options.is_part = true;
        self
    }

    /// Only the rows of this selection, such as one that joins another table. Its columns, order, limit and offset do
    /// not count. Default: `E::find()`.
    pub fn select(mut self, rows: Select<E>) -> Self {
        self.options.select(rows);
        self
    }

    /// Queues the keys that differ, so that the consumer writes or deletes their documents; then compares them once
    /// more. Default: no, differences are only reported.
    pub fn repair(mut self, on: bool) -> Self {
        self.options.repair = on;
        self
    }

    /// Stops when more than so many keys differ, and repairs no more than so many: a wrong mapping must not queue every
    /// key. Default: 10,000.
    pub fn max(mut self, differences: u64) -> Self {
        self.options.max = differences;
        self
    }

    /// How many differences the report lists. Default: the first 100.
    pub fn list(mut self, differences: usize) -> Self {
        self.options.most_told = differences;
        self
    }

    /// The most keys that are compared a second, so that a live system is not slowed down. Default: as many as both
    /// sides give. Zero or less counts as no limit.
    pub fn rate(mut self, keys_a_second: f64) -> Self {
        self.options.rate = Some(keys_a_second).filter(|rate| *rate > 0.0 && rate.is_finite());
        self
    }

    /// How many rows, and how many documents, are read at once. About six times as many of each are in memory. Default:
    /// 1000. Zero counts as one.
    pub fn page_size(mut self, keys: usize) -> Self {
        self.options.page_size = keys.max(1);
        self
    }

    /// How long a consumer may make no progress while it is waited for, and how long the delayer may be late. Then the
    /// verification [ends unfinished](crate::VerifyState::NotFinished), and names it. Default: one minute.
    pub fn patience(mut self, time: Duration) -> Self {
        self.options.patience = time;
        self
    }

    /// Does not wait until the delay messages are gone that were there when a difference was found. Faster by up to the
    /// delay of the delayer; but a change whose main message was lost, which the delayer announces then, is reported as
    /// a difference. Default: it waits.
    pub fn skip_delay(mut self, on: bool) -> Self {
        self.options.skip_delay = on;
        self
    }

    /// How long a read of a side that fails is tried again. Default: 30 seconds.
    pub fn retry_for(mut self, time: Duration) -> Self {
        self.options.retry_for = time;
        self
    }

    /// Its name, for the log and the report. Default: the table's name.
    pub fn id(mut self, id: impl Into<String>) -> Self {
        self.options.id = id.into();
        self
    }

    /// The name of what is compared with the table, for the log, the report and metrics. Default: the sink's type.
    pub fn target(mut self, name: impl Into<String>) -> Self {
        self.options.target = name.into();
        self
    }

    /// Called at most every 200 ms, and at the end. [`VerifyReport`] displays itself as one line. Keep it short.
    pub fn on_progress(mut self, report: impl Fn(&VerifyReport) + Send + Sync + 'static) -> Self {
        self.options.on_progress = Some(Box::new(report));
        self
    }

    /// Compares every key once, and those that differ again. Differences are no error.
    ///
    /// Dropping the future is harmless, and so is a shutdown: run it again.
    ///
    /// # Errors
    ///
    /// If a side cannot be read for the time of [`retry_for`](Self::retry_for), if a page of it is out of order, or if
    /// its keys must be looked up and the sink cannot; if no consumer is registered, or a named one is not; if Redis
    /// does not answer.
    pub async fn run(&self, shutdown: CancellationToken) -> Result<VerifyReport, VerifyError> {
        self.parts.run(&self.redstream, &self.options, &shutdown).await
    }
}

impl<E: Streamed> fmt::Debug for Verify<'_, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Verify")
            .field("id", &self.options.id)
            .field("target", &self.options.target)
            .finish_non_exhaustive()
    }
}

type Running<'r> = Pin<Box<dyn Future<Output = Result<VerifyReport, VerifyError>> + Send + 'r>>;

/// The parts of a verification, whatever their types.
trait Compares<E: Streamed>: Send + Sync {
    fn run<'r>(
        &'r self,
        redstream: &'r Redstream,
        options: &'r Options<E>,
        shutdown: &'r CancellationToken,
    ) -> Running<'r>;
}

struct Parts<'a, C, L, S> {
    db: Held<'a, C>,
    loader: L,
    sink: Held<'a, S>,
}

impl<E, C, L, S> Compares<E> for Parts<'_, C, L, S>
where
    E: Streamed,
    C: ConnectionTrait + Send + Sync + 'static,
    L: Loader<E, C>,
    S: Scan<E, L::Record>,
{
    fn run<'r>(
        &'r self,
        redstream: &'r Redstream,
        options: &'r Options<E>,
        shutdown: &'r CancellationToken,
    ) -> Running<'r> {
        Box::pin(Pass::run(redstream, (&*self.db, &self.loader, &*self.sink), options, shutdown))
    }
}

/// Something that is borrowed for one verification, or owned by a worker.
enum Held<'a, T> {
    Borrowed(&'a T),
    Owned(T),
}

impl<T> Deref for Held<'_, T> {
    type Target = T;

    fn deref(&self) -> &T {
        match self {
            Self::Borrowed(held) => held,
            Self::Owned(held) => held,
        }
    }
}

/// The name of a type without its modules and parameters.
fn short(name: &str) -> String {
    let name = name.split('<').next().unwrap_or(name);
    name.rsplit("::").next().unwrap_or(name).to_owned()
}
