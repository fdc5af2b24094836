//! Removing delay messages: the main message removes its own delay messages, and nothing else does.

use std::time::Duration;

use redstream_core::Moved;
use sea_orm::{ActiveModelTrait, ActiveValue::Unchanged, Set, TransactionTrait};

use super::city::{self, named, renamed, with_key};
use super::world::{SOON, World, id, ids};
use crate::support::eventually;
use crate::support::recorder::Recorder;

on_each_database! {
    async fn a_commit_leaves_its_main_messages_and_no_delay_message(db: TestDb) {
        let world = World::new(&db).await;
        let removing = world.db.to_builder().remove_delay_messages(true).build();
        let txn = removing.begin().await.unwrap();
        for n in 100..110 {
            with_key(n, "Rome").insert(&txn).await.unwrap();
        }
        let generated = named("Ulm").insert(&txn).await.unwrap();
        txn.commit().await.unwrap();
        let mut all: Vec<_> = (100..110).map(id).collect();
        all.push(id(generated.id));
        assert_eq!(world.main().await, all);
        assert_eq!(world.delay().await, ids([]));

        renamed(&generated, "Neu-Ulm").update(&removing).await.unwrap();
        assert_eq!(world.main().await.len(), 12, "a save outside a transaction is announced");
        assert_eq!(world.delay().await, ids([]), "and removed");
    }

    async fn a_rollback_leaves_its_delay_message(db: TestDb) {
        let world = World::new(&db).await;
        let removing = world.db.to_builder().remove_delay_messages(true).build();
        let txn = removing.begin().await.unwrap();
        with_key(100, "Rome").insert(&txn).await.unwrap();
        world.insured(&[id(100)]).await;
        txn.rollback().await.unwrap();
        assert_eq!((world.main().await, world.delay().await), (ids([]), vec![id(100)]));
    }

    async fn the_delay_message_of_another_transaction_stays(db: TestDb) {
        let world = World::new(&db).await;
        let city = world.existing(100, "Rom").await;
        renamed(&city, "Roma").update(&world.db).await.unwrap();
        renamed(&city, "Rome").update(&world.db.to_builder().remove_delay_messages(true).build()).await.unwrap();
        assert_eq!((world.main().await, world.delay().await), (vec![id(100); 2], vec![id(100)]));
    }
}

/// Writes until the connection has read the consumers' settings, and removes what was written.
async fn learned(world: &World, wanted: impl Fn(&[redstream_core::Message]) -> bool) {
    let cities = world.cities();
    let mut key = 1000;
    let seen = async || {
        key += 1;
        let after = cities.last_delay_id().await.unwrap();
        with_key(key, "Rome").insert(&world.db).await.unwrap();
        wanted(&cities.delay_messages(after, 10).await.unwrap())
    };
    eventually(SOON, "the writer to know what the consumers say", seen).await;
}

/// Moves every delay message to the stream.
async fn all_due(world: &World) {
    let delayer = world.cities().delayer(Duration::from_millis(1));
    let none_left = async || {
        delayer.run_once().await.unwrap();
        world.cities().delay_len().await.unwrap() == 0
    };
    eventually(SOON, "the delay messages to be due", none_left).await;
}

on_each_database! {
    async fn each_consumer_says_whether_it_wants_the_second_message(db: TestDb) {
        let world = World::new(&db).await;
        let (in_search, in_cache) = (Recorder::default(), Recorder::default());
        let search = world.cities().consumer("search", in_search.clone()).skip_repeats(true);
        let cache = world.cities().consumer("cache", in_cache.clone());
        for consumer in [&search, &cache] {
            consumer.run_once().await.unwrap();
        }
        learned(&world, |delayed| delayed.iter().any(redstream_core::Message::is_repeat)).await;
        all_due(&world).await;
        for consumer in [&search, &cache] {
            consumer.run_once().await.unwrap();
        }
        let (searched, cached) = (in_search.len(), in_cache.len());

        let txn = world.db.begin().await.unwrap();
        for n in 1..=3 {
            with_key(n, "Ulm").insert(&txn).await.unwrap();
        }
        txn.commit().await.unwrap();
        assert_eq!(world.delay().await, ids(1..=3), "for the cache");
        // A change whose main message was never written.
        world.redstream.producer().delay(world.cities().name(), &id(4)).await.unwrap();
        all_due(&world).await;
        for consumer in [&search, &cache] {
            consumer.run_once().await.unwrap();
        }
        assert_eq!((in_search.len() - searched, in_cache.len() - cached), (4, 7));
        assert_eq!(in_search.payloads()[searched..], ids(1..=4));
        for consumer in ["search", "cache"] {
            assert_eq!(world.cities().lag(consumer).await.unwrap(), 0);
        }
    }

    async fn if_no_consumer_wants_the_second_message_there_is_none(db: TestDb) {
        let world = World::new(&db).await;
        let seen = Recorder::default();
        let search = world.cities().consumer("search", seen.clone()).skip_repeats(true);
        search.run_once().await.unwrap();
        learned(&world, <[_]>::is_empty).await;
        search.run_once().await.unwrap();
        let (before, delayed) = (seen.len(), world.delay().await.len());
        renamed(&city::Model { id: 1001, name: String::new() }, "Roma").update(&world.db).await.unwrap();
        assert_eq!(world.delay().await.len(), delayed);
        search.run_once().await.unwrap();
        assert_eq!(seen.len() - before, 1);
        // A consumer that takes it back.
        world.cities().consumer("search", seen.clone()).run_once().await.unwrap();
        assert!(!world.cities().skips_repeats().await.unwrap());
    }
}

#[tokio::test]
async fn delay_messages_that_were_sent_again_go_too() {
    let db = crate::support::TestDb::sqlite().await;
    let world = World::new(&db).await;
    let removing = world.db.to_builder().remove_delay_messages(true).resend_after(Duration::ZERO).build();
    let txn = removing.begin().await.unwrap();
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
    let removing = world.db.to_builder().remove_delay_messages(true).build();
    let rome = city::ActiveModel { id: Unchanged(100), name: Set("Rome".to_owned()) };
    rome.update(&removing).await.unwrap();
    // Not even one that is not due yet.
    let moved = world.cities().delayer(Duration::from_secs(300)).run_once().await.unwrap();
    assert!(matches!(moved, Some(Moved { due: 0, queued: 0, next: None })), "{moved:?}");
    let seen = Recorder::default();
    world.cities().consumer("search", seen.clone()).run_once().await.unwrap();
    eventually(SOON, "the change", async || seen.len() == 1).await;
}
