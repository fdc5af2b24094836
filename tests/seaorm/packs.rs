//! The messages of one transaction share entries, and those of several do not share any.

use std::time::Duration;

use redstream_seaorm::MessageId;
use sea_orm::{ActiveModelTrait, TransactionTrait};

use super::city::with_key;
use super::world::{SOON, World, ids};
use crate::support::eventually;
use crate::support::recorder::Recorder;

/// Registers a consumer and the delayer, and writes until the connection knows of them.
async fn with_readers(world: &World) -> Recorder {
    let seen = Recorder::default();
    world.cities().consumer("search", seen.clone()).run_once().await.unwrap();
    world.cities().delayer(Duration::from_secs(300)).run_once().await.unwrap();
    let messages = [1, 2].map(|key| message(world, key));
    world.db.producer().queue_all(&messages).await.unwrap();
    world.cities().consumer("search", seen.clone()).run_once().await.unwrap();
    seen
}

fn message(world: &World, key: i64) -> redstream_core::NewMessage {
    let payload = redstream_core::Payload::encode(&super::world::id(key)).unwrap();
    redstream_core::NewMessage::new(world.cities().name().clone(), payload)
}

on_each_database! {
    async fn a_commit_announces_its_rows_in_one_entry(db: TestDb) {
        let world = World::new(&db).await;
        let seen = with_readers(&world).await;
        let before = world.cities().len().await.unwrap();
        let txn = world.db.begin().await.unwrap();
        for key in 100..150 {
            with_key(key, "Rome").insert(&txn).await.unwrap();
        }
        let written = txn.commit_with_token().await.unwrap();
        assert_eq!(world.cities().len().await.unwrap(), before + 1);
        assert_eq!(world.delay().await, ids(100..150));

        world.cities().consumer("search", seen.clone()).run_once().await.unwrap();
        world.redstream.wait_until_synced("search", &written, SOON).await.unwrap();
        assert_eq!(seen.payloads()[2..], ids(100..150));
    }

    async fn what_another_transaction_insured_is_not_removed(db: TestDb) {
        let world = World::new(&db).await;
        with_readers(&world).await;
        let removing = world.db.to_builder().remove_delay_messages(true).build();
        let other = world.db.begin().await.unwrap();
        with_key(300, "Rome").insert(&other).await.unwrap();
        world.insured(&ids([300])).await;
        other.rollback().await.unwrap();
        let txn = removing.begin().await.unwrap();
        for key in 200..203 {
            with_key(key, "Ulm").insert(&txn).await.unwrap();
        }
        txn.commit().await.unwrap();
        assert_eq!(world.delay().await, ids([300]));
        let announced = world.cities().messages(MessageId::MIN, 100).await.unwrap();
        assert_eq!(announced.len(), 5);
        // The delayer announces what was rolled back, which is read once more.
        let delayer = world.cities().delayer(Duration::from_millis(1));
        eventually(SOON, "the delay messages to be due", async || {
            delayer.run_once().await.unwrap();
            world.cities().delay_len().await.unwrap() == 0
        })
        .await;
        assert_eq!(world.main().await[5..], ids([300]));
    }
}
