//! A reindex whose process is killed is continued by another one.

use std::time::Duration;

use redstream_core::{CancellationToken, ReindexState, Start, Supervisor};
use redstream_seaorm::{Indexer, RedstreamExt};
use sea_orm::EntityTrait;

use super::SOON;
use super::child::{Child, Job, say};
use super::place::{CONSUMER, Entity, LOCK_TTL, Place, city};
use crate::support::{TestDb, eventually};

/// The main function of a process that walks the cities.
pub(super) async fn walk(place: Place, end: CancellationToken) -> anyhow::Result<()> {
    let (redstream, db) = (place.redstream().await, place.primary().await);
    say("ready");
    let reindex = redstream.reindex::<Entity>(&db).lock_ttl(LOCK_TTL).target(Duration::from_millis(1));
    anyhow::ensure!(reindex.run(end).await?.is_done(), "it was stopped");
    say("done");
    Ok(())
}

#[tokio::test]
async fn every_row_is_copied_though_the_process_that_walks_is_killed() -> anyhow::Result<()> {
    let (primary, secondary) = (TestDb::sqlite().await, TestDb::sqlite().await);
    let place = Place::new(&primary, &secondary).await;
    let rows = (1..=600).map(|id| city(id, &format!("city {id}")));
    Entity::insert_many(rows).exec_without_returning(&primary.connection()).await?;
    let stream = place.stream().await;
    stream.register(CONSUMER, Start::Latest).await?;

    let mut walker = Child::start(&Job::Reindex(place.clone())).await;
    walker.says("ready").await;
    let waits = async || {
        let record = stream.reindexes().get("cities").await.unwrap();
        record.is_some_and(|record| record.state == ReindexState::WaitingForLag && record.queued == 200)
    };
    eventually(SOON, "it waits for the consumer", waits).await;
    walker.kill().await;
    let mut next = Child::start(&Job::Reindex(place.clone())).await;
    next.says("ready").await;

    let consumer = stream.consumer(CONSUMER, Indexer::new(place.primary().await, place.copies().await));
    let done = async { next.says("done").await };
    Supervisor::new().with(consumer.lock_ttl(LOCK_TTL)).run_until(done).await?;
    let cities = place.cities().await;
    assert_eq!((cities.len(), place.copies().await.names().await), (600, cities));
    let record = stream.reindexes().get("cities").await?.expect("it is recorded");
    assert_eq!((record.state, record.queued), (ReindexState::CaughtUp, 600));
    Ok(())
}
