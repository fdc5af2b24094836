//! What an application may forget or misspell, and how this is reported.

use std::time::Duration;

use redstream_core::{Progress, Start};
use redstream_seaorm::testing::{Capture, run_until_idle};
use redstream_seaorm::{
    Batch, BatchExt, Bulk, BypassGuard, Changes, HandlerError, Indexer, Insurance, Key, RedstreamExt,
    SaveInTransaction, Sink, StreamedConnection, Supervisor, TokenExt, outbox,
};
use sea_orm::{ActiveModelTrait, TransactionTrait};
use serde_json::json;

use super::city::{self, with_key};
use super::derive::entities::{line, parcel, stamp};
use super::world::{SOON, World, id};
use crate::support::recorder::Recorder;
use crate::support::{Logs, TestDb, eventually, redstream};

/// The time until a warning.
const SHORT: Duration = Duration::from_millis(100);

const UNWRITTEN: &str = "no message was ever written to this stream";

#[tokio::test]
async fn a_consumer_of_a_stream_that_no_entity_writes_is_warned_of() {
    let (logs, redstream) = (Logs::capture(), redstream().await);
    let misspelt = redstream.stream("citis").unwrap().consumer("search", async |_: Batch| Ok(()));
    let warned = async {
        let pieces =
            ["WARN", UNWRITTEN, "did you mean `cities`?", "stream=citis", "search", "redstream.of::<Entity>()"];
        eventually(SOON, "the warning", async || logs.has(&pieces)).await;
    };
    Supervisor::new().with(misspelt).run_until(warned).await.unwrap();
}

#[tokio::test]
async fn a_consumer_of_an_entitys_stream_and_one_of_a_stream_with_messages_are_not() {
    let (logs, redstream) = (Logs::capture(), redstream().await);
    let foreign = redstream.stream("somebody-elses").unwrap();
    redstream.producer().queue(foreign.name(), &id(1)).await.unwrap();
    let cities = redstream.of::<city::Entity>().unwrap();
    let stamps = redstream.of::<stamp::Entity>().unwrap();
    let (seen, handler) = (Recorder::default(), async |_: Batch| Ok(()));
    let at_work = async || {
        seen.len() == 1
            && logs.has(&["lock taken: at work", "consumer search of cities"])
            && logs.has(&["lock taken: at work", "consumer search of stamps"])
    };
    Supervisor::new()
        .with(foreign.consumer("search", seen.clone()))
        .with(cities.consumer("search", handler))
        .with(stamps.consumer("search", handler))
        .run_until(eventually(SOON, "all at work", at_work))
        .await
        .unwrap();
    assert!(!logs.has(&[UNWRITTEN]), "{}", logs.text());
}

struct Nowhere;

impl Sink<city::Entity> for Nowhere {
    async fn write(&self, _: Changes<city::Entity>) -> Result<(), HandlerError> {
        Ok(())
    }
}

#[tokio::test]
async fn an_indexer_that_reads_another_entitys_stream_is_warned_of_once() {
    let db = TestDb::sqlite().await;
    let (world, logs) = (World::new(&db).await, Logs::capture());
    let parcels = world.redstream.of::<parcel::Entity>().unwrap();
    let parcels = &parcels.streams()[0];
    let indexer = parcels.consumer("search", Indexer::<city::Entity, _, _>::new(world.plain.clone(), Nowhere));
    for key in [1, 2] {
        world.redstream.producer().queue(parcels.name(), &id(key)).await.unwrap();
        assert_eq!(indexer.run_once().await.unwrap(), Progress::Handled(1));
    }
    let warnings = logs.text().lines().filter(|line| line.contains("the stream of another entity")).count();
    assert_eq!(warnings, 1, "{}", logs.text());
    assert!(logs.has(&["WARN", "keys of `cities`", parcels.name().as_str()]), "{}", logs.text());
}

on_each_database! {
    async fn a_writer_waits_for_one_entity_of_a_transaction_that_wrote_several(test: TestDb) {
        let world = World::new(&test).await;
        world.create(line::Entity).await;
        world.create(parcel::Entity).await;
        let txn = world.db.begin().await.unwrap();
        with_key(1, "Ulm").insert(&txn).await.unwrap();
        let line = line::Model { order_id: 1, code: "a".to_owned(), amount: 1 };
        Bulk::<line::Entity>::new().insert_many(&txn, [line]).await.unwrap();
        parcel::parcel(21).insert(&txn).await.unwrap();
        let written = txn.commit_with_token().await.unwrap();

        // Of the stream of lines there is a consumer, which never runs.
        for stream in world.redstream.of::<line::Entity>().unwrap().streams() {
            stream.register("search", redstream_seaorm::Start::Earliest).await.unwrap();
        }
        for stream in [world.redstream.of::<city::Entity>(), world.redstream.of::<parcel::Entity>()] {
            for stream in stream.unwrap().streams() {
                stream.consumer("search", async |_: Batch| Ok(())).run_once().await.unwrap();
            }
        }
        let cities = written.of::<city::Entity>();
        assert!(!cities.is_empty() && cities != written);
        world.redstream.wait_until_synced("search", &cities, SOON).await.unwrap();
        let parcels = written.of::<parcel::Entity>();
        assert!(!parcels.is_empty());
        world.redstream.wait_until_synced("search", &parcels, SOON).await.unwrap();
        let lines = written.of::<line::Entity>();
        let error = world.redstream.wait_until_synced("search", &lines, Duration::from_millis(50)).await.unwrap_err();
        assert!(matches!(error, redstream_core::Error::NotSynced { .. }), "{error:?}");
    }
}

const UNREAD: &str = "no consumer is registered with it";

#[tokio::test]
async fn a_stream_that_is_written_and_has_no_consumer_is_warned_of_once() {
    let test = TestDb::sqlite().await;
    let (world, logs) = (World::new(&test).await, Logs::capture());
    let db = world.db.to_builder().warn_forgotten(SHORT).build();
    for key in [1, 2] {
        with_key(key, "Ulm").insert(&db).await.unwrap();
    }
    eventually(SOON, "the warning", async || logs.has(&["WARN", UNREAD, "stream=cities"])).await;
    with_key(3, "Ulm").insert(&db).await.unwrap();
    assert_eq!(logs.text().matches(UNREAD).count(), 1, "{}", logs.text());
}

#[tokio::test]
async fn a_stream_that_has_a_consumer_is_not() {
    let test = TestDb::sqlite().await;
    let (world, logs) = (World::new(&test).await, Logs::capture());
    world.create(parcel::Entity).await;
    world.cities().register("search", Start::Earliest).await.unwrap();
    let db = world.db.to_builder().warn_forgotten(SHORT).build();
    with_key(1, "Ulm").insert(&db).await.unwrap();
    // It is reported for a stream that is written later and has none.
    parcel::parcel(1).insert_tx(&db).await.unwrap();
    eventually(SOON, "the warning", async || logs.has(&["WARN", UNREAD])).await;
    assert!(!logs.has(&[UNREAD, "stream=cities"]), "{}", logs.text());
}

#[tokio::test]
async fn an_outbox_that_no_relay_of_this_program_empties_is_warned_of_once() {
    let test = TestDb::sqlite().await;
    let (world, logs) = (World::new(&test).await, Logs::capture());
    outbox::create_table(&world.plain).await.unwrap();
    let pieces = ["WARN", "redstream_outbox", "has made no relay"];
    let with = world.db.to_builder().insurance(Insurance::Outbox).warn_forgotten(SHORT).build();
    let _relay = with.relay();
    with_key(1, "Ulm").insert(&with.to_builder().guard(BypassGuard::Warn).build()).await.unwrap();

    // Its warning would come later.
    let without = StreamedConnection::new(world.plain.clone(), world.redstream.producer());
    let without = without.to_builder().insurance(Insurance::Outbox).warn_forgotten(SHORT).build();
    for key in [2, 3] {
        with_key(key, "Ulm").insert(&without).await.unwrap();
    }
    eventually(SOON, "the warning", async || logs.has(&pieces)).await;
    assert_eq!(logs.text().matches("has made no relay").count(), 1, "{}", logs.text());
}

/// That it compiles is the test: `?` converts each error into the caller's.
#[tokio::test]
async fn the_errors_of_a_capture_are_converted_by_a_question_mark() -> Result<(), Box<dyn std::error::Error>> {
    async fn anyhow(capture: &Capture) -> anyhow::Result<()> {
        assert_eq!(capture.delayed().await?, Vec::<serde_json::Value>::new());
        assert_eq!(capture.insured(Vec::new()).await?, None);
        Ok(())
    }
    let redstream = redstream().await;
    let capture = Capture::of::<city::Entity>(&redstream).await?;
    assert_eq!(capture.main().await?, Vec::<serde_json::Value>::new());
    assert_eq!(capture.streamed(Vec::new()).await?, None);
    anyhow(&capture).await?;
    Ok(())
}

#[tokio::test]
async fn the_workers_of_an_entity_run_inline_whole_or_in_shards() {
    let db = TestDb::sqlite().await;
    let world = World::new(&db).await;
    world.create(parcel::Entity).await;
    let db: &StreamedConnection = &world.db;
    with_key(1, "Ulm").insert_tx(db).await.unwrap();
    for key in 1..=10 {
        parcel::parcel(key).insert_tx(db).await.unwrap();
    }
    let (cities, parcels) =
        (world.redstream.of::<city::Entity>().unwrap(), world.redstream.of::<parcel::Entity>().unwrap());
    let (seen_cities, seen_parcels) = (Recorder::default(), Recorder::default());
    let city_workers =
        (cities.consumer("search", seen_cities.clone()), cities.delayer(Duration::from_millis(1)), cities.trimmer());
    let parcel_workers = (
        parcels.consumer("search", seen_parcels.clone()),
        parcels.delayer(Duration::from_millis(1)),
        parcels.trimmer(),
    );
    run_until_idle(&[
        &city_workers.0,
        &city_workers.1,
        &city_workers.2,
        &parcel_workers.0,
        &parcel_workers.1,
        &parcel_workers.2,
    ])
    .await
    .unwrap();
    // Each for its main message and its delay message.
    assert_eq!((seen_cities.len(), seen_parcels.len()), (2, 20));
}

#[tokio::test]
async fn a_batch_gives_keys_and_a_key_is_read_from_json() {
    let redstream = redstream().await;
    let lines = redstream.of::<line::Entity>().unwrap().streams()[0].clone();
    let keys = [(1, "a"), (2, "b"), (1, "a")].map(|(order, code)| Key::<line::Entity>::new((order, code.to_owned())));
    for key in &keys {
        let written = serde_json::to_value(key).unwrap();
        assert_eq!(written, key.to_json());
        redstream.producer().queue(lines.name(), key).await.unwrap();
    }
    let expected = keys.clone();
    let consumer = lines.consumer("search", move |batch: Batch| {
        let expected = expected.clone();
        async move {
            let found: Vec<_> = batch.keys::<line::Entity>().collect::<Result<_, _>>()?;
            assert_eq!(found, expected);
            let payloads: Vec<Key<line::Entity>> = batch.payloads().collect::<Result<_, _>>()?;
            assert_eq!(payloads, expected);
            Ok(())
        }
    });
    assert_eq!(consumer.run_once().await.unwrap(), Progress::Handled(3));

    let error = serde_json::from_value::<Key<line::Entity>>(json!({ "order_id": 1 })).unwrap_err();
    assert!(error.is_data() && error.to_string().contains("column `code` is missing"), "{error}");
}
