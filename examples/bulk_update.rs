//! Bulk: many rows by one statement, which call no hook of SeaORM's, in three forms.
//!
//! Needs a Redis: the first argument, or `REDIS_URL`, or the one on this machine.
//!
//! ```sh
//! cargo run -p redstream-examples --example bulk_update
//! ```

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::ensure;
use redstream_seaorm::{
    Bulk, BulkExt as _, CancellationToken, Changes, ConnectOptions, HandlerError, Indexer, Redstream,
    RedstreamExt as _, Sink, Streamed, StreamedConnection, Supervisor,
};
use sea_orm::{ConnectionTrait as _, Database, IntoActiveModel as _, Schema, entity::prelude::*, sea_query::Expr};

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel, Streamed)]
#[sea_orm(table_name = "cities")]
struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    id: i64,
    country: String,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
enum Relation {}

/// The secondary datastore: a cache in memory, which knows the country of each city.
#[derive(Clone, Default)]
struct Cache(Arc<Mutex<BTreeMap<i64, String>>>);

impl Sink<Entity> for Cache {
    async fn write(&self, changes: Changes<Entity>) -> Result<(), HandlerError> {
        let mut cache = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        cache.extend(changes.upserts.into_iter().map(|(_, city)| (city.id, city.country)));
        changes.deletes.iter().for_each(|key| _ = cache.remove(&key.value()));
        Ok(())
    }
}

impl Cache {
    /// How many cities of a country it knows.
    fn count(&self, country: &str) -> usize {
        let cache = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        cache.values().filter(|of| *of == country).count()
    }
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let url = std::env::args().nth(1).or_else(|| std::env::var("REDIS_URL").ok());
    story(&url.unwrap_or_else(|| "redis://127.0.0.1/".to_owned())).await
}

async fn story(redis: &str) -> anyhow::Result<()> {
    let redstream = Redstream::connect(ConnectOptions::new(redis).namespace("redstream-bulk-update")).await?;
    let folder = tempfile::tempdir()?;
    let sqlite = Database::connect(format!("sqlite://{}?mode=rwc", folder.path().join("cities.db").display())).await?;
    sqlite.execute(&Schema::new(sqlite.get_database_backend()).create_table_from_entity(Entity)).await?;
    let db = StreamedConnection::new(sqlite.clone(), redstream.producer());

    let (cache, stop) = (Cache::default(), CancellationToken::new());
    let cities = redstream.of::<Entity>()?;
    let workers = Supervisor::new()
        .with(cities.consumer("cache", Indexer::new(sqlite, cache.clone())))
        .with(cities.delayer(Duration::from_secs(300)))
        .with(cities.trimmer());
    let workers = tokio::spawn(workers.run_until(stop.clone().cancelled_owned()));

    // The keys are known: the classic wrapper announces them around the code that writes the rows.
    let new: Vec<Model> = (1..=1000).map(|id| Model { id, country: "CS".to_owned() }).collect();
    let producer = redstream.producer();
    producer
        .bulk(&db, &new, async |txn| {
            Entity::insert_many(new.iter().cloned().map(|city| city.into_active_model().reset_all()))
                .exec_without_returning(txn)
                .await
        })
        .await?;
    wait_for(&cache, "CS", 1000).await?;

    // The records are loaded: the same wrapper, around one `update_many`.
    let found = Entity::find().filter(Column::Id.lte(400)).all(&db).await?;
    producer
        .bulk(&db, &found, async |txn| {
            Entity::update_many()
                .col_expr(Column::Country, Expr::value("ME"))
                .filter(Column::Id.lte(400))
                .exec(txn)
                .await
        })
        .await?;
    wait_for(&cache, "ME", 400).await?;

    // The query form selects the keys itself, batch by batch, and never holds them all.
    let rest = || Bulk::<Entity>::new().filter(Column::Country.eq("CS")).batch_size(250);
    let updated = rest().update_many(&db, |update| update.col_expr(Column::Country, Expr::value("RS"))).await?;
    println!("updated {updated} rows");
    wait_for(&cache, "RS", 600).await?;
    let deleted = Bulk::<Entity>::new().filter(Column::Country.eq("ME")).delete_many(&db).await?;
    println!("deleted {deleted} rows");
    wait_for(&cache, "ME", 0).await?;

    stop.cancel();
    workers.await??;
    Ok(())
}

/// Waits until the cache has this many cities of a country, for ten seconds at most.
async fn wait_for(cache: &Cache, country: &str, cities: usize) -> anyhow::Result<()> {
    for _ in 0..1000 {
        if cache.count(country) == cities {
            println!("the cache knows {cities} cities of {country}");
            return Ok(());
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    ensure!(
        cache.count(country) == cities,
        "the cache knows {} cities of {country}, not {cities}",
        cache.count(country)
    );
    Ok(())
}

#[cfg(test)]
#[tokio::test]
async fn each_form_of_a_bulk_operation_reaches_the_cache() -> anyhow::Result<()> {
    story(&redstream_servers::shared_url(redstream_servers::REDIS_URL)?).await
}
