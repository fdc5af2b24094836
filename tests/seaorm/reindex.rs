//! `redstream.reindex::<Entity>(&db)`: every row is announced again.

mod during;
mod keys;

use std::sync::{Arc, Mutex};
use std::time::Duration;

use redstream_seaorm::{
    Batch, CancellationToken, EntityStream, Key, RedstreamExt, Reindex, SaveInTransaction, Start, Streamed,
};
use sea_orm::{ColumnTrait, EntityTrait, ModelTrait, QueryFilter, Set, TransactionTrait};
use serde_json::{Value, json};

use super::city;
use super::derive::entities::{author, note, place, stamp};
use super::world::{SOON, World, ids};
use crate::support::{Backend, TestDb};

/// What a consumer named `search` has been given, from the moment of its registration.
#[derive(Clone)]
struct Seen {
    payloads: Arc<Mutex<Vec<Value>>>,
    _stop: Arc<tokio_util::sync::DropGuard>,
}

impl Seen {
    async fn of(stream: &EntityStream) -> Self {
        for stream in stream.streams() {
            stream.register("search", Start::Latest).await.unwrap();
        }
        let payloads = Arc::new(Mutex::new(Vec::new()));
        let seen = payloads.clone();
        let handler = move |batch: Batch| {
            let payloads = batch.messages().iter().map(|message| message.payload().unwrap());
            seen.lock().unwrap().extend(payloads.collect::<Vec<Value>>());
            async { Ok(()) }
        };
        let shutdown = CancellationToken::new();
        let stop = Arc::new(shutdown.clone().drop_guard());
        let consumer = stream.consumer("search", handler);
        tokio::spawn(async move { redstream_seaorm::Worker::run(&consumer, shutdown).await });
        Self { payloads, _stop: stop }
    }

    fn sorted(&self) -> Vec<Value> {
        sorted(self.payloads.lock().unwrap().clone())
    }
}

fn sorted(mut payloads: Vec<Value>) -> Vec<Value> {
    payloads.sort_by_cached_key(Value::to_string);
    payloads
}

/// How many keys it queued.
async fn done<E: Streamed>(reindex: Reindex<'_, E>) -> u64 {
    let running = reindex.run(CancellationToken::new());
    let report = tokio::time::timeout(SOON, running).await.expect("it ends").unwrap();
    assert!(report.is_done() && report.dead_letters == 0, "{report:?}");
    report.queued
}

async fn cities(world: &World, keys: std::ops::RangeInclusive<i64>) {
    let rows = keys.map(|id| city::with_key(id, if id % 2 == 0 { "even" } else { "odd" }));
    city::Entity::insert_many(rows).exec_without_returning(&world.plain).await.unwrap();
}

on_each_database! {
    async fn every_row_is_announced_once_to_a_consumer_that_is_new(db: TestDb) {
        let world = World::new(&db).await;
        cities(&world, 1..=2500).await;
        let seen = Seen::of(&world.redstream.of::<city::Entity>().unwrap()).await;
        let queued = done(world.redstream.reindex::<city::Entity>(&world.plain)).await;
        assert_eq!(queued, 2500);
        assert_eq!(*seen.payloads.lock().unwrap(), ids(1..=2500));
        let record = world.redstream.of::<city::Entity>().unwrap().reindexes().get("cities").await.unwrap().unwrap();
        assert_eq!((record.entity.as_str(), record.filter.as_str(), record.estimate), ("cities", "", 2500));
    }

    async fn only_the_rows_of_a_filter_are_announced(db: TestDb) {
        let world = World::new(&db).await;
        cities(&world, 1..=500).await;
        let seen = Seen::of(&world.redstream.of::<city::Entity>().unwrap()).await;
        let odd = world.redstream.reindex::<city::Entity>(&world.db).filter(city::Column::Name.eq("odd"));
        let queued = done(odd.filter(city::Column::Id.gt(100)).id("odd ones")).await;
        assert_eq!(queued, 200);
        assert_eq!(*seen.payloads.lock().unwrap(), ids((101..=500).step_by(2)));
        let record = world.redstream.of::<city::Entity>().unwrap().reindexes().get("odd ones").await.unwrap().unwrap();
        assert_eq!(record.estimate, 200);
        assert!(record.filter.contains("odd") && record.filter.contains("100"), "{}", record.filter);
    }

    async fn the_rows_of_a_selection_are_announced_once_though_it_joins(db: TestDb) {
        let world = World::new(&db).await;
        world.create(author::Entity).await;
        world.create(note::Entity).await;
        let authors = (1..=30).map(|id| author::ActiveModel { id: Set(id), name: Set("Ann".to_owned()) });
        author::Entity::insert_many(authors).exec_without_returning(&world.plain).await.unwrap();
        // Notes of every third author, several to each.
        let note = |id: i32| note::ActiveModel { id: Set(id), text: Set("…".to_owned()), author_id: Set(3 * (id % 10 + 1)) };
        note::Entity::insert_many((1..=40).map(note)).exec_without_returning(&world.plain).await.unwrap();
        let seen = Seen::of(&world.redstream.of::<author::Entity>().unwrap()).await;
        let with_notes = author::Entity::find().inner_join(note::Entity).filter(author::Column::Id.lt(20));
        done(world.redstream.reindex::<author::Entity>(&world.plain).select(with_notes)).await;
        let expected: Vec<Value> = [3, 6, 9, 12, 15, 18].map(|id| json!({ "id": id })).to_vec();
        assert_eq!(*seen.payloads.lock().unwrap(), expected);
    }

    async fn messages_are_those_of_saves_in_their_streams_and_shards(db: TestDb) {
        let world = World::new(&db).await;
        world.create(place::Entity).await;
        world.create(stamp::Entity).await;
        // Saves make the messages that are expected.
        let place = place::ActiveModel { id: Set(7), name: Set("Here".to_owned()) }.insert_tx(&world.db).await.unwrap();
        for id in 1..=20 {
            stamp::ActiveModel { id: Set(id), value: Set(1) }.insert_tx(&world.db).await.unwrap();
        }
        let places = world.redstream.of::<place::Entity>().unwrap();
        let stamps = world.redstream.of::<stamp::Entity>().unwrap();
        let (here, sent) = (Seen::of(&places).await, Seen::of(&stamps).await);
        done(world.redstream.reindex::<place::Entity>(&world.plain)).await;
        done(world.redstream.reindex::<stamp::Entity>(&world.plain)).await;
        assert_eq!(here.sorted(), [json!({ "kind": "place", "id": 7 })]);
        assert_eq!(sent.sorted(), sorted((1..=20).map(|id| json!({ "id": id })).collect()));
        for stream in places.streams().iter().chain(stamps.streams()) {
            let messages = stream.messages(redstream_seaorm::MessageId::MIN, 100).await.unwrap();
            let (saved, queued) = messages.split_at(messages.len() / 2);
            let raw = |messages: &[redstream_seaorm::Message]| {
                let mut raw: Vec<_> = messages.iter().map(|message| message.raw().to_vec()).collect();
                raw.sort_unstable();
                raw
            };
            assert_eq!(raw(saved), raw(queued), "byte for byte, in {}", stream.name());
        }
        place.delete(&world.db).await.unwrap();
        assert_eq!(stamps.reindexes().list().await.unwrap().len(), 1);
    }

    async fn a_transaction_is_read_as_well(db: TestDb) {
        let world = World::new(&db).await;
        cities(&world, 1..=250).await;
        let seen = Seen::of(&world.redstream.of::<city::Entity>().unwrap()).await;
        let txn = world.db.begin().await.unwrap();
        done(world.redstream.reindex::<city::Entity>(&txn).ranges(3)).await;
        txn.rollback().await.unwrap();
        assert_eq!(seen.sorted(), sorted(ids(1..=250)));
    }

    async fn a_list_of_keys_is_queued_and_waited_for(db: TestDb) {
        let world = World::new(&db).await;
        let seen = Seen::of(&world.redstream.of::<city::Entity>().unwrap()).await;
        let keys = [5, 3, 5].map(Key::<city::Entity>::new);
        let token = world.redstream.reindex_keys(keys).await.unwrap();
        world.redstream.wait_until_synced("search", &token, SOON).await.unwrap();
        assert_eq!(*seen.payloads.lock().unwrap(), ids([5, 3, 5]));
        assert!(world.redstream.reindex_keys(Vec::<Key<city::Entity>>::new()).await.unwrap().is_empty());
    }
}

#[tokio::test]
async fn a_table_that_cannot_be_read_is_an_error_with_its_cause() {
    let db = TestDb::sqlite().await;
    let world = World::new(&db).await;
    let _seen = Seen::of(&world.redstream.of::<place::Entity>().unwrap()).await;
    let reindex = world.redstream.reindex::<place::Entity>(&world.plain);
    let error = reindex.run(CancellationToken::new()).await.unwrap_err();
    assert!(matches!(&error, redstream_seaorm::core::Error::KeySource { id, .. } if id == "places"), "{error}");
    let cause = std::error::Error::source(&error).unwrap().to_string();
    assert!(cause.contains("no such table"), "{cause}");
}

#[tokio::test]
async fn a_reindex_runs_in_a_task() {
    let db = TestDb::new(Backend::Sqlite).await;
    let world = World::new(&db).await;
    cities(&world, 1..=10).await;
    let seen = Seen::of(&world.redstream.of::<city::Entity>().unwrap()).await;
    let (redstream, streamed) = (world.redstream.clone(), world.db.clone());
    let task = tokio::spawn(async move {
        let reindex = redstream.reindex::<city::Entity>(&streamed).target(Duration::from_millis(50));
        reindex
            .lock_ttl(Duration::from_secs(2))
            .on_progress(|progress| println!("{progress}"))
            .run(CancellationToken::new())
            .await
    });
    assert!(tokio::time::timeout(SOON, task).await.unwrap().unwrap().unwrap().is_done());
    assert_eq!(seen.payloads.lock().unwrap().len(), 10);
}
