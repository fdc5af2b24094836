//! Sharding: one entity's changes in four streams, which two hosts share evenly; the changes of one key stay in order.
//!
//! The number of shards is declared once, at the model, and `redstream.of::<Entity>()` gives workers that agree with
//! it. Both hosts run the same workers. Here they are two supervisors in one process, with a connection each.
//!
//! Needs a Redis: the first argument, or `REDIS_URL`, or the one on this machine.
//!
//! ```sh
//! cargo run -p redstream-examples --example sharding
//! ```

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::{bail, ensure};
use redstream_seaorm::{
    CancellationToken, Changes, ConnectOptions, EntityStream, HandlerError, Indexer, Key, Redstream, RedstreamExt as _,
    Sink, Streamed, StreamedConnection, Supervisor, core::Payload,
};
use sea_orm::{
    ActiveValue::Set, ConnectionTrait as _, Database, DatabaseConnection, IntoActiveModel as _, Schema,
    TransactionTrait as _, entity::prelude::*,
};

#[derive(Clone, Debug, PartialEq, DeriveEntityModel, Streamed)]
#[sea_orm(table_name = "cities")]
#[streamed(shards = 4)]
struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    id: i64,
    revision: i64,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
enum Relation {}

const CITIES: i64 = 40;

/// Every revision of each city that was seen, in order, and by which host.
type Seen = BTreeMap<i64, Vec<(i64, &'static str)>>;

/// What arrived, at either host.
#[derive(Clone, Default)]
struct Arrivals(Arc<Mutex<Seen>>);

impl Arrivals {
    fn of_each_city(&self) -> Seen {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// One host, as a sink.
struct Host {
    name: &'static str,
    arrivals: Arrivals,
}

impl Sink<Entity> for Host {
    async fn write(&self, changes: Changes<Entity>) -> Result<(), HandlerError> {
        let mut arrivals = self.arrivals.0.lock().unwrap_or_else(PoisonError::into_inner);
        for (_, city) in changes.upserts {
            arrivals.entry(city.id).or_default().push((city.revision, self.name));
        }
        Ok(())
    }
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let url = std::env::args().nth(1).or_else(|| std::env::var("REDIS_URL").ok());
    story(&url.unwrap_or_else(|| "redis://127.0.0.1/".to_owned())).await
}

async fn story(redis_url: &str) -> anyhow::Result<()> {
    let redis = ConnectOptions::new(redis_url).namespace("redstream-sharding");
    let folder = tempfile::tempdir()?;
    let sqlite = Database::connect(format!("sqlite://{}?mode=rwc", folder.path().join("cities.db").display())).await?;
    sqlite.execute(&Schema::new(sqlite.get_database_backend()).create_table_from_entity(Entity)).await?;

    let (arrivals, stop) = (Arrivals::default(), CancellationToken::new());
    let mut hosts = Vec::new();
    for name in ["host A", "host B"] {
        let redstream = Redstream::connect(redis.clone()).await?;
        let workers = workers(&redstream, &sqlite, Host { name, arrivals: arrivals.clone() })?;
        hosts.push(tokio::spawn(workers.run_until(stop.clone().cancelled_owned())));
    }

    let redstream = Redstream::connect(redis).await?;
    let EntityStream::Sharded(shards) = redstream.of::<Entity>()? else { bail!("cities are in shards") };
    let shard = |id| Payload::encode(&Entity::payload(&Key::new(id))).map(|payload| shards.shard_of(&payload));
    let db = StreamedConnection::new(sqlite, redstream.producer());
    insert(&db).await?;

    // The hosts are balanced within a few rounds of 2.5 seconds. Work continues meanwhile: every city changes
    // repeatedly.
    let mut even = false;
    for revision in 1..=100 {
        update(&db, revision).await?;
        all_arrived(&arrivals, revision).await?;
        let mut shares: BTreeMap<&str, BTreeSet<u32>> = BTreeMap::new();
        for (id, seen) in arrivals.of_each_city() {
            let by = seen.last().map_or("nobody", |(_, by)| by);
            shares.entry(by).or_default().insert(shard(id)?);
        }
        even = shares.len() == 2 && shares.values().all(|share| share.len() == 2);
        if even {
            println!("revision {revision} of all cities arrived; each host worked at two shards: {shares:?}");
            break;
        }
        tokio::time::sleep(Duration::from_millis(300)).await;
    }
    ensure!(even, "two hosts share four shards evenly");

    for (id, seen) in arrivals.of_each_city() {
        ensure!(seen.is_sorted_by_key(|(revision, _)| revision), "city {id} went back: {seen:?}");
    }
    println!("no city ever went back to an older revision, whichever host worked at its shard");

    stop.cancel();
    for host in hosts {
        host.await??;
    }
    Ok(())
}

/// The same on every host.
fn workers(redstream: &Redstream, primary: &DatabaseConnection, host: Host) -> anyhow::Result<Supervisor> {
    let cities = redstream.of::<Entity>()?;
    Ok(Supervisor::new()
        .with(cities.consumer("search", Indexer::new(primary.clone(), host)))
        .with(cities.delayer(Duration::from_secs(300)))
        .with(cities.trimmer()))
}

async fn insert(db: &StreamedConnection) -> Result<(), DbErr> {
    let txn = db.begin().await?;
    for id in 1..=CITIES {
        Model { id, revision: 0 }.into_active_model().reset_all().insert(&txn).await?;
    }
    txn.commit().await
}

async fn update(db: &StreamedConnection, revision: i64) -> Result<(), DbErr> {
    let txn = db.begin().await?;
    for id in 1..=CITIES {
        ActiveModel { id: Set(id), revision: Set(revision) }.update(&txn).await?;
    }
    txn.commit().await
}

/// Waits until this revision of every city has arrived, for thirty seconds at most.
async fn all_arrived(arrivals: &Arrivals, revision: i64) -> anyhow::Result<()> {
    for _ in 0..3000 {
        let cities = arrivals.of_each_city();
        let arrived = cities.values().filter(|seen| seen.last().is_some_and(|(last, _)| *last == revision));
        if i64::try_from(arrived.count())? == CITIES {
            return Ok(());
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    bail!("revision {revision} of some cities had not arrived after thirty seconds")
}

#[cfg(test)]
#[tokio::test]
async fn two_hosts_share_the_shards_evenly_and_keep_each_key_in_order() -> anyhow::Result<()> {
    story(&redstream_servers::shared_url(redstream_servers::REDIS_URL)?).await
}
