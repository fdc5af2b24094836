//! A system that is written meanwhile: a change on its way is no difference.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use redstream_seaorm::{DifferenceKind, RedstreamExt, VerifyState, Worker};
use sea_orm::{ActiveModelTrait, EntityTrait, ModelTrait};

use super::{Memory, cities, consume, ended, found, of_cities};
use crate::seaorm::city;
use crate::seaorm::world::World;
use crate::support::eventually;

on_each_database! {
    async fn changes_on_their_way_are_no_differences(db: TestDb) {
        let world = World::new(&db).await;
        let index = Memory::of(&cities(&world, 1..=400).await, true);
        let _search = consume(&world, index.clone()).await;
        // A real one, among all the others.
        index.put(200, "old".to_owned());
        let over = AtomicBool::new(false);
        let writes = async {
            let mut nth = 0_i64;
            while !over.load(Ordering::Relaxed) {
                nth += 1;
                // A few keys all the time, and all the others from time to time, but for the one that differs.
                let id = if nth % 2 == 0 { nth / 2 % 3 + 1 } else { nth % 397 + 4 };
                if id == 200 {
                    continue;
                }
                let row = world.row(id).await;
                match row {
                    Some(row) if nth % 7 == 0 => drop(row.delete(&world.db).await.unwrap()),
                    Some(row) => drop(city::renamed(&row, &format!("name {nth}")).update(&world.db).await.unwrap()),
                    None => drop(city::with_key(id, "back").insert(&world.db).await.unwrap()),
                }
            }
            nth
        };
        let verify = async {
            let mut reports = Vec::new();
            for _ in 0..3 {
                reports.push(ended(world.redstream.verify::<city::Entity>(&world.plain, &index).page_size(20)).await);
            }
            over.store(true, Ordering::Relaxed);
            reports
        };
        let (written, reports) = tokio::join!(writes, verify);
        for report in reports {
            assert_eq!(found(&report), of_cities(&[(DifferenceKind::Stale, 200)]), "{written} writes; {report:?}");
        }
    }
}

#[tokio::test]
async fn a_change_that_only_the_delayer_announces_is_no_difference() {
    let db = crate::support::TestDb::sqlite().await;
    let world = World::new(&db).await;
    let index = Memory::of(&cities(&world, 1..=10).await, true);
    let _search = consume(&world, index.clone()).await;
    let delayer = world.cities().delayer(Duration::from_secs(3));
    let stop = tokio_util::sync::CancellationToken::new();
    let token = stop.clone();
    let running = tokio::spawn(async move { Worker::run(&delayer, token).await });
    eventually(super::BOUND, "its delay", async || world.cities().published_delay().await.unwrap().is_some()).await;
    // As if the process had died between the commit and the main message.
    world.redstream.producer().delay(world.cities().name(), &serde_json::json!({ "id": 5 })).await.unwrap();
    let row = world.row(5).await.unwrap();
    city::Entity::update(city::renamed(&row, "new")).exec(&world.plain).await.unwrap();
    let report = ended(world.redstream.verify::<city::Entity>(&world.plain, &index).skip_delay(true)).await;
    assert_eq!(found(&report), of_cities(&[(DifferenceKind::Stale, 5)]), "it is one until then");
    let report = ended(world.redstream.verify::<city::Entity>(&world.plain, &index)).await;
    assert!(report.is_clean(), "{report:?}");
    assert_eq!((report.found(), report.rechecked_ok), (0, 1));
    stop.cancel();
    running.await.unwrap().unwrap();
}

#[tokio::test]
async fn a_delayer_that_does_not_run_is_named() {
    let db = crate::support::TestDb::sqlite().await;
    let world = World::new(&db).await;
    let index = Memory::of(&cities(&world, 1..=10).await, true);
    let _search = consume(&world, index.clone()).await;
    // It publishes its delay, and ends.
    world.cities().delayer(Duration::from_millis(10)).run_once().await.unwrap();
    world.redstream.producer().delay(world.cities().name(), &serde_json::json!({ "id": 5 })).await.unwrap();
    index.put(5, "old".to_owned());
    let verify = world.redstream.verify::<city::Entity>(&world.plain, &index).patience(Duration::from_millis(300));
    let report = ended(verify).await;
    assert_eq!(report.state, VerifyState::NotFinished);
    assert!(report.reason.as_ref().unwrap().contains("delayer of stream cities"), "{report:?}");
}

#[tokio::test]
async fn a_consumer_that_does_not_run_is_named() {
    let db = crate::support::TestDb::sqlite().await;
    let world = World::new(&db).await;
    let index = Memory::of(&cities(&world, 1..=10).await, true);
    drop(consume(&world, index.clone()).await);
    world.cities().register("search", redstream_seaorm::Start::Latest).await.unwrap();
    let lock = world.cities().lock("search", Duration::from_secs(5)).unwrap();
    let _held = lock.acquire_within(super::BOUND).await.unwrap().unwrap();
    let row = world.row(5).await.unwrap();
    city::renamed(&row, "new").update(&world.db).await.unwrap();
    let verify = || world.redstream.verify::<city::Entity>(&world.plain, &index).consumer("search");
    let report = ended(verify().patience(Duration::from_millis(300))).await;
    assert_eq!((report.state, report.suspects, report.found()), (VerifyState::NotFinished, 1, 0), "{report:?}");
    assert!(report.reason.as_ref().unwrap().contains("consumer search of stream cities"), "{report:?}");
    assert_eq!(format!("{:?}", report.exit_code()), format!("{:?}", std::process::ExitCode::from(2)));
    let error = world.redstream.verify::<city::Entity>(&world.plain, &index).consumer("saerch");
    let error = error.run(tokio_util::sync::CancellationToken::new()).await.unwrap_err();
    let cause = std::error::Error::source(&error).unwrap().to_string();
    assert!(cause.contains("no consumer saerch") && cause.contains("search"), "{cause}");
}
