//! Redis is down for a minute, under load.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use redstream_core::{Batch, BoxError, CancellationToken, Supervisor};
use redstream_seaorm::{Insurance, StreamedConnection};
use sea_orm::{ActiveModelTrait, ColumnTrait, DatabaseConnection, EntityTrait, QueryFilter, TransactionTrait};
use serde::Deserialize;
use tokio::task::JoinSet;

use super::super::city::{self, renamed, with_key};
use super::super::world::World;
use super::with_outbox;
use crate::support::{eventually, private_redis};

const A_MINUTE: Duration = Duration::from_secs(60);
const WRITERS: i64 = 4;

/// A change that was committed just before the outage may have its delay message in Redis, and no main message.
const DELAY: Duration = Duration::from_secs(10);

/// The cities in a datastore with versions; a city's name is the number of its revision.
#[derive(Default)]
struct Store {
    cities: Mutex<BTreeMap<i64, (u64, u64)>>,
    went_back: AtomicU64,
}

#[derive(Deserialize)]
struct Key {
    id: i64,
}

impl Store {
    async fn write(&self, primary: &DatabaseConnection, batch: Batch) -> Result<(), BoxError> {
        let keys = batch.payloads::<Key>().map(|key| Ok(key?.id)).collect::<Result<Vec<_>, BoxError>>()?;
        let version = batch.version().await?;
        let found = city::Entity::find().filter(city::Column::Id.is_in(keys)).all(primary).await?;
        let mut cities = self.cities.lock().unwrap();
        for city in found {
            let revision: u64 = city.name.parse()?;
            let known = cities.entry(city.id).or_default();
            if version >= known.0 {
                self.went_back.fetch_add(u64::from(revision < known.1), Ordering::Relaxed);
                *known = (version, revision);
            }
        }
        Ok(())
    }
}

/// Writes until it is stopped: each transaction changes a city of this writer and makes one. Returns the last revision.
async fn write(db: StreamedConnection, writer: i64, stop: CancellationToken) -> u64 {
    let own = city::Model { id: writer, name: "0".to_owned() };
    let mut revision = 0;
    while !stop.is_cancelled() {
        revision += 1;
        let txn = db.begin().await.expect("a transaction begins");
        renamed(&own, &revision.to_string()).update(&txn).await.expect("a write succeeds");
        let new = 1000 * i64::try_from(revision).unwrap() + writer;
        with_key(new, "1").insert(&txn).await.expect("a write succeeds");
        txn.commit().await.expect("a commit succeeds");
        tokio::time::sleep(Duration::from_millis(20)).await; // A load, not a benchmark.
    }
    revision
}

on_each_database! {
    async fn redis_is_down_for_a_minute_and_no_write_fails_and_no_change_is_lost(db: TestDb) {
        let mut server = private_redis().await;
        let world = with_outbox(World::at(&db, &server.url()).await, Insurance::RedisElseOutbox).await;
        for writer in 1..=WRITERS {
            world.existing(writer, "0").await;
        }
        let store = Arc::new(Store::default());
        let (handled, primary) = (store.clone(), world.plain.clone());
        let cities = world.cities();
        let consumer = cities.consumer("search", move |batch: Batch| {
            let (store, primary) = (handled.clone(), primary.clone());
            async move { Ok(store.write(&primary, batch).await?) }
        });
        let workers = Supervisor::new()
            .with(consumer)
            .with(cities.delayer(DELAY))
            .with(world.db.relay())
            .with(world.db.relay());
        let stop = CancellationToken::new();
        let running = tokio::spawn(workers.run_until(stop.clone().cancelled_owned()));

        let (enough, mut writers) = (CancellationToken::new(), JoinSet::new());
        for writer in 1..=WRITERS {
            writers.spawn(write(world.db.clone(), writer, enough.clone()));
        }
        let some = async || store.cities.lock().unwrap().len() > 20;
        eventually(Duration::from_secs(20), "changes to arrive before the outage", some).await;
        server.kill().unwrap();
        tokio::time::sleep(A_MINUTE).await; // The outage itself.
        server.restart().unwrap();
        let revisions = writers_end(enough, writers).await;
        assert!(revisions > 100, "a load: {revisions}");

        let rows = city::Entity::find().all(&world.plain).await.unwrap();
        let expected: BTreeMap<i64, u64> = rows.into_iter().map(|city| (city.id, city.name.parse().unwrap())).collect();
        let same = async || {
            let cities = store.cities.lock().unwrap();
            cities.len() == expected.len() && expected.iter().all(|(id, revision)| cities[id].1 == *revision)
        };
        eventually(Duration::from_secs(60), "every change to arrive after the outage", same).await;
        assert_eq!(store.went_back.load(Ordering::Relaxed), 0, "order per key holds");
        stop.cancel();
        running.await.unwrap().unwrap();
    }
}

async fn writers_end(enough: CancellationToken, mut writers: JoinSet<u64>) -> u64 {
    enough.cancel();
    let mut revisions = 0;
    while let Some(writer) = writers.join_next().await {
        revisions += writer.expect("no write failed");
    }
    revisions
}
