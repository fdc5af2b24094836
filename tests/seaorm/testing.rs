//! The testing kit, used as an application's tests would use it.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use redstream_seaorm::testing::{
    self, Capture, Unfinished, assert_insured, assert_nothing_streamed, assert_streamed, at_once, run_until_idle,
};
use redstream_seaorm::{
    Batch, Changes, HandlerError, Indexer, Insurance, Key, Redstream, SaveInTransaction, Sink, StreamedConnection,
    Touch,
};
use sea_orm::{ActiveModelTrait, ConnectionTrait, ModelTrait, Schema, TransactionTrait};
use serde_json::json;

use super::city::{self, named, with_key};
use super::world::{World, id};
use crate::support::{TestDb, redis_url};

#[derive(Clone, Default)]
struct SearchIndex(Arc<Mutex<Vec<String>>>);

impl SearchIndex {
    fn names(&self) -> Vec<String> {
        self.0.lock().unwrap().clone()
    }
}

impl Sink<city::Entity> for SearchIndex {
    async fn write(&self, changes: Changes<city::Entity>) -> Result<(), HandlerError> {
        self.0.lock().unwrap().extend(changes.upserts.into_iter().map(|(_, city)| city.name));
        Ok(())
    }
}

/// As in the module's documentation.
#[tokio::test]
async fn a_test_of_an_application_needs_no_sleep() -> Result<(), Box<dyn std::error::Error>> {
    let test_db = TestDb::sqlite().await;
    let plain = test_db.connection();
    plain.execute(&Schema::new(plain.get_database_backend()).create_table_from_entity(city::Entity)).await?;
    let redstream = testing::connect(redis_url()).await?;
    let db = StreamedConnection::new(plain, redstream.producer());
    let capture = Capture::of::<city::Entity>(&redstream).await?;

    let txn = db.begin().await?;
    named("Ulm").insert(&txn).await?;
    txn.rollback().await?;
    assert_nothing_streamed!(capture);

    let ulm = named("Ulm").insert_tx(&db).await?;
    assert_streamed!(capture, [&ulm]);

    let index = SearchIndex::default();
    let indexer = redstream.stream("cities")?.consumer("search", Indexer::new(db, index.clone()));
    let ran = run_until_idle(&[&indexer]).await?;
    assert_eq!((ran.messages, ran.turns), (1, 1));
    assert_eq!(index.names(), ["Ulm"]);
    Ok(())
}

#[tokio::test]
async fn rows_keys_and_payloads_are_expected_in_any_order_and_any_mixture() {
    let db = TestDb::sqlite().await;
    let world = World::new(&db).await;
    let capture = Capture::of::<city::Entity>(&world.redstream).await.unwrap();
    let txn = world.db.begin().await.unwrap();
    let mut rows = Vec::new();
    for key in 1..=3 {
        rows.push(with_key(key, "Rome").insert(&txn).await.unwrap());
    }
    txn.commit().await.unwrap();
    assert_streamed!(capture, [&rows[2], Key::<city::Entity>::new(1), json!({ "id": 2 })]);
    assert_streamed!(capture, &rows);
    assert_insured!(capture, &rows);
    let twice = [1, 2, 3, 3].map(Key::<city::Entity>::new);
    world.redstream.producer().queue(world.cities().name(), &id(3)).await.unwrap();
    assert_streamed!(capture, twice);
}

#[tokio::test]
async fn a_difference_names_what_is_missing_and_what_was_not_expected() {
    let db = TestDb::sqlite().await;
    let world = World::new(&db).await;
    with_key(1, "before").insert_tx(&world.db).await.unwrap();
    let mut capture = Capture::of::<city::Entity>(&world.redstream).await.unwrap();
    for key in [2, 3] {
        with_key(key, "Rome").insert_tx(&world.db).await.unwrap();
    }
    let difference = capture.streamed(vec![id(3), id(4)]).await.unwrap().unwrap();
    assert_eq!(
        difference.to_string(),
        "the main messages of cities are not those expected:\n  missing: {\"id\":4}\n  unexpected: {\"id\":2}\n  as expected: {\"id\":3}"
    );
    assert_eq!((difference.missing(), difference.unexpected()), (&[id(4).to_string()][..], &[id(2).to_string()][..]));
    assert!(capture.insured(vec![id(2)]).await.unwrap().is_some());
    assert!(capture.streamed(vec![]).await.unwrap().is_some());

    capture.restart().await.unwrap();
    assert_nothing_streamed!(capture);
    assert_insured!(capture, []);
}

#[tokio::test]
#[should_panic(expected = "missing: {\"id\":7}")]
async fn an_assertion_that_does_not_hold_panics_with_the_difference() {
    let db = TestDb::sqlite().await;
    let world = World::new(&db).await;
    let capture = Capture::of::<city::Entity>(&world.redstream).await.unwrap();
    assert_streamed!(capture, [Key::<city::Entity>::new(7)]);
}

#[tokio::test]
#[should_panic(expected = "unexpected: {\"id\":7}")]
async fn nothing_is_not_something() {
    let db = TestDb::sqlite().await;
    let world = World::new(&db).await;
    let capture = Capture::of::<city::Entity>(&world.redstream).await.unwrap();
    with_key(7, "Rome").insert_tx(&world.db).await.unwrap();
    assert_nothing_streamed!(capture);
}

mod parcel {
    use redstream_seaorm::Streamed;
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel, Streamed)]
    #[sea_orm(table_name = "parcels")]
    #[streamed(shards = 3)]
    pub(super) struct Model {
        #[sea_orm(primary_key)]
        pub(super) id: i64,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub(super) enum Relation {}
}

#[tokio::test]
async fn a_sharded_entity_is_captured_in_all_its_shards() {
    let db = TestDb::sqlite().await;
    let world = World::new(&db).await;
    world.create(parcel::Entity).await;
    let capture = Capture::of::<parcel::Entity>(&world.redstream).await.unwrap();
    let parcels: Vec<_> = (1..=20).map(|id| parcel::Model { id }).collect();
    let txn = world.db.begin().await.unwrap();
    for parcel in &parcels {
        parcel.touch(&txn).await.unwrap();
    }
    txn.commit().await.unwrap();
    assert_streamed!(capture, &parcels);
}

#[tokio::test]
async fn shards_are_captured_together() {
    let redstream = testing::connect(redis_url()).await.unwrap();
    let shards = redstream.shards("products", 4).unwrap();
    let capture = Capture::shards(&shards).await.unwrap();
    for key in 0..20 {
        shards.queue(&id(key)).await.unwrap();
    }
    shards.delay(&id(1)).await.unwrap();
    assert_streamed!(capture, (0..20).map(id));
    assert_insured!(capture, [id(1)]);
}

#[tokio::test]
async fn delay_messages_wait_for_their_time_unless_the_test_is_impatient() {
    let db = TestDb::sqlite().await;
    let world = World::new(&db).await;
    let (cities, index) = (world.cities(), SearchIndex::default());
    let indexer = cities.consumer("search", Indexer::new(world.plain.clone(), index.clone()));
    world.existing(1, "Rome").await;
    world.redstream.producer().delay(cities.name(), &id(1)).await.unwrap();

    let patient = cities.delayer(Duration::from_secs(300));
    assert_eq!(run_until_idle(&[&indexer, &patient]).await.unwrap().messages, 0);
    assert_eq!(index.names(), [""; 0]);

    let ran = run_until_idle(&[&indexer, &at_once(&cities), &cities.trimmer()]).await.unwrap();
    assert_eq!((ran.messages, index.names()), (2, vec!["Rome".to_owned()]));
    assert_eq!(cities.len().await.unwrap(), 0, "the trimmer had its turn");
}

#[tokio::test]
async fn a_relay_runs_inline_too() {
    let db = TestDb::sqlite().await;
    let world = World::new(&db).await;
    redstream_seaorm::outbox::create_table(&world.plain).await.unwrap();
    let outbox = StreamedConnection::builder(world.plain.clone(), world.redstream.producer())
        .insurance(Insurance::Outbox)
        .build();
    let index = SearchIndex::default();
    let indexer = world.cities().consumer("search", Indexer::new(world.plain.clone(), index.clone()));
    named("Rome").insert_tx(&outbox).await.unwrap();
    run_until_idle(&[&outbox.relay(), &indexer]).await.unwrap();
    assert_eq!(index.names(), ["Rome"]);
}

async fn failed(redstream: &Redstream) -> Unfinished {
    let cities = redstream.stream("cities").unwrap();
    redstream.producer().queue(cities.name(), &id(1)).await.unwrap();
    let consumer = cities.consumer("search", async |_: Batch| Err("no such index".into()));
    run_until_idle(&[&consumer]).await.unwrap_err()
}

#[tokio::test]
async fn a_handler_that_fails_workers_elsewhere_and_circles_are_told() {
    let redstream = testing::connect(redis_url()).await.unwrap();
    let error = failed(&redstream).await;
    assert_eq!(error.to_string(), "consumer search of cities failed");
    let Unfinished::Failed { source, .. } = error else { panic!("{error:?}") };
    assert_eq!(source.source().unwrap().to_string(), "no such index");

    let cities = redstream.stream("cities").unwrap();
    let consumer = cities.consumer("search", async |_: Batch| Ok(()));
    let guard = cities.lock("search", Duration::from_secs(5)).unwrap().try_acquire().await.unwrap();
    let error = run_until_idle(&[&consumer]).await.unwrap_err();
    assert!(matches!(error, Unfinished::Elsewhere { .. }), "{error:?}");
    guard.unwrap().release().await.unwrap();

    let circle = cities.consumer("circle", {
        let (producer, name) = (redstream.producer(), cities.name().clone());
        move |_: Batch| {
            let (producer, name) = (producer.clone(), name.clone());
            async move { Ok(producer.queue(&name, &id(1)).await.map(drop)?) }
        }
    });
    let error = run_until_idle(&[&circle]).await.unwrap_err();
    assert!(matches!(error, Unfinished::Restless { messages: 1000.. }), "{error:?}");
}

#[tokio::test]
async fn a_deleted_row_is_expected_by_its_model() {
    let db = TestDb::sqlite().await;
    let world = World::new(&db).await;
    let rome = world.existing(1, "Rome").await;
    let capture = Capture::start(&world.cities()).await.unwrap();
    rome.clone().delete(&world.db).await.unwrap();
    assert_streamed!(capture, [&rome]);
    assert_eq!(capture.main().await.unwrap(), [id(1)]);
}
