//! An axum application: SeaORM's own axum example, converted, with its workers in the same process.
//!
//! One line at the head of a file, `use redstream_seaorm::drop_in as sea_orm;`, makes its functions use our connection;
//! they are otherwise unchanged. So are the migrations, which run on the inner connection. The server and the workers
//! share their state: the search index, which the workers fill and the server searches. `/live` and `/ready` are for an
//! orchestrator's probes. They stop together: first requests end, then batches. The index is in memory: `search.rs`
//! says what an application with a persistent database does at its start.
//!
//! Needs a Redis: the first argument, or `REDIS_URL`, or the one on this machine.
//!
//! ```sh
//! cargo run -p redstream-examples --example axum_app
//! curl -H 'Content-Type: application/json' -d '{"title":"Hello","text":"World"}' http://127.0.0.1:8000/posts
//! curl http://127.0.0.1:8000/search/hello
//! ```

use redstream_seaorm::drop_in as sea_orm; // the one line

use std::time::Duration;

use redstream_seaorm::{
    CancellationToken, ConnectOptions, Indexer, Redstream, RedstreamExt as _, Supervisor, stop_signal,
};
use sea_orm::{Database, DatabaseConnection};
use sea_orm_migration::MigratorTrait as _;
use tokio::net::TcpListener;

use api::AppState;
use migration::Migrator;

mod api;
mod entity;
mod migration;
mod search;
mod service;
#[cfg(test)]
mod tests;

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let url = std::env::args().nth(1).or_else(|| std::env::var("REDIS_URL").ok());
    let listener = TcpListener::bind("127.0.0.1:8000").await?;
    println!("listening at http://{}/posts until ctrl-C or SIGTERM", listener.local_addr()?);
    let told = stop_signal()?;
    let stop = async { _ = told.await };
    start(&url.unwrap_or_else(|| "redis://127.0.0.1/".to_owned()), listener, stop).await
}

async fn start(
    redis: &str,
    listener: TcpListener,
    stop: impl Future<Output = ()> + Send + 'static,
) -> anyhow::Result<()> {
    let redstream = Redstream::connect(ConnectOptions::new(redis).namespace("redstream-axum-app")).await?;
    let folder = tempfile::tempdir()?;
    let sqlite = Database::connect(format!("sqlite://{}?mode=rwc", folder.path().join("posts.db").display())).await?;
    let db = DatabaseConnection::new(sqlite, redstream.producer());
    // Migrations take SeaORM's own connection: their writes are not announced.
    Migrator::up(db.inner(), None).await?;

    let (index, stopped) = (search::Index::default(), CancellationToken::new());
    let posts = redstream.of::<entity::Entity>()?;
    let workers = Supervisor::new()
        .with(posts.consumer("search", Indexer::new(db.clone(), index.clone())))
        .with(posts.delayer(Duration::from_secs(300)))
        .with(posts.trimmer());
    let routes = api::router(AppState { conn: db, index }).merge(redstream_web::probes(workers.health()));
    let workers = tokio::spawn(workers.run_until(stopped.clone().cancelled_owned()));

    let served = axum::serve(listener, routes).with_graceful_shutdown(stop).await;
    stopped.cancel();
    workers.await??;
    Ok(served?)
}
