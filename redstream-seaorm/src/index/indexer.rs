//! The indexer: a handler that reads the changed rows and passes them to a sink.

use std::fmt;

use async_trait::async_trait;
use redstream_core::{Batch, BoxError, Handler, HandlerError, Prepared};
use sea_orm::ConnectionTrait;
use serde_json::Value as Json;

use crate::entity::decode::Decoder;
use crate::entity::key::KeyOf;
use crate::entity::streamed::Streamed;
use crate::failpoint::failpoint;
use crate::index::expected_streams::Meant;
use crate::index::failures::Failures;
use crate::index::loaded::{Loaded, LoadedBatch};
use crate::index::loader::{Loader, Rows};
use crate::index::sink::{Changes, Sink};

/// How often the records of one batch are written: once, and again with a newer version if the datastore refused some
/// because it has a higher one.
const WRITES: usize = 3;

/// Passes the records that a batch of messages names to a [`Sink`].
///
/// It decodes the keys, removes duplicates, takes the batch's version, has its [`Loader`] read the records from the
/// primary database (by default the rows, in one query), and passes them on as upserts (found) and deletes (missing).
///
/// If the next batch has arrived, its records are loaded while the sink writes this one. They are loaded again if the
/// write fails: what a retry writes is never followed by something older.
///
/// A key is deleted only if the database has no row for it. If the database may treat two spellings as one key, it is
/// queried once more for the keys that were not found: see [`Changes::respelled`] and [`Streamed::has_exact_key`].
///
/// If the sink says [which records failed](Failures), only the messages that name them are retried. If the datastore
/// refused some because it has them with a higher version, the indexer asks for a newer version, loads these records
/// again and writes them again, at most three times; if another host owns the consumer's lock by then, the batch is
/// left to that host.
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
/// use redstream_seaorm::{Changes, HandlerError, Indexer, Sink, Stream};
///
/// struct Printer;
///
/// impl Sink<city::Entity> for Printer {
///     async fn write(&self, changes: Changes<city::Entity>) -> Result<(), HandlerError> {
///         println!("{} rows to write, {} keys to remove", changes.upserts.len(), changes.deletes.len());
///         Ok(())
///     }
/// }
///
/// # fn example(cities: Stream, primary: sea_orm::DatabaseConnection) {
/// let consumer = cities.consumer("printer", Indexer::new(primary, Printer));
/// # }
/// ```
pub struct Indexer<E, C, S, L = Rows> {
    primary: C,
    loader: L,
    sink: S,
    decoder: Decoder<E>,
    meant: Meant,
    loads_ahead: bool,
}

impl<E, C, S> Indexer<E, C, S>
where
    E: Streamed<Model: Sync>,
    C: ConnectionTrait + Send + Sync + 'static,
    S: Sink<E>,
{
    /// Reads rows from `primary`, writes them to `sink`.
    ///
    /// `primary` must be the primary database itself, not a replica with replication lag: a row that is read too early
    /// is written with a version that is too new for it.
    pub fn new(primary: C, sink: S) -> Self {
        Self::with_loader(primary, Rows, sink)
    }
}

impl<E, C, S, L> Indexer<E, C, S, L>
where
    E: Streamed,
    L: Loader<E, C>,
    S: Sink<E, L::Record>,
{
    /// Has `loader` read from `primary`, writes what it returns to `sink`. `primary` as in [`new`](Self::new).
    pub fn with_loader(primary: C, loader: L, sink: S) -> Self {
        Self { primary, loader, sink, decoder: Decoder::columns(), meant: Meant::of::<E>(), loads_ahead: true }
    }
}

impl<E: Streamed, C, S, L> Indexer<E, C, S, L> {
    /// How to read the key back from a payload, if `#[streamed(payload = …)]` makes one of your own. Default: the
    /// key's columns, by name, of a JSON object.
    ///
    /// A payload for which it returns an error becomes a dead letter.
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
    /// # use redstream_seaorm::{Indexer, Sink};
    /// # fn example(primary: sea_orm::DatabaseConnection, sink: impl Sink<city::Entity>) {
    /// // For payloads such as {"kind":"city","key":1}
    /// let indexer = Indexer::new(primary, sink).decode(|payload| Ok(serde_json::from_value(payload["key"].clone())?));
    /// # }
    /// ```
    #[must_use]
    pub fn decode(mut self, decode: impl Fn(Json) -> Result<KeyOf<E>, BoxError> + Send + Sync + 'static) -> Self {
        self.decoder = Decoder::by(move |payload| decode(payload).map(Some));
        self
    }

    /// The same, for a stream that several entities write: `None` for the payload of another entity, which is skipped.
    ///
    /// Not needed for entities with a [`kind`](Streamed::kind).
    #[must_use]
    pub fn decode_own(
        mut self,
        decode: impl Fn(Json) -> Result<Option<KeyOf<E>>, BoxError> + Send + Sync + 'static,
    ) -> Self {
        self.decoder = Decoder::by(decode);
        self.meant.tells_apart();
        self
    }

    /// Skips every payload that is no object of this entity's key columns, instead of making it a dead letter: for a
    /// stream that is written by several entities whose keys have different columns, or columns of different kinds.
    ///
    /// **Entities with keys of the same form are not distinguished**: the key `{"id":1}` of one is mistaken for that of
    /// the other. Give them [kinds](Streamed::kind). Skipped payloads are counted by
    /// `redstream_messages_passed_over_total`; a corrupt payload is skipped, too.
    #[must_use]
    pub fn pass_over_others(mut self) -> Self {
        self.decoder = Decoder::own_columns();
        self.meant.tells_apart();
        self
    }

    /// Whether the records of the next batch are loaded while the sink writes this one. Default: yes. Otherwise the
    /// records of one batch are in memory at a time, in place of two.
    #[must_use]
    pub fn load_ahead(mut self, on: bool) -> Self {
        self.loads_ahead = on;
        self
    }

    /// The sink.
    pub fn sink(&self) -> &S {
        &self.sink
    }
}

#[async_trait]
impl<E, C, S, L> Handler for Indexer<E, C, S, L>
where
    E: Streamed,
    C: ConnectionTrait + Send + Sync + 'static,
    L: Loader<E, C>,
    S: Sink<E, L::Record>,
{
    /// A payload that holds no key of `E` is a [`DecodeError`](redstream_core::DecodeError), and so becomes a dead
    /// letter.
    async fn handle(&self, batch: Batch) -> Result<(), HandlerError> {
        self.meant.compare(&batch);
        let loaded = match batch.take_prepared::<LoadedBatch<E, L::Record>>() {
            Some(prepared) => *prepared,
            None => match LoadedBatch::of(&self.primary, &self.loader, &batch, &self.decoder).await? {
                Some(loaded) => loaded,
                None => return Ok(()),
            },
        };
        let LoadedBatch { mut named, mut version, loaded } = loaded;
        named.count_passed_over(&batch);
        let mut failures = self.write(loaded, version).await?;
        for write in 1..WRITES {
            if failures.outdated.is_empty() {
                break;
            }
            if write == 1 {
                // Expected after a takeover, and if a second consumer writes the same records: nothing is lost.
                tracing::info!(
                    stream = %batch.stream(), consumer = batch.consumer(), version, records = failures.outdated.len(),
                    "the datastore has records by a higher version: they are read and written again by a newer one"
                );
            } else {
                tracing::warn!(
                    stream = %batch.stream(), consumer = batch.consumer(), version, records = failures.outdated.len(),
                    "the datastore has records by a higher version again: another program that writes them takes its versions \
                     from elsewhere"
                );
            }
            version = batch.version_above(version.max(failures.highest)).await?;
            let outdated = std::mem::take(&mut failures.outdated);
            let loaded = Loaded::of(&self.primary, &self.loader, &mut named, Some(outdated)).await?;
            let again = self.write(loaded, version).await?;
            failures.failed.extend(again.failed);
            failures.outdated = again.outdated;
            failures.highest = again.highest;
        }
        if failures.is_empty() {
            return Ok(());
        }
        let keys: Vec<_> = failures.failed.iter().map(|(key, _)| key).chain(&failures.outdated).cloned().collect();
        Err(named.failure(&keys, failures))
    }

    fn is_to_be_filled(&self) -> bool {
        self.sink.is_to_be_filled()
    }

    fn prepares(&self) -> bool {
        self.loads_ahead
    }

    async fn prepare(&self, batch: &Batch) -> Option<Prepared> {
        let loaded = LoadedBatch::of(&self.primary, &self.loader, batch, &self.decoder).await;
        // What went wrong goes wrong again when the batch is handled, and is told then.
        Some(Box::new(loaded.ok().flatten()?))
    }
}

impl<E, C, S, L> Indexer<E, C, S, L>
where
    E: Streamed,
    C: ConnectionTrait + Send + Sync + 'static,
    L: Loader<E, C>,
    S: Sink<E, L::Record>,
{
    /// Has the sink write the records. Errors if it is not known which of them failed.
    async fn write(&self, loaded: Loaded<E, L::Record>, version: u64) -> Result<Failures<E>, HandlerError> {
        let Loaded { upserts, deletes, respelled } = loaded;
        failpoint!("indexer: loaded");
        let written = self.sink.write(Changes { upserts, deletes, respelled, version }).await;
        failpoint!("indexer: written");
        match written {
            Ok(()) => Ok(Failures::new()),
            Err(error) if error.source().is::<Failures<E>>() => {
                error.into_source().downcast().map(|failures| *failures).map_err(HandlerError::new)
            }
            Err(error) => Err(error),
        }
    }
}

impl<E, C, S: fmt::Debug, L> fmt::Debug for Indexer<E, C, S, L> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Indexer").field("sink", &self.sink).finish_non_exhaustive()
    }
}
