//! Verifying a search index: rows are compared with documents, and what differs is repaired.
//!
//! Needs a Redis: the first argument, or `REDIS_URL`, or the one on this machine. Ends with the exit code of the last
//! report: 0 clean, 1 differences, 2 could not finish.
//!
//! ```sh
//! cargo run -p redstream-examples --example verify
//! ```

use std::collections::BTreeMap;
use std::ops::Bound::{Excluded, Included, Unbounded};
use std::process::ExitCode;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use anyhow::ensure;
use redstream_seaorm::{
    CancellationToken, Changes, ConnectOptions, HandlerError, Indexer, Key, KeyRange, Redstream, RedstreamExt as _,
    Scan, Sink, Start, Streamed, Supervisor, VerifyReport,
};
use sea_orm::{ActiveValue::Set, ConnectionTrait as _, Database, Schema, entity::prelude::*};

#[derive(Clone, Debug, PartialEq, DeriveEntityModel, Streamed)]
#[sea_orm(table_name = "cities")]
struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    id: i64,
    name: String,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
enum Relation {}

const CITIES: i64 = 2000;

/// The index: a map in memory, sorted by key.
#[derive(Clone, Default)]
struct Index(Arc<Mutex<BTreeMap<i64, String>>>);

impl Index {
    fn cities(&self) -> MutexGuard<'_, BTreeMap<i64, String>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Sink<Entity> for Index {
    async fn write(&self, changes: Changes<Entity>) -> Result<(), HandlerError> {
        let mut cities = self.cities();
        for key in changes.deletes {
            cities.remove(&key.value());
        }
        cities.extend(changes.upserts.into_iter().map(|(_, city)| (city.id, city.name)));
        Ok(())
    }
}

impl Scan<Entity> for Index {
    type Document = String;

    async fn scan(
        &self,
        range: KeyRange<'_, Entity>,
        limit: usize,
    ) -> Result<Vec<(Key<Entity>, String)>, HandlerError> {
        let after = range.after.map_or(Unbounded, |key| Excluded(key.value()));
        let until = range.until.map_or(Unbounded, |key| Included(key.value()));
        let cities = self.cities();
        Ok(cities.range((after, until)).take(limit).map(|(id, name)| (Key::new(*id), name.clone())).collect())
    }

    async fn find(&self, keys: &[Key<Entity>]) -> Result<Option<Vec<(Key<Entity>, String)>>, HandlerError> {
        let cities = self.cities();
        let found = keys.iter().filter_map(|key| Some((key.clone(), cities.get(&key.value())?.clone())));
        Ok(Some(found.collect()))
    }

    fn is_current(&self, _: &Key<Entity>, city: &Model, name: &String) -> Result<bool, HandlerError> {
        Ok(city.name == *name)
    }
}

#[tokio::main]
async fn main() -> anyhow::Result<ExitCode> {
    let url = std::env::args().nth(1).or_else(|| std::env::var("REDIS_URL").ok());
    Ok(story(&url.unwrap_or_else(|| "redis://127.0.0.1/".to_owned())).await?.exit_code())
}

async fn story(redis_url: &str) -> anyhow::Result<VerifyReport> {
    let redstream = Redstream::connect(ConnectOptions::new(redis_url).namespace("redstream-verify")).await?;
    let folder = tempfile::tempdir()?;
    let db = Database::connect(format!("sqlite://{}?mode=rwc", folder.path().join("cities.db").display())).await?;
    db.execute(&Schema::new(db.get_database_backend()).create_table_from_entity(Entity)).await?;
    let rows = (1..=CITIES).map(|id| ActiveModel { id: Set(id), name: Set(format!("city {id}")) });
    Entity::insert_many(rows).exec_without_returning(&db).await?;

    // An index that has gone wrong: a document is missing, one is stale, and one has no row.
    let index = Index::default();
    index.cities().extend((2..=CITIES + 1).map(|id| (id, format!("city {id}"))));
    index.cities().insert(1000, "city one thousand".to_owned());

    let cities = redstream.of::<Entity>()?;
    for stream in cities.streams() {
        stream.register("search", Start::Latest).await?;
    }
    let workers = Supervisor::new()
        .with(cities.consumer("search", Indexer::new(db.clone(), index.clone())))
        .with(cities.delayer(Duration::from_secs(300)))
        .with(cities.trimmer());
    let stop = CancellationToken::new();
    let running = tokio::spawn(workers.run_until(stop.clone().cancelled_owned()));

    let verify = || redstream.verify::<Entity>(&db, &index).consumer("search").target("a map in memory");
    let repaired =
        verify().repair(true).on_progress(|report| println!("{report}")).run(CancellationToken::new()).await?;
    let last = verify().run(CancellationToken::new()).await?;
    stop.cancel();
    running.await??;

    println!("{}", serde_json::to_string_pretty(&repaired)?);
    ensure!((repaired.missing, repaired.stale, repaired.extra, repaired.repaired) == (1, 1, 1, 3), "{repaired:?}");
    ensure!(last.is_clean() && last.found() == 0, "{last:?}");
    Ok(last)
}

#[cfg(test)]
#[tokio::test]
async fn an_index_that_has_gone_wrong_is_repaired() -> anyhow::Result<()> {
    story(&redstream_servers::shared_url(redstream_servers::REDIS_URL)?).await.map(drop)
}
