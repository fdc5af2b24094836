//! A bookshop: what Redstream is for, in one application. An axum server writes to a database through SeaORM; a search
//! index of OpenSearch and a cache in Redis follow.
//!
//! A book's document contains its author, its categories (many to many) and the average of its reviews, and is written
//! again when any of them changes, moves or goes: see [`workers`]. `/admin` shows whether everything follows.
//!
//! Needs a Redis and an OpenSearch or Elasticsearch: `REDIS_URL` and `SEARCH_URL`, or those on this machine. The
//! database is `DATABASE_URL`, or a new one of SQLite. It listens at `LISTEN`, by default `127.0.0.1:8000`.
//!
//! ```sh
//! cargo run -p redstream-examples --example shop
//! curl http://127.0.0.1:8000/search?q=magic
//! ```
//!
//! In production its parts are processes of their own: `shop migrate`, `shop web` and `shop workers`, as
//! `compose.yaml` and `deploy/kubernetes.yaml` start them.

use std::time::Duration;

use anyhow::Context as _;
use redstream_seaorm::{
    CancellationToken, ConnectOptions, Documents, RedisClient, Redstream, RedstreamExt as _, StreamedConnection,
    Supervisor, Workers, stop_signal,
};
use redstream_sinks::cache::{Cache, EvictingSink, KeysOnly};
use redstream_sinks::elasticsearch::{Elasticsearch, ElasticsearchSink};
use sea_orm::{Database, DatabaseConnection};
use sea_orm_migration::MigratorTrait as _;
use serde_json::json;
use tokio::net::TcpListener;

use document::Document;
use entities::{author, book, category, review};
use role::Role;

mod admin;
mod api;
mod document;
mod entities;
mod migration;
mod role;
mod search;
#[cfg(test)]
mod tests;

/// The search index: created with this mapping if it is missing.
fn search_index(client: Elasticsearch) -> ElasticsearchSink<book::Entity> {
    ElasticsearchSink::new(client, "books").create_index(json!({ "mappings": { "properties": {
        "id": { "type": "keyword" }, "title": { "type": "text" }, "status": { "type": "keyword" },
        "author": { "type": "text" }, "categories": { "type": "keyword" }, "stars": { "type": "float" },
        "details": { "type": "object", "enabled": false },
    } } }))
}

/// All that follows the database: named once, the rest is added.
fn workers(
    redstream: &Redstream,
    db: &StreamedConnection,
    index: ElasticsearchSink<book::Entity>,
    cache: Cache<book::Entity, Document>,
) -> Workers {
    let documents =
        Documents::new(document::load).embed::<author::Entity>().embed::<category::Entity>().embed::<review::Entity>();
    redstream.workers(db).index("search", documents, index).index("cache", KeysOnly, EvictingSink::new(cache))
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    tracing_subscriber::fmt().with_env_filter("warn,redstream=info").init();
    start(std::env::args().nth(1).as_deref().map_or(Ok(Role::All), str::parse)?).await
}

/// Runs what the environment says, until the process is told to stop.
async fn start(role: Role) -> anyhow::Result<()> {
    let setting = |name: &str, default: &str| std::env::var(name).unwrap_or_else(|_| default.to_owned());
    let folder = tempfile::tempdir()?;
    let sqlite = format!("sqlite://{}?mode=rwc", folder.path().join("shop.db").display());
    let database = Database::connect(setting("DATABASE_URL", &sqlite)).await?;
    if role.migrates() {
        migration::Migrator::up(&database, None).await?;
    }
    if role == Role::Migrate {
        return Ok(());
    }
    let redis = ConnectOptions::new(setting("REDIS_URL", "redis://127.0.0.1/")).namespace("redstream-shop");
    let address = setting("LISTEN", "127.0.0.1:8000");
    let listener = TcpListener::bind(&address).await.with_context(|| format!("could not listen at {address}"))?;
    println!("listening at http://{} until ctrl-C or SIGTERM", listener.local_addr()?);
    let told = stop_signal()?;
    let stop = async { _ = told.await };
    run(role, redis, database, &setting("SEARCH_URL", "http://127.0.0.1:9200"), listener, stop).await
}

async fn run(
    role: Role,
    redis: ConnectOptions,
    database: DatabaseConnection,
    search_url: &str,
    listener: TcpListener,
    stop: impl Future<Output = ()> + Send + 'static,
) -> anyhow::Result<()> {
    // One Redis has both here. A cache may lose what it has, and is better kept in a Redis of its own.
    let cache = Cache::new(RedisClient::connect(redis.clone()).await?, "books");
    let redstream = Redstream::connect(redis).await?;
    let db = StreamedConnection::new(database, redstream.producer());
    let client = Elasticsearch::builder([search_url]).build()?;
    let index = search_index(client.clone());
    index.prepare().await?;

    let workers = if role.works() {
        workers(&redstream, &db, index.clone(), cache.clone()).delay(Duration::from_secs(60)).start()?
    } else {
        Supervisor::new().start()?
    };
    let probes = redstream_web::probes(workers.health());
    let stopped = CancellationToken::new();
    let shop = api::Shop { db, redstream, index, cache, search: search::Search(client), stop: stopped.clone() };
    let routes = if role.serves() { probes.merge(api::router(shop)) } else { probes };
    let served = axum::serve(listener, routes).with_graceful_shutdown(stop).await;
    stopped.cancel(); // ends a reindex that the admin page began
    workers.shutdown().await?;
    Ok(served?)
}
