//! The sink, and its options.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use redstream_seaorm::{Changes, Failures, HandlerError, Key, Sink, Streamed};
use sea_orm::EntityTrait;
use serde::Serialize;
use serde_json::Value as Json;

use crate::elasticsearch::addressing::Addressing;
use crate::elasticsearch::alias::ElasticsearchAlias;
use crate::elasticsearch::bulk::{Bulk, Limits};
use crate::elasticsearch::client::Elasticsearch;
use crate::elasticsearch::delivery::Delivery;
use crate::elasticsearch::error::Error;
use crate::elasticsearch::pace::Pace;
use crate::elasticsearch::scan::Reading;
use crate::elasticsearch::target::Target;
use crate::http::Budget;

/// When a change can be found by a search: see [`ElasticsearchSink::refresh`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Refresh {
    /// At the index's next refresh, within a second by default. The cheapest.
    #[default]
    Later,
    /// A write returns when its changes can be found: it waits for the index's next refresh.
    WaitFor,
    /// At once: each request refreshes its shards, which is expensive. For tests.
    Now,
}

/// Writes the records of `E` to an index of Elasticsearch or OpenSearch, as documents with external versions.
///
/// - A document's id is [the key's](Key::document_id); its source is the record, by `Serialize`.
/// - Each document has the [version](Changes::version) of its batch, and so has each delete: what a paused process
///   writes late is refused by the server (`version_type=external_gte`).
/// - Each document is judged by its own status: one that the server refuses fails alone.
/// - What the server refuses for now is retried, within a bound, by fewer requests at once.
///
/// Cloning it is cheap; clones share the limit of concurrent requests. The crate's guide, `docs/sinks.md`, has tables
/// of all options and of what follows from each answer.
///
/// # Superseded writes
///
/// If the index has a document with a higher version, nothing is lost and nothing is warned of: the sink counts it as
/// superseded and reports it by [`Failures::outdated_by`]. The indexer then asks for a higher version, which it is
/// refused if another host has taken over: the usual case, and the end of it. If this host still owns the consumer, the
/// version came from a clock that stepped back, or from a second consumer of the same index: the record is read and
/// written again with a higher version. The sink cannot tell these cases apart, and treating the second as success
/// would lose the change.
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
/// use redstream_seaorm::{Indexer, Stream};
/// use redstream_sinks::elasticsearch::{Elasticsearch, ElasticsearchSink};
///
/// # async fn example(cities: Stream, primary: sea_orm::DatabaseConnection) -> Result<(), Box<dyn std::error::Error>> {
/// let client = Elasticsearch::builder(["http://localhost:9200"]).build()?;
/// let sink = ElasticsearchSink::<city::Entity>::new(client, "cities")
///     .create_index(serde_json::json!({ "mappings": { "properties": { "name": { "type": "text" } } } }));
/// sink.prepare().await?;
/// let consumer = cities.consumer("search", Indexer::new(primary, sink)).skip_repeats(true);
/// # Ok(()) }
/// ```
#[derive(Clone, Debug)]
#[must_use]
pub struct ElasticsearchSink<E: EntityTrait> {
    pub(crate) client: Elasticsearch,
    pub(crate) index: String,
    pub(crate) addressing: Addressing<E>,
    pub(crate) reading: Reading,
    target: Arc<Target>,
    check: bool,
    pipeline: Option<String>,
    refresh: Refresh,
    limits: Limits,
    pace: Arc<Pace>,
    retry_for: Duration,
}

impl<E: EntityTrait> ElasticsearchSink<E> {
    /// Writes to this index or alias.
    pub fn new(client: Elasticsearch, index: impl Into<String>) -> Self {
        Self {
            client,
            index: index.into(),
            addressing: Addressing::default(),
            reading: Reading::default(),
            target: Arc::default(),
            check: true,
            pipeline: None,
            refresh: Refresh::default(),
            limits: Limits { documents: 1000, bytes: 5 << 20 },
            pace: Arc::new(Pace::new(4)),
            retry_for: Duration::from_secs(60),
        }
    }

    /// A document's id: 1 to 512 bytes. Default: [`Key::document_id`].
    ///
    /// Keys that share an id share a document: the last record of a batch stays.
    pub fn id(mut self, id: impl Fn(&Key<E>) -> String + Send + Sync + 'static) -> Self {
        self.addressing.id = Some(Arc::new(id));
        self
    }

    /// A document's routing, such as the tenant of a key of two columns. Default: none, so that documents are spread by
    /// their ids.
    ///
    /// It depends on the key alone, because nothing else is known of a deleted record.
    pub fn routing(mut self, routing: impl Fn(&Key<E>) -> String + Send + Sync + 'static) -> Self {
        self.addressing.routing = Some(Arc::new(routing));
        self
    }

    /// A document's index, such as one for each tenant. Default: the sink's.
    ///
    /// It depends on the key alone, as the [routing](Self::routing) does.
    pub fn index_by(mut self, index: impl Fn(&Key<E>) -> String + Send + Sync + 'static) -> Self {
        self.addressing.index = Some(Arc::new(index));
        self
    }

    /// The ingest pipeline that documents pass through. Default: that of the index.
    pub fn pipeline(mut self, name: impl Into<String>) -> Self {
        self.pipeline = Some(name.into());
        self
    }

    /// When a change can be found by a search. Default: [`Refresh::Later`].
    pub fn refresh(mut self, refresh: Refresh) -> Self {
        self.refresh = refresh;
        self
    }

    /// Refuses to write if the name is not an alias, so that a mistyped or removed alias never becomes an index.
    /// Default: no.
    ///
    /// [`create_index`](Self::create_index) then creates the index `NAME-000001` with the alias `NAME`.
    pub fn require_alias(mut self, on: bool) -> Self {
        Arc::make_mut(&mut self.target).require_alias = on;
        self
    }

    /// Creates the index if it is missing, with this body of the create-index request: `mappings`, `settings`,
    /// `aliases`. Default: a missing index is an error.
    ///
    /// If `settings` does not say otherwise, `index.gc_deletes` is one day: for so long a deleted document remembers
    /// its version. The server's default of one minute is too short for a process that was paused.
    pub fn create_index(mut self, body: Json) -> Self {
        Arc::make_mut(&mut self.target).create = Some(body);
        self
    }

    /// Whether the index is checked before the first write, and again once a minute. Default: yes.
    ///
    /// Without the check, the first write to a missing index creates it without a mapping, and so does a delete, even
    /// if an alias is required. Turn it off for a user without the privilege `view_index_metadata`.
    pub fn check_index(mut self, on: bool) -> Self {
        self.check = on;
        self
    }

    /// The most documents of one bulk request. Default: 1000. Zero counts as one.
    pub fn max_documents(mut self, documents: usize) -> Self {
        self.limits.documents = documents.max(1);
        self
    }

    /// The most bytes of one bulk request, uncompressed. Default: 5 MiB, half of what the smallest nodes accept. A
    /// larger document is sent alone.
    pub fn max_bytes(mut self, bytes: usize) -> Self {
        self.limits.bytes = bytes;
        self
    }

    /// The most bulk requests in flight at once, of this sink and its later clones. Default: 4. Zero counts as one.
    ///
    /// The limit halves, down to one, if the server refuses a request for now or does not answer in time, and rises by
    /// one with each request that it accepts.
    pub fn max_concurrency(mut self, requests: usize) -> Self {
        self.pace = Arc::new(Pace::new(requests));
        self
    }

    /// How long one write retries what is refused for now, from the first refusal on; then the batch fails, and the
    /// consumer retries it. Default: one minute.
    ///
    /// The pauses begin at 0.1 seconds and double to 10 seconds, each with a random part of up to its own length, or
    /// last as long as the server's `Retry-After` says.
    pub fn retry_for(mut self, time: Duration) -> Self {
        self.retry_for = time;
        self
    }

    /// This index as one that searches reach by an alias, for a [`Swap`](redstream_seaorm::Swap). The sink itself
    /// writes to the index, not to the alias.
    pub fn behind(&self, alias: impl Into<String>) -> ElasticsearchAlias<E> {
        ElasticsearchAlias::new(self.clone(), alias.into())
    }

    /// How many documents are looked at at once.
    pub(super) fn page_size(&self) -> usize {
        self.limits.documents.min(5000)
    }

    pub(super) fn client(&self) -> &Elasticsearch {
        &self.client
    }

    pub(super) fn index(&self) -> &str {
        &self.index
    }

    /// The field by which documents are sorted when they are [read back](redstream_seaorm::Scan), to be verified: one
    /// with `doc_values`, such as a `long` or a `keyword`, since ids cannot be sorted at a reasonable cost. For a key
    /// of several columns, call it once for each, in their order. Default: the names of the key's columns.
    ///
    /// The field must sort as the key does: a number as a number, a UUID as its text in lower case. All documents must
    /// have it.
    pub fn key_field(mut self, name: impl Into<String>) -> Self {
        self.reading.key_fields.push(name.into());
        self
    }

    /// The indices, aliases or patterns that are read back if [`index_by`](Self::index_by) is used, such as
    /// `["cities-*"]`. Default: the sink's index.
    pub fn scan_indices<N: Into<String>>(mut self, names: impl IntoIterator<Item = N>) -> Self {
        self.reading.indices = names.into_iter().map(Into::into).collect();
        self
    }

    /// Only documents that this query matches are read back: for an index that holds other documents, too. Default:
    /// all; one whose id is none of a key is then an error.
    pub fn scan_query(mut self, query: Json) -> Self {
        self.reading.query = Some(query);
        self
    }

    /// Checks the index or alias, and [creates](Self::create_index) it if it is missing. A warning says if the index
    /// forgets the versions of deletes too soon.
    ///
    /// The first write does the same; call this when the program starts, so that a mistake is noticed then.
    ///
    /// # Errors
    ///
    /// If the index is missing, an alias is required and the name is none, an alias has no index to write to, or the
    /// server does not answer.
    pub async fn prepare(&self) -> Result<(), Error> {
        self.target.check(&self.client, &self.index).await
    }

    fn query(&self) -> Vec<(&'static str, String)> {
        // The answer then says nothing that is not read.
        let mut query = vec![("filter_path", "items.*.status,items.*.error".to_owned())];
        if let Some(pipeline) = &self.pipeline {
            query.push(("pipeline", pipeline.clone()));
        }
        match self.refresh {
            Refresh::Later => {}
            Refresh::WaitFor => query.push(("refresh", "wait_for".to_owned())),
            Refresh::Now => query.push(("refresh", "true".to_owned())),
        }
        if self.target.require_alias {
            query.push(("require_alias", "true".to_owned()));
        }
        query
    }

    async fn deliver(&self, bulk: &Bulk<E>, failures: &mut Failures<E>) -> Result<(), Error> {
        if self.check {
            for index in bulk.indices(&self.index).collect::<HashSet<_>>() {
                self.target.check(&self.client, index).await?;
            }
        }
        let delivery =
            Delivery { client: &self.client, index: &self.index, query: &self.query(), pace: &self.pace, bulk };
        let delivered = delivery.run(bulk.requests(self.limits), &mut Budget::new(self.retry_for), failures).await;
        if let Err(Error::Refused { .. }) = delivered {
            // The index may have been removed.
            self.target.forget();
        }
        delivered
    }
}

impl<E, R> Sink<E, R> for ElasticsearchSink<E>
where
    E: Streamed,
    R: Serialize + Send + Sync + 'static,
{
    fn compares_versions(&self) -> bool {
        true
    }

    async fn write(&self, changes: Changes<E, R>) -> Result<(), HandlerError> {
        let mut failures = Failures::new();
        let bulk = Bulk::new(changes, &self.addressing, &mut failures);
        if !bulk.is_empty() {
            self.deliver(&bulk, &mut failures).await?;
        }
        failures.into_result()
    }
}
