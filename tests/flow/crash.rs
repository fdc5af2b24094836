//! Processes and servers are killed, and no committed change is lost.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use redstream_core::{CancellationToken, HandlerError, Supervisor};
use redstream_seaorm::{Changes, Indexer, Sink, StreamedConnection};
use sea_orm::{ActiveModelTrait, DbErr, TransactionTrait};
use serde::{Deserialize, Serialize};

use super::SOON;
use super::child::{Child, Job, say};
use super::copies::Copies;
use super::place::{CONSUMER, Entity, LOCK_TTL, Place, city};
use crate::seaorm::wrappers::{Interference, Interfering};
use crate::support::{TestDb, eventually, private_redis};

/// How a worker process works.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Manner {
    /// Runs until it is told to stop.
    Steady,
    /// It writes half of its first batch, and never the rest.
    StuckInMidBatch,
}

/// A delay that is over during the test.
const SHORT: Duration = Duration::from_secs(2);
/// A delay that is not: what arrives came by main messages alone.
const LONG: Duration = Duration::from_secs(300);

/// The main function of a worker process.
pub(super) async fn work(place: Place, manner: Manner, end: CancellationToken) -> anyhow::Result<()> {
    let stream = place.stream().await;
    let sink = Moody { copies: place.copies().await, manner };
    let indexer = Indexer::new(place.primary().await, sink);
    say("ready");
    Supervisor::new()
        .with(stream.consumer(CONSUMER, indexer).lock_ttl(LOCK_TTL))
        .with(stream.delayer(LONG).lock_ttl(LOCK_TTL))
        .with(stream.trimmer().lock_ttl(LOCK_TTL))
        .run_until(end.cancelled())
        .await?;
    Ok(())
}

struct Moody {
    copies: Copies,
    manner: Manner,
}

impl Sink<Entity> for Moody {
    async fn write(&self, mut changes: Changes<Entity>) -> Result<(), HandlerError> {
        if self.manner == Manner::Steady {
            return self.copies.write(changes).await;
        }
        changes.upserts.truncate(changes.upserts.len() / 2);
        self.copies.write(changes).await?;
        say("in mid-batch");
        std::future::pending().await
    }
}

/// The answer to COMMIT never comes: a process that is killed then dies between COMMIT and main message.
#[derive(Debug)]
struct Halting;

#[async_trait]
impl Interference for Halting {
    async fn after_commit(&self) -> Result<(), DbErr> {
        say("committed");
        std::future::pending().await
    }
}

/// The main function of a writer process: its transaction commits, and it gets no answer.
pub(super) async fn write(place: Place) -> anyhow::Result<()> {
    let db = StreamedConnection::new(
        Interfering::new(place.primary().await, Arc::new(Halting)),
        place.redstream().await.producer(),
    );
    let txn = db.begin().await?;
    city(1, "Paris").insert(&txn).await?;
    txn.commit().await?;
    anyhow::bail!("COMMIT came back")
}

#[tokio::test]
async fn every_committed_change_arrives_though_the_worker_is_killed_in_mid_batch() -> anyhow::Result<()> {
    let (primary, secondary) = (TestDb::sqlite().await, TestDb::sqlite().await);
    let place = Place::new(&primary, &secondary).await;
    let db = place.streamed().await;
    let txn = db.begin().await?;
    for id in 1..=100 {
        city(id, &format!("city {id}")).insert(&txn).await?;
    }
    txn.commit().await?;

    let mut worker = Child::start(&Job::Worker(place.clone(), Manner::StuckInMidBatch)).await;
    worker.says("in mid-batch").await;
    let mut standby = Child::start(&Job::Worker(place.clone(), Manner::Steady)).await;
    standby.says("ready").await;
    let copies = place.copies().await;
    let copied = copies.names().await.len();
    assert!(copied > 0 && copied < 100, "{copied} of 100 cities are copied in mid-batch");
    worker.kill().await;

    let cities = place.cities().await;
    eventually(SOON, "all cities are copied", async || copies.names().await == cities).await;
    assert_eq!(cities.len(), 100);
    standby.stop().await;
    Ok(())
}

#[tokio::test]
async fn the_delayer_repairs_what_a_writer_killed_between_commit_and_main_message_left() -> anyhow::Result<()> {
    let (primary, secondary) = (TestDb::sqlite().await, TestDb::sqlite().await);
    let place = Place::new(&primary, &secondary).await;
    let stream = place.stream().await;

    let mut writer = Child::start(&Job::Writer(place.clone())).await;
    writer.says("committed").await;
    writer.kill().await;
    assert_eq!(place.cities().await.len(), 1, "the row is committed");
    assert_eq!(stream.len().await?, 0, "no main message was sent");
    assert_eq!(stream.delay_len().await?, 1, "a delay message insures it");

    let stop = CancellationToken::new();
    let copies = place.copies().await;
    let indexer = Indexer::new(place.primary().await, copies.clone());
    let workers = Supervisor::new()
        .with(stream.consumer(CONSUMER, indexer))
        .with(stream.delayer(SHORT))
        .run_until(stop.clone().cancelled_owned());
    let workers = tokio::spawn(workers);
    let cities = place.cities().await;
    eventually(SOON, "the delayer brings the city", async || copies.names().await == cities).await;
    assert_eq!(stream.delay_len().await?, 0);

    stop.cancel();
    workers.await??;
    Ok(())
}

async fn save(db: &StreamedConnection, id: i64) -> Result<(), DbErr> {
    let txn = db.begin().await?;
    city(id, &format!("city {id}")).insert(&txn).await?;
    txn.commit().await
}

/// Redis is killed while transactions are written, and restarts from its append-only file. A transaction that it could
/// not insure was rolled back; a committed one arrives.
#[tokio::test]
async fn a_redis_that_is_killed_and_restarted_loses_no_committed_change() -> anyhow::Result<()> {
    let mut redis = private_redis().await;
    let (primary, secondary) = (TestDb::sqlite().await, TestDb::sqlite().await);
    let place = Place::on_redis(&redis.url(), &primary, &secondary).await;
    let stop = CancellationToken::new();
    let (stream, copies) = (place.stream().await, place.copies().await);
    let indexer = Indexer::new(place.primary().await, copies.clone());
    let workers = Supervisor::new()
        .with(stream.consumer(CONSUMER, indexer).lock_ttl(LOCK_TTL))
        .with(stream.delayer(SHORT).lock_ttl(LOCK_TTL))
        .with(stream.trimmer().interval(Duration::from_millis(100)).lock_ttl(LOCK_TTL))
        .run_until(stop.clone().cancelled_owned());
    let workers = tokio::spawn(workers);

    let db = place.streamed().await;
    let mut refused = 0;
    for id in 1..=60 {
        match id {
            20 => redis.kill()?,
            23 => redis.restart()?,
            _ => {}
        }
        if save(&db, id).await.is_err() {
            refused += 1;
        }
    }

    let cities = place.cities().await;
    assert!(refused >= 3, "what cannot be insured is refused: three while Redis was down, not {refused}");
    assert_eq!(cities.len() + refused, 60, "what was refused is rolled back");
    eventually(SOON, "all cities are copied", async || copies.names().await == cities).await;

    stop.cancel();
    workers.await??;
    Ok(())
}
