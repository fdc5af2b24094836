//! `shards = number` and `generation = number`: where the messages of an entity go, and which workers read them.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use redstream_seaorm::core::{Payload, Shards};
use redstream_seaorm::{Batch, Bulk, EntityStream, Key, Redstream, RedstreamExt, Start, Streamed, Supervisor};
use sea_orm::{ActiveModelTrait, ModelTrait, TransactionTrait};
use serde_json::{Value, json};

use super::entities::{author, parcel, stamp};
use crate::seaorm::world::{SOON, World};
use crate::support::{TestDb, eventually, redstream};

fn told(keys: impl IntoIterator<Item = i32>) -> Vec<Value> {
    keys.into_iter().map(|id| json!({ "id": id })).collect()
}

fn shards<E: Streamed>(redstream: &Redstream) -> Shards {
    match redstream.of::<E>().unwrap() {
        EntityStream::Sharded(shards) => shards,
        EntityStream::Whole(stream) => panic!("{stream:?} is whole"),
    }
}

on_each_database! {
    async fn messages_go_to_the_shard_of_their_payload(db: TestDb) {
        let world = World::new(&db).await;
        world.create(parcel::Entity).await;
        let parcels = (1..=20).map(|id| parcel::Model { id, weight: 1 });
        Bulk::<parcel::Entity>::new().insert_many(&world.db, parcels).await.unwrap();
        let txn = world.db.begin().await.unwrap();
        let parcel = parcel::parcel(21).insert(&txn).await.unwrap();
        txn.commit().await.unwrap();
        parcel.delete(&world.db).await.unwrap();

        let shards = shards::<parcel::Entity>(&world.redstream);
        assert_eq!(shards.count(), 4);
        let mut found = 0;
        for (number, stream) in (0..).zip(shards.streams()) {
            assert_eq!(stream.name().as_str(), format!("parcels.2-{number}"));
            let payloads = world.payloads(stream.name().as_str()).await;
            assert_eq!(world.payloads(&format!("{}.delay", stream.name())).await, payloads);
            for payload in &payloads {
                assert_eq!(shards.shard_of(&Payload::encode(payload).unwrap()), number);
            }
            found += payloads.len();
        }
        assert_eq!(found, 22);
    }
}

#[tokio::test]
async fn workers_are_those_of_all_shards() {
    let db = TestDb::sqlite().await;
    let world = World::new(&db).await;
    world.create(stamp::Entity).await;
    let stamps = world.redstream.of::<stamp::Entity>().unwrap();
    assert_eq!(stamps.streams().len(), 3);
    let models = (1..=30).map(|id| stamp::Model { id, value: 1 });
    Bulk::<stamp::Entity>::new().insert_many(&world.db, models).await.unwrap();

    let seen = Arc::new(Mutex::new(Vec::new()));
    let handler = {
        let seen = seen.clone();
        move |batch: Batch| {
            let payloads: Vec<Value> = batch.messages().iter().map(|message| message.payload().unwrap()).collect();
            seen.lock().unwrap().extend(payloads);
            async { Ok(()) }
        }
    };
    let all = eventually(SOON, "every stamp", async || seen.lock().unwrap().len() == 30);
    Supervisor::new()
        .with(stamps.consumer("search", handler).each(|consumer| consumer.batch_size(4).start(Start::Earliest)))
        .with(stamps.delayer(Duration::from_secs(300)))
        .with(stamps.trimmer())
        .run_until(all)
        .await
        .unwrap();
    let mut seen = seen.lock().unwrap().clone();
    seen.sort_by_key(|payload| payload["id"].as_i64());
    assert_eq!(seen, told(1..=30));
}

#[tokio::test]
async fn a_whole_stream_has_the_same_workers() {
    let redstream = redstream().await;
    let authors = redstream.of::<author::Entity>().unwrap();
    assert!(matches!(&authors, EntityStream::Whole(stream) if stream.name().as_str() == "authors"), "{authors:?}");
    redstream.producer().queue(authors.streams()[0].name(), &json!({ "id": 1 })).await.unwrap();
    let seen = Arc::new(Mutex::new(0));
    let count = seen.clone();
    let handler = move |batch: Batch| {
        *count.lock().unwrap() += batch.len();
        async { Ok(()) }
    };
    let all = eventually(SOON, "the message", async || *seen.lock().unwrap() == 1);
    let workers = Supervisor::new().with(authors.consumer("search", handler)).with(authors.trimmer());
    workers.with(authors.delayer(Duration::from_secs(300))).run_until(all).await.unwrap();
}

#[test]
fn what_the_model_says_is_what_the_entity_says() {
    assert_eq!((parcel::Entity::shards(), parcel::Entity::generation()), (Some(4), 2));
    assert_eq!((stamp::Entity::shards(), stamp::Entity::generation()), (Some(3), 1));
    assert_eq!((author::Entity::shards(), author::Entity::generation()), (None, 1));
    assert_eq!(Key::<parcel::Entity>::new(1).to_json(), json!({ "id": 1 }));
}
