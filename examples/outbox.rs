//! The outbox: while Redis is unavailable the application continues to write, and afterwards every change arrives.
//!
//! With `Insurance::RedisElseOutbox` a commit sends its delay messages to Redis. While Redis does not answer, it
//! writes rows of `redstream_outbox` in the same transaction instead, and the relay moves them to Redis later.
//!
//! Needs no server: it starts a Redis of its own, to kill it and start it again.
//!
//! ```sh
//! cargo run -p redstream-examples --example outbox
//! ```

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::{bail, ensure};
use redstream_seaorm::{
    CancellationToken, Changes, ConnectOptions, HandlerError, Indexer, Insurance, Redstream, RedstreamExt as _, Sink,
    Streamed, StreamedConnection, Supervisor, outbox,
};
use redstream_servers::RedisOptions;
use sea_orm::{
    ActiveValue::Set, ConnectionTrait as _, Database, DatabaseConnection, IntoActiveModel as _, ModelTrait as _,
    Schema, Statement, TransactionTrait as _, entity::prelude::*,
};

#[derive(Clone, Debug, PartialEq, DeriveEntityModel, Streamed)]
#[sea_orm(table_name = "cities")]
struct Model {
    #[sea_orm(primary_key)]
    id: i64,
    name: String,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
enum Relation {}

/// The secondary datastore: a cache in memory, name by id.
#[derive(Clone, Default)]
struct Cache(Arc<Mutex<BTreeMap<i64, String>>>);

impl Sink<Entity> for Cache {
    async fn write(&self, changes: Changes<Entity>) -> Result<(), HandlerError> {
        let mut names = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        names.extend(changes.upserts.into_iter().map(|(_, city)| (city.id, city.name)));
        changes.deletes.iter().for_each(|key| _ = names.remove(&key.value()));
        Ok(())
    }
}

impl Cache {
    fn names(&self) -> Vec<String> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).values().cloned().collect()
    }

    /// Waits until it has exactly these names, for thirty seconds at most.
    async fn has(&self, names: &[&str]) -> anyhow::Result<()> {
        for _ in 0..3000 {
            if self.names() == names {
                println!("the cache has {names:?}");
                return Ok(());
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        bail!("the cache has {:?} instead of {names:?}, after thirty seconds", self.names())
    }
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    story().await
}

async fn story() -> anyhow::Result<()> {
    // It persists what it has acknowledged, as yours should: see the README on how safe Redis is.
    let mut redis = tokio::task::spawn_blocking(|| RedisOptions::new().append_only(true).start()).await??;
    let redstream = Redstream::connect(ConnectOptions::new(redis.url()).namespace("redstream-outbox")).await?;
    let folder = tempfile::tempdir()?;
    let sqlite = Database::connect(format!("sqlite://{}?mode=rwc", folder.path().join("cities.db").display())).await?;
    sqlite.execute(&Schema::new(sqlite.get_database_backend()).create_table_from_entity(Entity)).await?;
    outbox::create_table(&sqlite).await?;
    let db =
        StreamedConnection::builder(sqlite.clone(), redstream.producer()).insurance(Insurance::RedisElseOutbox).build();

    let (cache, stop) = (Cache::default(), CancellationToken::new());
    let cities = redstream.of::<Entity>()?;
    let workers = Supervisor::new()
        .with(cities.consumer("cache", Indexer::new(sqlite.clone(), cache.clone())))
        .with(cities.delayer(Duration::from_secs(300)))
        .with(cities.trimmer())
        .with(db.relay());
    let workers = tokio::spawn(workers.run_until(stop.clone().cancelled_owned()));

    let oslo = insert(&db, "Christiania").await?;
    let lima = insert(&db, "Lima").await?;
    cache.has(&["Christiania", "Lima"]).await?;
    ensure!(waiting(&sqlite).await? == 0, "Redis insured these writes, not the outbox");

    redis.kill()?;
    println!("Redis is away; writing goes on");
    let txn = db.begin().await?;
    ActiveModel { name: Set("Oslo".to_owned()), ..oslo.into_active_model() }.update(&txn).await?;
    lima.delete(&txn).await?;
    txn.commit().await?;
    insert(&db, "Bern").await?;
    insert(&db, "Ulm").await?;
    ensure!(waiting(&sqlite).await? == 4, "each change has its row in the outbox");
    ensure!(cache.names() == ["Christiania", "Lima"], "and no way to the cache");

    redis.restart()?;
    println!("Redis is back");
    cache.has(&["Oslo", "Bern", "Ulm"]).await?;
    is_empty(&sqlite).await?;

    stop.cancel();
    workers.await??;
    Ok(())
}

async fn insert(db: &StreamedConnection, name: &str) -> Result<Model, DbErr> {
    ActiveModel { name: Set(name.to_owned()), ..Default::default() }.insert(db).await
}

/// How many changes wait in the outbox.
async fn waiting(db: &DatabaseConnection) -> Result<i64, DbErr> {
    let count = Statement::from_string(db.get_database_backend(), "SELECT COUNT(*) AS waiting FROM redstream_outbox");
    db.query_one_raw(count).await?.map_or(Ok(0), |row| row.try_get("", "waiting"))
}

/// Waits until the relay has moved everything, for ten seconds at most.
async fn is_empty(db: &DatabaseConnection) -> anyhow::Result<()> {
    for _ in 0..1000 {
        if waiting(db).await? == 0 {
            println!("the outbox is empty");
            return Ok(());
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    bail!("{} changes still wait in the outbox, after ten seconds", waiting(db).await?)
}

#[cfg(test)]
#[tokio::test]
async fn what_was_written_while_redis_was_away_arrives_afterwards() -> anyhow::Result<()> {
    story().await
}
