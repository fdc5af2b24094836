//! The sink, and its options.

use std::collections::{HashMap, HashSet};
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use ::tantivy::{Index, IndexReader, TantivyDocument, TantivyError, Term};
use redstream_seaorm::{BoxError, Changes, Failures, HandlerError, Key, KeyReader, Sink, Streamed};
use sea_orm::EntityTrait;
use tokio::sync::oneshot;

use crate::tantivy::document::checked;
use crate::tantivy::error::Error;
use crate::tantivy::fields::OwnFields;
use crate::tantivy::metrics;
use crate::tantivy::store::{Change, Job, Store};
use crate::tantivy::term::term_of;
use crate::tantivy::tombstones;
use crate::tantivy::writer::Options;

type Build<E, R> = dyn Fn(&Key<E>, &R) -> Result<TantivyDocument, BoxError> + Send + Sync;

/// Writes the records of `E` to a tantivy index, as documents with versions.
///
/// - Each document and each tombstone of a deleted record has the [version](Changes::version) of its batch: a write by
///   a lower version than the index has is [superseded](Failures::outdated_by).
/// - A write is on disk when it returns, and [`reader`](Self::reader) finds it. A write whose future is dropped is
///   finished nevertheless.
/// - A record of which no document can be made fails alone.
/// - Writes at the same time, such as those of several shards, share a commit.
///
/// Cloning it is cheap; clones share one writer, which has the index's lock from the first write until the last clone
/// is dropped, or [for each commit alone](Builder::release_lock). The crate's guide, `docs/sinks.md`, has tables of all
/// options and of what follows from each error.
///
/// ```
/// # mod city {
/// #     use redstream_seaorm::Streamed;
/// #     use sea_orm::entity::prelude::*;
/// #     #[derive(Clone, Debug, PartialEq, DeriveEntityModel, Streamed)]
/// #     #[sea_orm(table_name = "cities")]
/// #     pub struct Model { #[sea_orm(primary_key)] pub id: i64, pub name: String }
/// #     #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
/// #     pub enum Relation {}
/// # }
/// use redstream_seaorm::{Indexer, Stream};
/// use redstream_sinks::tantivy::{OwnFields, TantivySink};
/// use tantivy::schema::{STORED, Schema, TEXT};
/// use tantivy::{Index, doc};
///
/// # fn example(cities: Stream, primary: sea_orm::DatabaseConnection) -> Result<(), Box<dyn std::error::Error>> {
/// let mut schema = Schema::builder();
/// let name = schema.add_text_field("name", TEXT | STORED);
/// OwnFields::add_to(&mut schema);
/// let index = Index::open_or_create(tantivy::directory::MmapDirectory::open("cities.index")?, schema.build())?;
/// let sink = TantivySink::<city::Entity>::builder(index)
///     .build(move |_key, city: &city::Model| Ok(doc!(name => city.name.as_str())))?;
/// let reader = sink.reader(); // for searches
/// let consumer = cities.consumer("search", Indexer::new(primary, sink)).skip_repeats(true);
/// # Ok(()) }
/// ```
pub struct TantivySink<E: EntityTrait, R = <E as EntityTrait>::Model> {
    pub(crate) store: Arc<Store>,
    build: Arc<Build<E, R>>,
}

/// The options of a [`TantivySink`].
#[derive(Debug)]
#[must_use]
pub struct Builder<E> {
    index: Index,
    options: Options,
    entity: std::marker::PhantomData<fn() -> E>,
}

impl<E: EntityTrait> Builder<E> {
    /// How many threads index documents. Each makes a segment of its own for each commit, so that more are of use for
    /// large documents only. Default: 1. Zero counts as one.
    pub fn threads(mut self, threads: usize) -> Self {
        self.options.threads = threads.max(1);
        self
    }

    /// The bytes of memory of each thread: at least 15 MB, as tantivy demands. A batch that needs more is written to
    /// several segments. Default: 50 MB.
    pub fn memory_per_thread(mut self, bytes: usize) -> Self {
        self.options.memory = bytes;
        self
    }

    /// How long a deleted record's version is remembered: a write that is later than that is not noticed to be late.
    /// Default: one day.
    pub fn keep_tombstones_for(mut self, time: Duration) -> Self {
        self.options.keep = time;
        self
    }

    /// Releases the index's lock after each commit, so that several processes of a host can write the same index in
    /// turns: a hot standby, or another shard. Without it a standby gets [`Error::Locked`] until the process before
    /// it has ended, or has dropped the sink.
    ///
    /// `open` opens the index anew, with the application's tokenizers; it is called for each commit, which costs some
    /// milliseconds and waits for the merges of segments that it causes. A write waits up to ten seconds for the commit
    /// of another process.
    pub fn release_lock(mut self, open: impl Fn() -> Result<Index, TantivyError> + Send + Sync + 'static) -> Self {
        self.options.reopen = Some(Arc::new(open));
        self
    }

    /// The sink. `build` makes a document of a record, without the [sink's own fields](OwnFields); a record of which
    /// it cannot make one fails alone. It runs on a thread that may block.
    ///
    /// # Errors
    ///
    /// [`Error::Schema`] if the schema lacks one of the [sink's own fields](OwnFields), or has it otherwise;
    /// [`Error::Index`] if the index cannot be read.
    pub fn build<R>(
        self,
        build: impl Fn(&Key<E>, &R) -> Result<TantivyDocument, BoxError> + Send + Sync + 'static,
    ) -> Result<TantivySink<E, R>, Error> {
        let store = Store::new(self.index, self.options, table::<E>())?;
        Ok(TantivySink { store: Arc::new(store), build: Arc::new(build) })
    }
}

impl<E: EntityTrait> TantivySink<E, E::Model> {
    /// Writes to this index. Its schema has the [sink's own fields](OwnFields::add_to).
    pub fn builder(index: Index) -> Builder<E> {
        let options = Options { threads: 1, memory: 50_000_000, keep: Duration::from_secs(24 * 3600), reopen: None };
        Builder { index, options, entity: std::marker::PhantomData }
    }
}

impl<E: EntityTrait, R> TantivySink<E, R> {
    /// Acquires the index's lock, which the first write does otherwise: call it when the program starts, so that
    /// another writer is noticed then. Blocks for some milliseconds. A lock that is
    /// [released after each commit](Builder::release_lock) is released at once.
    ///
    /// # Errors
    ///
    /// [`Error::Locked`], if another writer has it.
    pub fn prepare(&self) -> Result<(), Error> {
        self.store.open()
    }

    /// A reader of the index, which finds each write of this process as soon as it has returned. Cloning it is cheap.
    ///
    /// In another process, take a reader of tantivy's: it finds a commit within half a second.
    pub fn reader(&self) -> IndexReader {
        self.store.reader.clone()
    }

    /// The sink's own fields, for a [query without tombstones](OwnFields::live).
    pub fn fields(&self) -> OwnFields {
        self.store.fields
    }

    /// The term by which the document of this key is found.
    ///
    /// # Errors
    ///
    /// If the key has no form as a term, or is too long.
    pub fn term(&self, key: &Key<E>) -> Result<Term, Error> {
        Ok(self.store.fields.term(&term_of(key)?.0))
    }

    /// The key of a document that a search has found.
    ///
    /// # Errors
    ///
    /// [`Error::Foreign`] if it is no document of this entity.
    pub fn key(&self, document: &TantivyDocument) -> Result<Key<E>, Error> {
        use ::tantivy::schema::Value as _;

        let id = document.get_first(self.store.fields.id).and_then(|id| id.as_str()).unwrap_or_default();
        KeyReader::new().document_id(id).map_err(|what| Error::Foreign { id: id.to_owned(), what })
    }

    /// The document of a record, with its checksum, but without the sink's own fields.
    pub(crate) fn document(&self, key: &Key<E>, id: &str, record: &R) -> Result<(TantivyDocument, u64), Error> {
        let built = (self.build)(key, record);
        let document = built.map_err(|source| Error::Document { id: id.to_owned(), source })?;
        let checksum = checked(&document, &self.store.index().schema(), &self.store.fields, id)?;
        Ok((document, checksum))
    }

    /// What a write changes, and the key of each change. Keys that share an id share a document: the last record
    /// stays, and no delete removes it.
    fn changes(&self, changes: &Changes<E, R>, failures: &mut Failures<E>) -> Vec<(Key<E>, bool, Change)> {
        let fields = self.store.fields;
        let mut failed = |key: &Key<E>, error| {
            count::<E>("failed", 1);
            failures.failed(key.clone(), error);
        };
        let mut made = Vec::with_capacity(changes.upserts.len() + changes.deletes.len());
        let mut last = HashMap::new();
        for (key, record) in &changes.upserts {
            let built = term_of(key).and_then(|(term, id)| {
                last.insert(term.clone(), made.len());
                let (mut document, checksum) = self.document(key, &id, record)?;
                document.add_text(fields.id, &id);
                document.add_u64(fields.checksum, checksum);
                Ok(Change { key: term, document })
            });
            match built {
                Ok(change) => made.push((key.clone(), false, change)),
                Err(error) => failed(key, error),
            }
        }
        let mut nth = 0..;
        made.retain(|(.., change)| nth.next() == last.get(&change.key).copied());
        let mut deleted = HashSet::new();
        let now = tombstones::now();
        for key in changes.deletes.iter().chain(&changes.respelled) {
            match term_of(key) {
                Ok((term, _)) if last.contains_key(&term) || !deleted.insert(term.clone()) => {}
                Ok((term, _)) => {
                    let mut document = TantivyDocument::new();
                    document.add_u64(fields.deleted, now);
                    made.push((key.clone(), true, Change { key: term, document }));
                }
                Err(error) => failed(key, error),
            }
        }
        for (.., change) in &mut made {
            change.document.add_bytes(fields.key, &change.key);
            change.document.add_u64(fields.version, changes.version);
        }
        made
    }
}

impl<E, R> Sink<E, R> for TantivySink<E, R>
where
    E: Streamed,
    R: Send + Sync + 'static,
{
    fn compares_versions(&self) -> bool {
        true
    }

    async fn write(&self, changes: Changes<E, R>) -> Result<(), HandlerError> {
        let (made, prepared) = oneshot::channel();
        let (done, committed) = oneshot::channel();
        let (sink, version) = (self.clone(), changes.version);
        // It is never aborted: a write whose future was dropped is finished.
        tokio::task::spawn_blocking(move || {
            let mut failures = Failures::new();
            let changes = sink.changes(&changes, &mut failures);
            let (keys, changes): (Vec<_>, Vec<_>) =
                changes.into_iter().map(|(key, is_delete, change)| ((key, is_delete), change)).unzip();
            _ = made.send((failures, keys));
            sink.store.submit(Job { version, changes, done });
        });
        let (mut failures, keys) = prepared.await.map_err(|_| Error::Ended)?;
        let superseded = committed.await.map_err(|_| Error::Ended)?.map_err(Error::from)?;
        count::<E>("superseded", superseded.len());
        let deleted = keys.iter().filter(|(_, is_delete)| *is_delete).count();
        let late = superseded.iter().filter(|(nth, _)| keys[*nth].1).count();
        count::<E>("deleted", deleted - late);
        count::<E>("written", keys.len() - deleted - (superseded.len() - late));
        for (nth, version) in superseded {
            failures.outdated_by(keys[nth].0.clone(), version);
        }
        failures.into_result()
    }
}

fn count<E: EntityTrait>(outcome: &'static str, documents: usize) {
    if documents > 0 {
        let counter = ::metrics::counter!(metrics::DOCUMENTS, "entity" => table::<E>(), "outcome" => outcome);
        counter.increment(documents as u64);
    }
}

fn table<E: EntityTrait>() -> &'static str {
    E::default().table_name()
}

impl<E: EntityTrait, R> Clone for TantivySink<E, R> {
    fn clone(&self) -> Self {
        Self { store: Arc::clone(&self.store), build: Arc::clone(&self.build) }
    }
}

impl<E: EntityTrait, R> fmt::Debug for TantivySink<E, R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TantivySink").field("index", self.store.index()).finish_non_exhaustive()
    }
}
