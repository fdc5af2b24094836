//! Secondary datastores for [`redstream_seaorm`]: sinks that an [`Indexer`](redstream_seaorm::Indexer) writes to.
//!
//! | cargo feature | datastore | sink |
//! |---|---|---|
//! | `elasticsearch` | Elasticsearch 7 and later, OpenSearch | `elasticsearch::ElasticsearchSink` |
//! | `redis-cache` | a cache in Redis | `cache::EvictingSink`, `cache::WritingSink` |
//! | `redisearch` | RediSearch (Redis 8, Redis Stack) | `redisearch::RediSearchSink` |
//! | `sql` | PostgreSQL, MariaDB, MySQL, SQLite, by SeaORM | `sql::SqlSink` |
//! | `tantivy` | tantivy, an index within the process | `tantivy::TantivySink` |
//! | `webhook` | receivers of signed HTTP requests | `webhook::WebhookSink` |
//!
//! No feature is on by default. The guide is `docs/sinks.md`.
#![cfg_attr(
    feature = "elasticsearch",
    doc = r#"
# A whole program

Cities in SQLite, and in an index that follows them:

```no_run
use std::time::Duration;

use redstream_seaorm::{Indexer, Redstream, RedstreamExt, Streamed, StreamedConnection, Supervisor};
use redstream_sinks::elasticsearch::{Elasticsearch, ElasticsearchSink};
use sea_orm::{Database, Set, TransactionTrait, entity::prelude::*};

#[derive(Clone, Debug, PartialEq, DeriveEntityModel, Streamed, serde::Serialize)]
#[sea_orm(table_name = "cities")]
pub struct Model {
    #[sea_orm(primary_key)]
    pub id: i64,
    pub name: String,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let redstream = Redstream::connect("redis://127.0.0.1/").await?;
    let db = StreamedConnection::new(Database::connect("sqlite://cities.db").await?, redstream.producer());

    let client = Elasticsearch::builder(["http://127.0.0.1:9200"]).build()?;
    let sink = ElasticsearchSink::<Entity>::new(client, "cities").create_index(serde_json::json!({
        "mappings": { "properties": { "id": { "type": "long" }, "name": { "type": "text" } } },
    }));
    sink.prepare().await?;

    let cities = redstream.of::<Entity>()?;
    let workers = Supervisor::new()
        .with(cities.consumer("search", Indexer::new(db.clone(), sink)))
        .with(cities.delayer(Duration::from_secs(300)))
        .with(cities.trimmer());
    let workers = tokio::spawn(workers.run_until_signal());

    let txn = db.begin().await?;
    ActiveModel { name: Set("Ulm".to_owned()), ..Default::default() }.insert(&txn).await?;
    txn.commit().await?; // the city can be found within a second

    workers.await??;
    Ok(())
}
```
"#
)]
#![cfg_attr(docsrs, feature(doc_cfg))]

#[cfg(feature = "redis-cache")]
pub mod cache;
#[cfg(feature = "elasticsearch")]
pub mod elasticsearch;
#[cfg(any(feature = "elasticsearch", feature = "webhook"))]
mod http;
#[cfg(any(feature = "redis-cache", feature = "redisearch"))]
mod redis_keys;
#[cfg(feature = "redisearch")]
pub mod redisearch;
#[cfg(feature = "sql")]
pub mod sql;
#[cfg(feature = "tantivy")]
pub mod tantivy;
#[cfg(any(feature = "redis-cache", feature = "redisearch"))]
mod updates;
#[cfg(feature = "webhook")]
pub mod webhook;
