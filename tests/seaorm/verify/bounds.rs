//! What a verification has in memory, and of connections.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use redstream_seaorm::{RedstreamExt, VerifyState};
use sea_orm::{ConnectOptions, Database};

use super::{Memory, cities, consume, ended};
use crate::seaorm::city;
use crate::seaorm::world::World;
use crate::support::TestDb;

/// As after a delete of nearly all rows that was not seen: the documents of a range of keys are many pages.
#[tokio::test]
async fn documents_without_rows_wait_until_those_before_them_are_decided() {
    let db = TestDb::sqlite().await;
    let world = World::new(&db).await;
    let index = Memory::of(&cities(&world, [1, 100_000]).await, true);
    (2..30_000).for_each(|id| index.put(id, "left over".to_owned()));
    let _search = consume(&world, index.clone()).await;
    let most = Arc::new(AtomicU64::new(0));
    let verify = world.redstream.verify::<city::Entity>(&world.plain, &index).on_progress({
        let most = most.clone();
        move |report| _ = most.fetch_max(report.suspects, Ordering::SeqCst)
    });
    let report = ended(verify).await;
    assert_eq!(report.state, VerifyState::TooMany, "{report:?}");
    let most = most.load(Ordering::SeqCst);
    assert!((1..=11_000).contains(&most), "{most} suspects in memory");
}

/// The same, as far as they are few.
#[tokio::test]
async fn a_range_of_many_pages_is_compared_to_its_end() {
    let db = TestDb::sqlite().await;
    let world = World::new(&db).await;
    let index = Memory::of(&cities(&world, [1, 5000, 100_000, 100_001]).await, true);
    (2..3000).for_each(|id| index.put(id, "left over".to_owned()));
    index.remove(&5000);
    index.remove(&100_001);
    let _search = consume(&world, index.clone()).await;
    let verify = world.redstream.verify::<city::Entity>(&world.plain, &index).page_size(7).repair(true);
    let report = ended(verify).await;
    assert_eq!((report.missing, report.stale, report.extra), (2, 0, 2998), "{report:?}");
    assert!(report.is_clean() && index.all().len() == 4, "{report:?}");
}

/// SQLite has no more by default. A page that was read ahead held it once, while suspects waited for it.
#[tokio::test]
async fn one_connection_is_enough_for_the_verification_and_its_consumer() {
    let db = TestDb::sqlite().await;
    let mut world = World::new(&db).await;
    let index = Memory::of(&cities(&world, 1..=2000).await, true);
    let mut options = ConnectOptions::new(db.url());
    options.max_connections(1).acquire_timeout(Duration::from_secs(2)).sqlx_logging(false);
    world.plain = Database::connect(options).await.unwrap();
    let _search = consume(&world, index.clone()).await;
    for (rate, id) in [(0.0, 1), (2000.0, 2)] {
        (id..2000).step_by(40).for_each(|id| index.put(id, "old".to_owned()));
        let verify = world.redstream.verify::<city::Entity>(&world.plain, &index).page_size(20).rate(rate);
        let report = ended(verify.retry_for(Duration::from_millis(100)).repair(true)).await;
        assert_eq!((report.stale, report.repaired, report.is_clean()), (50, 50, true), "{report:?}");
    }
}
