//! All workers that an application needs, from its models.
//!
//! `checks` finds what was forgotten.
//!
//! May use `connection`, `index`, `outbox`, `entity` and `error`.

mod checks;

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use redstream_core::{Consumer, Error, Handler, Redstream, Result, Supervisor, SupervisorHandle, Worker};
use sea_orm::{ConnectionTrait, DatabaseConnection, TransactionTrait};

use crate::connection::StreamedConnection;
use crate::entity::derived::derived_entities;
use crate::entity::streamed::{Streamed, table};
use crate::entity::streams::{EntityStream, entity_stream};
use crate::index::embedded::{Embedded, Follow, Named};
use crate::index::indexer::Indexer;
use crate::index::loader::Loader;
use crate::index::sink::Sink;
use crate::unit_of_work::insurance::Insurance;

/// Usual for the delay; longer than nearly all transactions.
const DELAY: Duration = Duration::from_secs(300);

/// All workers of an application, from its models: made by
/// [`RedstreamExt::workers`](crate::RedstreamExt::workers).
///
/// Name what consumes; the rest is added: a delayer and a trimmer for every streamed entity of the program, a relay if
/// the connection uses the outbox, and a consumer for each entity that [documents contain](crate::Documents). What was
/// forgotten is an error before any worker starts: an entity that derives `Streamed` and that nothing consumes, or a
/// link table whose writes do not reach the documents.
///
/// ```no_run
/// # mod book {
/// #     use redstream_seaorm::Streamed;
/// #     use sea_orm::entity::prelude::*;
/// #     #[derive(Clone, Debug, PartialEq, DeriveEntityModel, Streamed)]
/// #     #[sea_orm(table_name = "books")]
/// #     pub struct Model { #[sea_orm(primary_key)] pub id: i64, pub title: String }
/// #     #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
/// #     pub enum Relation {}
/// # }
/// use redstream_seaorm::{Batch, Redstream, RedstreamExt, Rows, Sink, StreamedConnection};
/// use sea_orm::Database;
///
/// # async fn example(books: impl Sink<book::Entity>) -> Result<(), Box<dyn std::error::Error>> {
/// let redstream = Redstream::connect("redis://127.0.0.1/").await?;
/// let db = StreamedConnection::new(Database::connect("postgres://localhost/shop").await?, redstream.producer());
/// redstream
///     .workers(&db)
///     .index("search", Rows, books)
///     .handle::<book::Entity>("cache", async |batch: Batch| Ok(println!("{} changed", batch.len())))
///     .run_until_signal()
///     .await?;
/// # Ok(()) }
/// ```
#[must_use = "workers do nothing until they are run"]
pub struct Workers<C = DatabaseConnection> {
    redstream: Redstream,
    db: StreamedConnection<C>,
    supervisor: Supervisor,
    delay: Duration,
    keep: Option<Duration>,
    consumers: Vec<Named>,
    options: Vec<(String, Box<Options>)>,
    embedded: Vec<Embedded<StreamedConnection<C>>>,
    elsewhere: Vec<String>,
    fault: Option<Error>,
}

type Options = dyn FnMut(Consumer) -> Consumer + Send;

impl<C> Workers<C>
where
    C: ConnectionTrait + TransactionTrait + Clone + Send + Sync + 'static,
    C::Transaction: Send + Sync + 'static,
{
    pub(crate) fn new(redstream: Redstream, db: StreamedConnection<C>) -> Self {
        Self {
            redstream,
            db,
            supervisor: Supervisor::new(),
            delay: DELAY,
            keep: None,
            consumers: Vec::new(),
            options: Vec::new(),
            embedded: Vec::new(),
            elsewhere: Vec::new(),
            fault: None,
        }
    }

    /// Adds a consumer that passes the records of an entity to a sink: an [`Indexer`] with this loader. The entity is
    /// the sink's and the loader's. [`Rows`](crate::Rows) loads plain rows.
    ///
    /// If the [loader's records contain other entities](Loader::embedded), these are followed, too. If the sink
    /// [compares versions](Sink::compares_versions), each change is handled once.
    pub fn index<E, L, S>(self, name: impl Into<String>, loader: L, sink: S) -> Self
    where
        E: Streamed,
        L: Loader<E, StreamedConnection<C>>,
        S: Sink<E, L::Record>,
    {
        let skip_repeats = sink.compares_versions();
        let embedded = loader.embedded();
        let indexer = Indexer::with_loader(self.db.clone(), loader, sink);
        let mut workers = self.consumer::<E>(name.into(), indexer, |consumer| consumer.skip_repeats(skip_repeats));
        workers.embedded.extend(embedded);
        workers
    }

    /// Adds a consumer of an entity's changes with a handler of your own.
    pub fn handle<E: Streamed>(self, name: impl Into<String>, handler: impl Handler) -> Self {
        self.consumer::<E>(name.into(), handler, |consumer| consumer)
    }

    fn consumer<E: Streamed>(
        mut self,
        name: String,
        handler: impl Handler,
        options: impl FnMut(Consumer) -> Consumer,
    ) -> Self {
        match entity_stream::<E>(&self.redstream) {
            Ok(stream) => {
                let worker = stream.consumer(name.clone(), handler).each(options);
                self.consumers.push(Named { name, table: table::<E>(), stream, worker });
            }
            Err(error) => self.fault = self.fault.or(Some(error)),
        }
        self
    }

    /// Sets options of the consumers of this name: `.options("search", |consumer| consumer.batch_size(500))`. It is
    /// called for each of their shards.
    pub fn options(
        mut self,
        consumer: impl Into<String>,
        options: impl FnMut(Consumer) -> Consumer + Send + 'static,
    ) -> Self {
        self.options.push((consumer.into(), Box::new(options)));
        self
    }

    /// The delay after which a change is announced again if its process crashed; see
    /// [`Stream::delayer`](redstream_core::Stream::delayer). Longer than your transactions take. Default: 5 minutes.
    pub fn delay(mut self, delay: Duration) -> Self {
        self.delay = delay;
        self
    }

    /// For how long messages stay that all consumers have committed; see
    /// [`Trimmer::keep`](redstream_core::Trimmer::keep). Default: not at all.
    pub fn keep(mut self, time: Duration) -> Self {
        self.keep = Some(time);
        self
    }

    /// Another program runs the workers of this entity.
    pub fn elsewhere<E: Streamed>(mut self) -> Self {
        self.elsewhere.push(table::<E>());
        self
    }

    /// Adds a worker of your own.
    pub fn worker(mut self, worker: impl Worker) -> Self {
        self.supervisor = self.supervisor.with(worker);
        self
    }

    /// The supervisor with all workers, for its own options and for its [`health`](Supervisor::health).
    ///
    /// # Errors
    ///
    /// [`Error::InvalidOption`] if an entity that derives `Streamed` has no consumer here and is not declared to be
    /// [`elsewhere`](Self::elsewhere), if [`options`](Self::options) name no consumer, if two consumers of an entity
    /// have one name, as two [queries](crate::Documents::embed_by) for one embedded entity do, or if a change of an
    /// [embedded](crate::Documents) entity would not reach the documents;
    /// [`Error::InvalidName`] if a stream's or consumer's name is unusable.
    pub fn supervisor(self) -> Result<Supervisor> {
        let Self { redstream, db, mut supervisor, mut consumers, fault, .. } = self;
        if let Some(fault) = fault {
            return Err(fault);
        }
        let (mut cascades, mut relations) = (Vec::new(), Vec::new());
        for Embedded { document, of, follow } in self.embedded {
            match follow {
                Follow::Cascade { name, is_relation, consumer, link } => {
                    if let Some(link) = link {
                        checks::announces(derived_entities(), &link, &document)?;
                    }
                    let cascade = (of, document);
                    // Several indexes of one entity need it once. Two queries can differ, so they are two.
                    if !(is_relation && relations.contains(&cascade)) {
                        consumers.push(consumer(&redstream, &db, name)?);
                    }
                    if is_relation {
                        relations.push(cascade.clone());
                    }
                    cascades.push(cascade);
                }
                Follow::Children => checks::announces(derived_entities(), &of, &document)?,
                Follow::Unknown => return Err(checks::no_relation(&document, &of)),
            }
        }
        checks::no_circle(&cascades)?;
        checks::no_twins(&consumers)?;
        for (consumer, mut options) in self.options {
            checks::is_known(&consumers, &consumer)?;
            let (of_that_name, others) = consumers.into_iter().partition::<Vec<_>, _>(|named| named.name == consumer);
            let set = |named: Named| Named { worker: named.worker.each(&mut options), ..named };
            consumers = of_that_name.into_iter().map(set).chain(others).collect();
        }
        let mut streams: BTreeMap<String, EntityStream> = BTreeMap::new();
        for entity in derived_entities().filter(|entity| !self.elsewhere.contains(&(entity.name)())) {
            let Some(stream) = (entity.stream)(&redstream).transpose()? else { continue };
            checks::is_consumed(entity, &stream, &consumers)?;
            streams.insert(first_name(&stream), stream);
        }
        for Named { table, worker, stream, .. } in consumers {
            if !self.elsewhere.contains(&table) {
                streams.entry(first_name(&stream)).or_insert(stream);
            }
            supervisor = supervisor.with(worker);
        }
        for stream in streams.into_values() {
            let trimmer = match self.keep {
                Some(time) => stream.trimmer().each(|trimmer| trimmer.keep(time)),
                None => stream.trimmer(),
            };
            supervisor = supervisor.with(stream.delayer(self.delay)).with(trimmer);
        }
        if db.shared.settings.insurance != Insurance::Redis {
            supervisor = supervisor.with(db.relay());
        }
        Ok(supervisor)
    }

    /// Runs all workers until SIGTERM or SIGINT; see [`Supervisor::run_until_signal`].
    ///
    /// # Errors
    ///
    /// As [`supervisor`](Self::supervisor) and as that method.
    pub async fn run_until_signal(self) -> Result<()> {
        self.supervisor()?.run_until_signal().await
    }

    /// Runs all workers until `stop` completes; see [`Supervisor::run_until`].
    ///
    /// # Errors
    ///
    /// As [`supervisor`](Self::supervisor) and as that method.
    pub async fn run_until<S: Future>(self, stop: S) -> Result<()> {
        self.supervisor()?.run_until(stop).await
    }

    /// Starts all workers and returns at once; see [`Supervisor::start`].
    ///
    /// # Errors
    ///
    /// As [`supervisor`](Self::supervisor) and as that method.
    ///
    /// # Panics
    ///
    /// Outside a Tokio runtime.
    pub fn start(self) -> Result<SupervisorHandle> {
        self.supervisor()?.start()
    }
}

/// What distinguishes the streams of two entities.
fn first_name(stream: &EntityStream) -> String {
    stream.streams().first().map(|stream| stream.name().to_string()).unwrap_or_default()
}

impl<C> fmt::Debug for Workers<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let consumers = self.consumers.iter().map(|named| format!("{} of {}", named.name, named.table));
        f.debug_struct("Workers")
            .field("consumers", &consumers.collect::<Vec<_>>())
            .field("delay", &self.delay)
            .finish_non_exhaustive()
    }
}
