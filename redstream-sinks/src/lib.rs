//! Secondary datastores for [`redstream_seaorm`]: sinks that an [`Indexer`](redstream_seaorm::Indexer) writes to.
//!
//! | cargo feature | datastore | sink |
//! |---|---|---|
//! | `elasticsearch` | Elasticsearch 7 and later, OpenSearch | `elasticsearch::ElasticsearchSink` |
//!
//! No feature is on by default.

#[cfg(feature = "elasticsearch")]
pub mod elasticsearch;
