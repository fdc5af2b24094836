//! Quickstart: a committed row reaches a handler.
//!
//! Needs a Redis: the first argument, or `REDIS_URL`, or the one on this machine.
//!
//! ```sh
//! cargo run -p redstream-examples --example quickstart
//! ```

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use redstream_seaorm::{Batch, ConnectOptions, Redstream, Streamed, StreamedConnection, Supervisor};
use sea_orm::{ActiveValue::Set, ConnectionTrait as _, Database, Schema, TransactionTrait as _, entity::prelude::*};

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

static HANDLED: AtomicBool = AtomicBool::new(false);

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let url = std::env::args().nth(1).or_else(|| std::env::var("REDIS_URL").ok());
    let url = url.unwrap_or_else(|| "redis://127.0.0.1/".to_owned());
    let redstream = Redstream::connect(ConnectOptions::new(url).namespace("redstream-quickstart")).await?;

    // Your database, and the same through Redstream.
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

    // The workers: here beside the writer, in production in a process of their own, on several hosts.
    let handler = async |batch: Batch| {
        for key in batch.payloads::<serde_json::Value>() {
            println!("to be carried on: the city {}", key?);
        }
        HANDLED.store(true, Ordering::Relaxed);
        Ok(())
    };
    let cities = redstream.stream("cities")?;
    Supervisor::new()
        .with(cities.consumer("printer", handler))
        .with(cities.delayer(Duration::from_secs(300)))
        .with(cities.trimmer())
        .run_until(handled()) // in production: tokio::signal::ctrl_c()
        .await?;

    anyhow::ensure!(HANDLED.load(Ordering::Relaxed), "the handler saw nothing within ten seconds");
    Ok(())
}

/// Until the handler has seen something, for ten seconds at most.
async fn handled() {
    for _ in 0..1000 {
        if HANDLED.load(Ordering::Relaxed) {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}
