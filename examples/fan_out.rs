//! Fan-out: two consumers of one stream, each at its own pace, write the cities to two stores.
//!
//! Needs a Redis: the first argument, or `REDIS_URL`, or the one on this machine.
//!
//! ```sh
//! cargo run -p redstream-examples --example fan_out
//! ```

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::bail;
use redstream_seaorm::{
    BoxError, CancellationToken, Changes, ConnectOptions, HandlerError, Indexer, Redstream, RedstreamExt as _, Sink,
    Streamed, StreamedConnection, Supervisor,
};
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
    country: String,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
enum Relation {}

/// The first store: a cache in memory, name by id. It starts empty with the process, so no late writer
/// of another process can touch it, and it needs no versions.
///
/// Its consumer's offset is in Redis and survives a restart, so with a persistent database it must be filled by a
/// reindex at each start, and each process needs a consumer of its own name: see "Reindex" in `docs/workers.md`.
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
    fn names(&self) -> BTreeMap<i64, String> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// The second store: another database, for reports. Each row has the version of the batch that wrote it; an
/// older one changes nothing, and a deleted city leaves a row without a name: its tombstone.
#[derive(Clone)]
struct Reports(DatabaseConnection);

impl Sink<Entity> for Reports {
    async fn write(&self, changes: Changes<Entity>) -> Result<(), HandlerError> {
        for (_, city) in changes.upserts {
            self.put(city.id, Some(city.name), changes.version).await?;
        }
        for key in changes.deletes {
            self.put(key.value(), None, changes.version).await?;
        }
        Ok(())
    }
}

impl Reports {
    async fn create(&self) -> Result<(), DbErr> {
        let table = "CREATE TABLE reports (id INTEGER PRIMARY KEY, name TEXT, version INTEGER NOT NULL)";
        self.0.execute_unprepared(table).await?;
        Ok(())
    }

    async fn put(&self, id: i64, name: Option<String>, version: u64) -> Result<(), BoxError> {
        let upsert = "INSERT INTO reports (id, name, version) VALUES (?, ?, ?)
            ON CONFLICT (id) DO UPDATE SET name = excluded.name, version = excluded.version
            WHERE excluded.version >= reports.version";
        let values = [id.into(), name.into(), i64::try_from(version)?.into()];
        self.0.execute_raw(Statement::from_sql_and_values(self.0.get_database_backend(), upsert, values)).await?;
        Ok(())
    }

    async fn names(&self) -> Result<BTreeMap<i64, String>, DbErr> {
        let select = "SELECT id, name FROM reports WHERE name IS NOT NULL";
        let rows = self.0.query_all_raw(Statement::from_string(self.0.get_database_backend(), select)).await?;
        rows.iter().map(|row| Ok((row.try_get("", "id")?, row.try_get("", "name")?))).collect()
    }
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let url = std::env::args().nth(1).or_else(|| std::env::var("REDIS_URL").ok());
    story(&url.unwrap_or_else(|| "redis://127.0.0.1/".to_owned())).await
}

async fn story(redis: &str) -> anyhow::Result<()> {
    let redstream = Redstream::connect(ConnectOptions::new(redis).namespace("redstream-fan-out")).await?;
    let folder = tempfile::tempdir()?;
    let sqlite = |name| format!("sqlite://{}?mode=rwc", folder.path().join(name).display());
    let primary = Database::connect(sqlite("primary.db")).await?;
    primary.execute(&Schema::new(primary.get_database_backend()).create_table_from_entity(Entity)).await?;
    let (cache, reports) = (Cache::default(), Reports(Database::connect(sqlite("reports.db")).await?));
    reports.create().await?;

    // One stream, two consumers: each has its own offset, its own lock, its own retries.
    let stop = CancellationToken::new();
    let cities = redstream.of::<Entity>()?;
    let workers = Supervisor::new()
        .with(cities.consumer("cache", Indexer::new(primary.clone(), cache.clone())))
        .with(cities.consumer("reports", Indexer::new(primary.clone(), reports.clone())))
        .with(cities.delayer(Duration::from_secs(300)))
        .with(cities.trimmer());
    let workers = tokio::spawn(workers.run_until(stop.clone().cancelled_owned()));

    let db = StreamedConnection::new(primary, redstream.producer());
    let txn = db.begin().await?;
    let new = |name: &str, country: &str| ActiveModel {
        name: Set(name.to_owned()),
        country: Set(country.to_owned()),
        ..Default::default()
    };
    let lima = new("Lima", "PE").insert(&txn).await?;
    let oslo = new("Christiania", "NO").insert(&txn).await?;
    txn.commit().await?;
    println!("saved: {} and {}", lima.name, oslo.name);
    both_have(&cache, &reports, &[(lima.id, "Lima"), (oslo.id, "Christiania")]).await?;

    let txn = db.begin().await?;
    ActiveModel { name: Set("Oslo".to_owned()), ..oslo.clone().into_active_model() }.update(&txn).await?;
    lima.delete(&txn).await?;
    txn.commit().await?;
    println!("renamed one, deleted the other");
    both_have(&cache, &reports, &[(oslo.id, "Oslo")]).await?;

    stop.cancel();
    workers.await??;
    Ok(())
}

/// Waits until both stores have exactly these cities, for ten seconds at most.
async fn both_have(cache: &Cache, reports: &Reports, cities: &[(i64, &str)]) -> anyhow::Result<()> {
    let expected: BTreeMap<i64, String> = cities.iter().map(|(id, name)| (*id, (*name).to_owned())).collect();
    for _ in 0..1000 {
        if cache.names() == expected && reports.names().await? == expected {
            println!("the cache and the reports both have {:?}", expected.values());
            return Ok(());
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    bail!(
        "waited ten seconds for {expected:?}: the cache has {:?}, the reports {:?}",
        cache.names(),
        reports.names().await?
    )
}

#[cfg(test)]
#[tokio::test]
async fn both_stores_follow_the_database() -> anyhow::Result<()> {
    story(&redstream_servers::shared_url(redstream_servers::REDIS_URL)?).await
}
