//! What a verification has in memory.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use redstream_seaorm::{RedstreamExt, VerifyState};

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
