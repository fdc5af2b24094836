//! Settling: the main message takes its own delay messages away, and nothing else does.

use std::time::Duration;

use redstream_core::Moved;
use sea_orm::{ActiveModelTrait, ActiveValue::Unchanged, Set, TransactionTrait};

use super::city::{self, named, renamed, with_key};
use super::world::{SOON, World, id, ids};
use crate::core::recorder::Recorder;
use crate::support::eventually;

on_each_database! {
    async fn a_commit_leaves_its_main_messages_and_no_delay_message(db: TestDb) {
        let world = World::new(&db).await;
        let settling = world.db.clone().settle(true);
        let txn = settling.begin().await.unwrap();
        for n in 100..110 {
            with_key(n, "Rome").insert(&txn).await.unwrap();
        }
        let generated = named("Ulm").insert(&txn).await.unwrap();
        txn.commit().await.unwrap();
        let mut all: Vec<_> = (100..110).map(id).collect();
        all.push(id(generated.id));
        assert_eq!(world.main().await, all);
        assert_eq!(world.delay().await, ids([]));

        renamed(&generated, "Neu-Ulm").update(&settling).await.unwrap();
        assert_eq!(world.main().await.len(), 12, "a save outside a transaction is announced");
        assert_eq!(world.delay().await, ids([]), "and settled");
    }

    async fn a_rollback_leaves_its_delay_message(db: TestDb) {
        let world = World::new(&db).await;
        let settling = world.db.clone().settle(true);
        let txn = settling.begin().await.unwrap();
        with_key(100, "Rome").insert(&txn).await.unwrap();
        world.insured(&[id(100)]).await;
        txn.rollback().await.unwrap();
        assert_eq!((world.main().await, world.delay().await), (ids([]), vec![id(100)]));
    }

    async fn the_delay_message_of_another_transaction_stays(db: TestDb) {
        let world = World::new(&db).await;
        let city = world.existing(100, "Rom").await;
        renamed(&city, "Roma").update(&world.db).await.unwrap();
        renamed(&city, "Rome").update(&world.db.clone().settle(true)).await.unwrap();
        assert_eq!((world.main().await, world.delay().await), (vec![id(100); 2], vec![id(100)]));
    }
}

#[tokio::test]
async fn delay_messages_that_were_sent_again_go_too() {
    let db = crate::support::TestDb::sqlite().await;
    let world = World::new(&db).await;
    let settling = world.db.clone().settle(true).resend_after(Duration::ZERO);
    let txn = settling.begin().await.unwrap();
    with_key(100, "Rome").insert(&txn).await.unwrap();
    world.insured(&[id(100)]).await;
    txn.commit().await.unwrap();
    assert_eq!((world.main().await, world.delay().await), (vec![id(100)], ids([])));
}

#[tokio::test]
async fn a_change_is_handled_once_and_not_again_after_its_delay() {
    let db = crate::support::TestDb::sqlite().await;
    let world = World::new(&db).await;
    world.existing(100, "Rom").await;
    let settling = world.db.clone().settle(true);
    let rome = city::ActiveModel { id: Unchanged(100), name: Set("Rome".to_owned()) };
    rome.update(&settling).await.unwrap();
    // Not even one that is not due yet.
    let moved = world.cities().delayer(Duration::from_secs(300)).run_once().await.unwrap();
    assert!(matches!(moved, Some(Moved { due: 0, queued: 0, next: None })), "{moved:?}");
    let seen = Recorder::default();
    world.cities().consumer("search", seen.clone()).run_once().await.unwrap();
    eventually(SOON, "the change", async || seen.len() == 1).await;
}
