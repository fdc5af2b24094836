//! What is found, and what is repaired.

use redstream_seaorm::DifferenceKind::{Extra, Missing, Stale};
use redstream_seaorm::{CancellationToken, DifferenceKind, Key, RedstreamExt, VerifyState, find_by_keys};
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter};

use super::{Memory, cities, consume, ended, found, of_cities};
use crate::seaorm::city;
use crate::seaorm::world::World;

/// Rows from -1200 to 1200, and an index with differences at all edges.
async fn with_differences(world: &World, can_find: bool) -> (Memory<city::Entity>, Vec<(DifferenceKind, i64)>) {
    // Without zero, which MariaDB replaces by a generated key.
    let rows = cities(world, (-1200..=1200).filter(|id| *id != 0)).await;
    let index = Memory::of(&rows, can_find);
    let mut differences = Vec::new();
    for id in [-1200, -1, 2, 999, 1000, 1200] {
        index.remove(&id);
        differences.push((Missing, id));
    }
    for id in [-1199, 1, 500, 1199] {
        index.put(id, "old".to_owned());
        differences.push((Stale, id));
    }
    for id in [i64::MIN, -1201, 1201, 5000, i64::MAX] {
        index.put(id, "gone".to_owned());
        differences.push((Extra, id));
    }
    (index, differences)
}

on_each_database! {
    async fn every_difference_is_found_and_repaired(db: TestDb) {
        let world = World::new(&db).await;
        let (index, differences) = with_differences(&world, true).await;
        let _search = consume(&world, index.clone()).await;
        let verify = || world.redstream.verify::<city::Entity>(&world.plain, &index).consumer("search").page_size(100);
        let report = ended(verify()).await;
        assert_eq!((report.state, report.compared, report.estimate), (VerifyState::Done, 2405, 2400));
        assert_eq!((report.missing, report.stale, report.extra), (6, 4, 5));
        assert_eq!(found(&report), of_cities(&differences));
        assert_eq!((report.queued, report.repaired, report.is_clean()), (0, 0, false));
        assert_eq!(format!("{:?}", report.exit_code()), format!("{:?}", std::process::ExitCode::from(1)));

        let report = ended(verify().repair(true)).await;
        assert_eq!((report.queued, report.repaired, report.is_clean()), (15, 15, true), "{report:?}");
        assert_eq!(found(&report), of_cities(&differences));
        let report = ended(verify()).await;
        assert!(report.is_clean() && report.found() == 0 && report.next_steps.is_empty(), "{report:?}");
        assert_eq!(index.all().len(), 2400);
    }

    async fn a_datastore_without_look_ups_is_scanned_for_each_suspect(db: TestDb) {
        let world = World::new(&db).await;
        let (index, differences) = with_differences(&world, false).await;
        let _search = consume(&world, index.clone()).await;
        let verify = world.redstream.verify::<city::Entity>(&world.plain, &index).page_size(7).repair(true);
        let report = ended(verify).await;
        assert_eq!(found(&report), of_cities(&differences));
        assert!(report.is_clean(), "{report:?}");
    }
}

#[tokio::test]
async fn an_empty_table_has_no_documents() {
    let db = crate::support::TestDb::sqlite().await;
    let world = World::new(&db).await;
    let index = Memory::<city::Entity>::new(true);
    let _search = consume(&world, index.clone()).await;
    assert!(ended(world.redstream.verify::<city::Entity>(&world.plain, &index)).await.is_clean());
    for id in 1..=25 {
        index.put(id, "gone".to_owned());
    }
    let report = ended(world.redstream.verify::<city::Entity>(&world.plain, &index).page_size(10).repair(true)).await;
    assert_eq!((report.extra, report.repaired), (25, 25));
    assert!(index.all().is_empty());
}

#[tokio::test]
async fn a_filter_says_what_is_compared_and_not_what_belongs_in_the_index() {
    let db = crate::support::TestDb::sqlite().await;
    let world = World::new(&db).await;
    let rows = cities(&world, 1..=300).await;
    let index = Memory::of(&rows, true);
    let _search = consume(&world, index.clone()).await;
    // Outside of the filter, and of no row.
    for id in [7, 301] {
        index.put(id, "wrong".to_owned());
    }
    index.put(151, "stale".to_owned());
    let verify = world.redstream.verify::<city::Entity>(&world.plain, &index).page_size(40);
    let report = ended(verify.filter(city::Column::Id.between(100, 200))).await;
    assert_eq!(found(&report), of_cities(&[(Stale, 151), (Extra, 301)]));
    assert_eq!(report.estimate, 101);
}

#[tokio::test]
async fn a_record_that_the_loader_leaves_out_has_no_document() {
    let db = crate::support::TestDb::sqlite().await;
    let world = World::new(&db).await;
    let rows = cities(&world, 1..=50).await;
    let index = Memory::of(&rows, true);
    let _search = consume(&world, index.clone()).await;
    let even = async |db: sea_orm::DatabaseConnection, keys: Vec<Key<city::Entity>>| {
        let rows = find_by_keys(city::Entity::find().filter(city::Column::Id.gt(3)), &keys, &db).await?;
        Ok(rows.into_iter().map(|row| (Key::of(&row), row)).collect())
    };
    let verify = world.redstream.verify_with_loader::<city::Entity, _, _, _>(&world.plain, even, &index);
    let report = ended(verify.page_size(10)).await;
    assert_eq!(found(&report), of_cities(&[(Extra, 1), (Extra, 2), (Extra, 3)]));
}

#[tokio::test]
async fn it_stops_above_so_many_differences_and_repairs_none_of_too_many() {
    let db = crate::support::TestDb::sqlite().await;
    let world = World::new(&db).await;
    let _rows = cities(&world, 1..=500).await;
    let index = Memory::<city::Entity>::new(true);
    let _search = consume(&world, index.clone()).await;
    let verify = || world.redstream.verify::<city::Entity>(&world.plain, &index).page_size(50).repair(true);
    let report = ended(verify().max(20).list(3)).await;
    assert_eq!((report.state, report.queued, report.differences.len()), (VerifyState::TooMany, 0, 3), "{report:?}");
    assert!(report.found() > 20 && index.all().is_empty());
    let report = ended(verify().max(500)).await;
    assert_eq!((report.state, report.repaired), (VerifyState::Done, 500));
}

#[tokio::test]
async fn a_rate_bounds_how_many_keys_are_compared_a_second() {
    let db = crate::support::TestDb::sqlite().await;
    let world = World::new(&db).await;
    let index = Memory::of(&cities(&world, 1..=300).await, true);
    let _search = consume(&world, index.clone()).await;
    let began = std::time::Instant::now();
    let verify = world.redstream.verify::<city::Entity>(&world.plain, &index).page_size(50).rate(200.0);
    let report = ended(verify).await;
    assert!(report.is_clean());
    // Pages after the first one wait.
    assert!(began.elapsed().as_secs_f64() > 0.9 && report.rate < 330.0, "{report}");
}

#[tokio::test]
async fn it_owns_its_parts_and_runs_in_a_task() {
    let db = crate::support::TestDb::sqlite().await;
    let world = World::new(&db).await;
    let index = Memory::of(&cities(&world, 1..=30).await, true);
    let _search = consume(&world, index.clone()).await;
    let (told, redstream) = (std::sync::Arc::new(std::sync::Mutex::new(Vec::new())), world.redstream.clone());
    let (lines, db) = (told.clone(), world.db.clone());
    let task = tokio::spawn(async move {
        let verify = redstream_seaorm::Verify::<city::Entity>::new(&redstream, db, index);
        let verify = verify.on_progress(move |report| lines.lock().unwrap().push(report.to_string()));
        verify.target("memory").run(CancellationToken::new()).await
    });
    let report = task.await.unwrap().unwrap();
    assert_eq!((report.target.as_str(), report.id.as_str()), ("memory", "cities"));
    let lines = told.lock().unwrap();
    assert!(lines.last().unwrap().starts_with("30/30 (100%); missing 0, stale 0, extra 0; suspects 0; "), "{lines:?}");
    let json = serde_json::to_value(&report).unwrap();
    assert_eq!((json["state"].as_str(), json["compared"].as_u64()), (Some("done"), Some(30)));
}
