//! Filling a new search index: the rows exist, and were never announced to its consumer. A reindex queues their keys,
//! while other rows are still written, and is done when the consumer has them all.
//!
//! Needs a Redis: the first argument, or `REDIS_URL`, or the one on this machine.
//!
//! ```sh
//! cargo run -p redstream-examples --example reindex
//! ```

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::ensure;
use redstream_seaorm::{
    CancellationToken, Changes, ConnectOptions, HandlerError, Indexer, Redstream, RedstreamExt as _, Sink, Start,
    Streamed, StreamedConnection, Supervisor,
};
use sea_orm::{ActiveValue::Set, ConnectionTrait as _, Database, Schema, TransactionTrait as _, entity::prelude::*};

#[derive(Clone, Debug, PartialEq, DeriveEntityModel, Streamed)]
#[sea_orm(table_name = "cities")]
struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    id: i64,
    name: String,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
enum Relation {}

const CITIES: i64 = 20_000;

/// The index: a map in memory.
#[derive(Clone, Default)]
struct Index(Arc<Mutex<BTreeMap<i64, String>>>);

impl Index {
    fn cities(&self) -> BTreeMap<i64, String> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Sink<Entity> for Index {
    async fn write(&self, changes: Changes<Entity>) -> Result<(), HandlerError> {
        let mut index = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        for key in changes.deletes {
            index.remove(&key.value());
        }
        index.extend(changes.upserts.into_iter().map(|(_, city)| (city.id, city.name)));
        Ok(())
    }
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let url = std::env::args().nth(1).or_else(|| std::env::var("REDIS_URL").ok());
    story(&url.unwrap_or_else(|| "redis://127.0.0.1/".to_owned())).await
}

async fn story(redis_url: &str) -> anyhow::Result<()> {
    let redstream = Redstream::connect(ConnectOptions::new(redis_url).namespace("redstream-reindex")).await?;
    let folder = tempfile::tempdir()?;
    let sqlite = Database::connect(format!("sqlite://{}?mode=rwc", folder.path().join("cities.db").display())).await?;
    sqlite.execute(&Schema::new(sqlite.get_database_backend()).create_table_from_entity(Entity)).await?;
    let db = StreamedConnection::new(sqlite.clone(), redstream.producer());

    // Rows of before: no message tells of them.
    for thousand in 0..CITIES / 1000 {
        let rows = (1..=1000).map(|nth| ActiveModel { id: Set(thousand * 1000 + nth), name: Set("old".to_owned()) });
        Entity::insert_many(rows).exec_without_returning(&sqlite).await?;
    }

    // First the consumer, then the keys: nothing in the stream is trimmed before it has read it.
    let (cities, index) = (redstream.of::<Entity>()?, Index::default());
    for stream in cities.streams() {
        stream.register("search", Start::Latest).await?;
    }
    let workers = Supervisor::new()
        .with(cities.consumer("search", Indexer::new(sqlite.clone(), index.clone())))
        .with(cities.delayer(Duration::from_secs(300)))
        .with(cities.trimmer());

    let work = async {
        let reindex = redstream
            .reindex::<Entity>(&sqlite)
            .consumer("search")
            .on_progress(|progress| println!("{progress}"))
            .run(CancellationToken::new());
        // The application goes on writing meanwhile.
        let (report, written) = tokio::join!(reindex, write(&db));
        let (report, token) = (report?, written?);
        ensure!(report.is_done() && report.dead_letters == 0, "not complete: {report:?}");
        redstream.wait_until_synced("search", &token, Duration::from_secs(10)).await?;
        anyhow::Ok(report)
    };
    let stop = CancellationToken::new();
    let running = tokio::spawn(workers.run_until(stop.clone().cancelled_owned()));
    let report = work.await;
    stop.cancel();
    running.await??;

    let report = report?;
    let rows = Entity::find().all(&sqlite).await?.into_iter().map(|city| (city.id, city.name)).collect();
    ensure!(index.cities() == rows, "the index and the table differ");
    println!("{} keys were queued, and the index has all {} cities", report.queued, index.cities().len());
    Ok(())
}

/// Renames a city, adds one and deletes one.
async fn write(db: &StreamedConnection) -> Result<redstream_seaorm::SyncToken, DbErr> {
    let txn = db.begin().await?;
    ActiveModel { id: Set(1), name: Set("new".to_owned()) }.update(&txn).await?;
    ActiveModel { id: Set(CITIES + 1), name: Set("new".to_owned()) }.insert(&txn).await?;
    ActiveModel { id: Set(2), ..Default::default() }.delete(&txn).await?;
    txn.commit_with_token().await
}

#[cfg(test)]
#[tokio::test]
async fn a_new_index_has_every_row_though_rows_are_written_meanwhile() -> anyhow::Result<()> {
    story(&redstream_servers::shared_url(redstream_servers::REDIS_URL)?).await
}
