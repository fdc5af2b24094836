//! Quickstart: a committed row reaches a handler.
//!
//! Needs a Redis: the first argument, or `REDIS_URL`, or the one on this machine.
//!
//! ```sh
//! cargo run -p redstream-examples --example quickstart
//! ```

use std::time::Duration;

use anyhow::ensure;
use redstream_seaorm::{Batch, ConnectOptions, Redstream, RedstreamExt as _, Streamed, StreamedConnection, Supervisor};
use sea_orm::{ActiveValue::Set, ConnectionTrait as _, Database, Schema, TransactionTrait as _, entity::prelude::*};
use serde_json::{Value, json};
use tokio::sync::mpsc;
use tokio::time::timeout;

#[derive(Clone, Debug, PartialEq, DeriveEntityModel, Streamed)]
#[sea_orm(table_name = "cities")]
struct Model {
    #[sea_orm(primary_key)]
    id: i64,
    name: String,
    country: String,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
enum Relation {}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let url = std::env::args().nth(1).or_else(|| std::env::var("REDIS_URL").ok());
    story(&url.unwrap_or_else(|| "redis://127.0.0.1/".to_owned())).await
}

async fn story(redis: &str) -> anyhow::Result<()> {
    let redstream = Redstream::connect(ConnectOptions::new(redis).namespace("redstream-quickstart")).await?;

    // Your database, and the same database through Redstream.
    let folder = tempfile::tempdir()?;
    let sqlite = Database::connect(format!("sqlite://{}?mode=rwc", folder.path().join("cities.db").display())).await?;
    sqlite.execute(&Schema::new(sqlite.get_database_backend()).create_table_from_entity(Entity)).await?;
    let db = StreamedConnection::new(sqlite.clone(), redstream.producer());

    // A change is saved: the delay message is in Redis before COMMIT, the main message follows it.
    let txn = db.begin().await?;
    let city = ActiveModel { name: Set("Lima".to_owned()), country: Set("PE".to_owned()), ..Default::default() };
    let city = city.insert(&txn).await?;
    txn.commit().await?;
    println!("saved: {} with id {}", city.name, city.id);

    // The workers: here in the writer's process, in production in a process of their own, on several hosts.
    let (handled, mut keys) = mpsc::unbounded_channel();
    let handler = move |batch: Batch| {
        let handled = handled.clone();
        async move {
            for key in batch.payloads::<Value>() {
                let key = key?;
                println!("to be carried on: the city {key}");
                handled.send(key)?;
            }
            Ok(())
        }
    };
    let cities = redstream.of::<Entity>()?;
    let workers = Supervisor::new()
        .with(cities.consumer("printer", handler))
        .with(cities.delayer(Duration::from_secs(300)))
        .with(cities.trimmer());

    let mut changed = None;
    let stop = async { changed = timeout(Duration::from_secs(10), keys.recv()).await.ok().flatten() };
    workers.run_until(stop).await?; // in production: run_until_signal()
    ensure!(changed == Some(json!({ "id": city.id })), "handled {changed:?} within ten seconds, not {}", city.id);
    Ok(())
}

#[cfg(test)]
#[tokio::test]
async fn a_committed_row_reaches_the_handler() -> anyhow::Result<()> {
    story(&redstream_servers::shared_url(redstream_servers::REDIS_URL)?).await
}
