//! The sink, and its options.

use std::fmt;
use std::marker::PhantomData;
use std::sync::Arc;
use std::time::Duration;

use redstream_seaorm::{Changes, Failures, HandlerError, Key, RedisClient, Sink, Streamed};
use sea_orm::EntityTrait;
use serde::Serialize;

use crate::redisearch::definition::Index;
use crate::redisearch::delivery::Delivery;
use crate::redisearch::documents::{Form, Update};
use crate::redisearch::error::Error;
use crate::redisearch::record::Document;
use crate::redisearch::target::Target;
use crate::updates::Updates;

/// Writes the records of `E` to Redis, as documents under an index of RediSearch.
///
/// - A document has the key `PREFIX` and [`Key::document_id`], and the record's members as its fields.
/// - Each document has the [version](Changes::version) of its batch in a field, and a deleted one a tombstone with the
///   version under another prefix: what a paused process writes late is refused by a script.
/// - After each write the sink checks that the documents are in the index. RediSearch leaves a document out, and says
///   nothing, if a field has a value of the wrong type; such a record fails alone, by
///   [`Error::NotIndexed`].
/// - The index is created if it is missing, also later: `FLUSHALL` removes it.
///
/// A superseded document is reported by [`Failures::outdated_by`]. The crate's guide, `docs/sinks.md`, has tables of
/// all options and of what follows from each answer.
///
/// ```no_run
/// # mod city {
/// #     use redstream_seaorm::Streamed;
/// #     use sea_orm::entity::prelude::*;
/// #     #[derive(Clone, Debug, PartialEq, DeriveEntityModel, Streamed, serde::Serialize)]
/// #     #[sea_orm(table_name = "cities")]
/// #     pub struct Model { #[sea_orm(primary_key)] pub id: i64, pub name: String }
/// #     #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
/// #     pub enum Relation {}
/// # }
/// use redstream_seaorm::{Indexer, RedisClient, Stream};
/// use redstream_sinks::redisearch::{Field, Index, RediSearchSink};
///
/// # async fn example(cities: Stream, primary: sea_orm::DatabaseConnection) -> Result<(), Box<dyn std::error::Error>> {
/// let client = RedisClient::connect("redis://search.internal/").await?;
/// let index = Index::hash("cities", "city:").field(Field::numeric("id").sortable()).field(Field::text("name"));
/// let sink = RediSearchSink::<city::Entity>::new(client, index).scan_by("id");
/// sink.prepare().await?;
/// let consumer = cities.consumer("search", Indexer::new(primary, sink)).skip_repeats(true);
/// # Ok(()) }
/// ```
#[must_use]
pub struct RediSearchSink<E: EntityTrait> {
    pub(super) client: RedisClient,
    pub(super) target: Arc<Target>,
    tombstones: String,
    tombstone_ttl: Duration,
    pub(super) version_field: String,
    pub(super) max_documents: usize,
    pub(super) scan_by: Option<String>,
    entity: PhantomData<fn() -> E>,
}

impl<E: EntityTrait> RediSearchSink<E> {
    /// Writes documents under this index. An index without [fields](Index::field) is not created: it must exist.
    pub fn new(client: RedisClient, index: Index) -> Self {
        Self {
            client,
            tombstones: format!("tombstone:{}", index.prefix),
            target: Arc::new(Target::new(index)),
            tombstone_ttl: Duration::from_secs(24 * 60 * 60),
            version_field: "_version".to_owned(),
            max_documents: 200,
            scan_by: None,
            entity: PhantomData,
        }
    }

    /// How the keys of tombstones begin. Default: `tombstone:PREFIX`. The index must not cover them.
    pub fn tombstones(mut self, prefix: impl Into<String>) -> Self {
        self.tombstones = prefix.into();
        self
    }

    /// How long a deleted document remembers its version. Default: one day.
    ///
    /// It must be longer than a process can be paused in the middle of a write.
    pub fn tombstone_ttl(mut self, ttl: Duration) -> Self {
        self.tombstone_ttl = ttl;
        self
    }

    /// The field that has a document's version. Default: `_version`. Without quotes and backslashes.
    pub fn version_field(mut self, name: impl Into<String>) -> Self {
        self.version_field = name.into();
        self
    }

    /// The most documents of one script. Default: 200. Zero counts as one. Redis does nothing else meanwhile.
    pub fn max_documents(mut self, documents: usize) -> Self {
        self.max_documents = documents.max(1);
        self
    }

    /// The NUMERIC field that has the key, if that is one integer within ±2⁵³: a [scan](redstream_seaorm::Scan)
    /// then asks the index for ranges of it. It should be sortable. Default: none; each page of a scan goes through all
    /// keys of the Redis.
    pub fn scan_by(mut self, field: impl Into<String>) -> Self {
        self.scan_by = Some(field.into());
        self
    }

    /// Checks the index, and creates it if it is missing.
    ///
    /// Each write does the same; call this when the program starts, so that a mistake is noticed then.
    ///
    /// # Errors
    ///
    /// If the index is missing and has no fields to be created with, is over other documents, has a field of another
    /// type, or the server does not answer or has no RediSearch.
    pub async fn prepare(&self) -> Result<(), Error> {
        if self.version_field.is_empty() || self.version_field.contains(['"', '\\']) {
            let reason = format!("{:?} is empty, or has a quote or a backslash", self.version_field);
            return Err(Error::InvalidOption { option: "version_field", reason });
        }
        self.target.check(&self.client, &self.tombstones).await.map(|_| ())
    }

    pub(super) fn document(&self, key: &Key<E>) -> Result<String, Error> {
        Ok(format!("{}{}", self.target.index.prefix, key.document_id().map_err(Error::Key)?))
    }

    /// One update for each document: a record counts more than a delete.
    fn updates<R: Serialize>(&self, changes: Changes<E, R>, failures: &mut Failures<E>) -> Vec<(Key<E>, Update)> {
        let mut updates = Updates::new();
        let Changes { upserts, deletes, respelled, version } = changes;
        let deletes = deletes.into_iter().chain(respelled).map(|key| (key, None));
        for (key, record) in deletes.chain(upserts.into_iter().map(|(key, record)| (key, Some(record)))) {
            match self.update(&key, record.as_ref(), version) {
                Ok(update) => updates.add(update.key.clone(), (key, update)),
                Err(error) => {
                    self.target.count("failed", 1);
                    failures.failed(key, error);
                }
            }
        }
        updates.into_vec()
    }

    fn update<R: Serialize>(&self, key: &Key<E>, record: Option<&R>, version: u64) -> Result<Update, Error> {
        let id = key.document_id().map_err(Error::Key)?;
        let key = format!("{}{id}", self.target.index.prefix);
        let of = |record| Document::of(record, self.target.index.kind, &key, &self.version_field, version);
        let document = record.map(of).transpose()?;
        Ok(Update { tombstone: format!("{}{id}", self.tombstones), key, document })
    }
}

impl<E, R> Sink<E, R> for RediSearchSink<E>
where
    E: Streamed,
    R: Serialize + Send + Sync + 'static,
{
    fn compares_versions(&self) -> bool {
        true
    }

    async fn write(&self, changes: Changes<E, R>) -> Result<(), HandlerError> {
        let mut failures = Failures::new();
        let version = changes.version;
        let updates = self.updates(changes, &mut failures);
        if !updates.is_empty() {
            self.prepare().await?;
            let ttl = u64::try_from(self.tombstone_ttl.as_millis()).unwrap_or(u64::MAX).clamp(1, 1 << 50);
            let (kind, version_field) = (self.target.index.kind, self.version_field.as_str());
            let form = Form { kind, version_field, tombstone_ttl: ttl };
            let delivery =
                Delivery { client: &self.client, target: &self.target, tombstones: &self.tombstones, form, version };
            delivery.run(updates, self.max_documents, &mut failures).await?;
        }
        failures.into_result()
    }
}

impl<E: EntityTrait> Clone for RediSearchSink<E> {
    fn clone(&self) -> Self {
        Self {
            client: self.client.clone(),
            target: self.target.clone(),
            tombstones: self.tombstones.clone(),
            tombstone_ttl: self.tombstone_ttl,
            version_field: self.version_field.clone(),
            max_documents: self.max_documents,
            scan_by: self.scan_by.clone(),
            entity: PhantomData,
        }
    }
}

impl<E: EntityTrait> fmt::Debug for RediSearchSink<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RediSearchSink").field("index", &self.target.index).finish_non_exhaustive()
    }
}
