//! Sinks that could not write some records, or reported that they have a newer one.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use redstream_seaorm::{
    Batch, CancellationToken, Changes, Failures, Handler, HandlerError, Indexer, Key, MessageId, Progress, Sink, Start,
    Stream,
};
use sea_orm::{ActiveModelTrait, DatabaseConnection};

use super::super::city::{self, renamed};
use super::super::world::{SOON, World, id};
use crate::support::{cause, eventually};

/// Records the messages of each call.
struct Watched<H> {
    handler: H,
    calls: Arc<Mutex<Vec<Vec<MessageId>>>>,
}

#[async_trait]
impl<H: Handler> Handler for Watched<H> {
    async fn handle(&self, batch: Batch) -> Result<(), HandlerError> {
        let ids = batch.messages().iter().map(redstream_seaorm::core::Message::id).collect();
        self.calls.lock().unwrap().push(ids);
        self.handler.handle(batch).await
    }
}

/// Refuses the record 2 the first time.
#[derive(Clone, Default)]
struct Choosy {
    written: Arc<Mutex<Vec<Vec<i64>>>>,
}

impl Sink<city::Entity> for Choosy {
    async fn write(&self, changes: Changes<city::Entity>) -> Result<(), HandlerError> {
        let mut written: Vec<i64> = changes.upserts.iter().map(|(_, city)| city.id).collect();
        written.extend(changes.deletes.iter().map(Key::value));
        written.sort_unstable();
        let mut failures = Failures::new();
        if self.written.lock().unwrap().is_empty() && written.contains(&2) {
            failures.failed(Key::<city::Entity>::new(2), "the name is too long");
        }
        self.written.lock().unwrap().push(written);
        failures.into_result()
    }
}

/// A datastore with versions: accepts equal ones, refuses older ones. Rows are renamed whenever it refuses.
#[derive(Clone)]
struct Versioned {
    records: Arc<Mutex<BTreeMap<i64, (String, u64)>>>,
    writes: Arc<Mutex<Vec<(usize, u64)>>>,
    tells_its_version: bool,
    primary: DatabaseConnection,
}

impl Versioned {
    fn new(world: &World, tells_its_version: bool) -> Self {
        let primary = world.plain.clone();
        Self { records: Arc::default(), writes: Arc::default(), tells_its_version, primary }
    }

    fn has(&self, id: i64) -> (String, u64) {
        self.records.lock().unwrap()[&id].clone()
    }
}

impl Sink<city::Entity> for Versioned {
    async fn write(&self, changes: Changes<city::Entity>) -> Result<(), HandlerError> {
        self.writes.lock().unwrap().push((changes.len(), changes.version));
        let mut failures = Failures::new();
        for (key, city) in changes.upserts {
            let known = self.records.lock().unwrap().get(&city.id).map(|(_, version)| *version);
            match known {
                Some(known) if known > changes.version => {
                    if self.tells_its_version {
                        failures.outdated_by(key, known);
                    } else {
                        failures.outdated(key);
                    }
                    let name = sea_orm::Set(format!("{} again", city.name));
                    city::Entity::update_row(&self.primary, city.id, name).await?;
                }
                _ => _ = self.records.lock().unwrap().insert(city.id, (city.name, changes.version)),
            }
        }
        failures.into_result()
    }
}

impl city::Entity {
    /// Not announced.
    async fn update_row(
        db: &DatabaseConnection,
        id: i64,
        name: sea_orm::ActiveValue<String>,
    ) -> Result<(), sea_orm::DbErr> {
        let row = city::ActiveModel { id: sea_orm::Unchanged(id), name };
        sea_orm::EntityTrait::update(row).exec(db).await.map(drop)
    }
}

async fn queue(world: &World, keys: impl IntoIterator<Item = i64>) -> Vec<MessageId> {
    let mut ids = Vec::new();
    for key in keys {
        ids.push(world.redstream.producer().queue(world.cities().name(), &id(key)).await.unwrap());
    }
    ids
}

/// Runs a consumer until it has committed all messages.
async fn run_all(cities: &Stream, handler: impl Handler) {
    let consumer = cities.consumer("search", handler).backoff(Duration::from_millis(1), Duration::from_millis(1));
    let stop = CancellationToken::new();
    let running = tokio::spawn({
        let stop = stop.clone();
        async move { consumer.run(stop).await }
    });
    eventually(SOON, "the whole stream", async || cities.lag("search").await.unwrap() == 0).await;
    stop.cancel();
    running.await.unwrap().unwrap();
}

on_each_database! {
    async fn only_the_messages_that_name_a_failed_record_come_again(db: TestDb) {
        let world = World::new(&db).await;
        for key in 1..=2 {
            world.existing(key, "Rome").await;
        }
        // 3 has no row: a delete.
        let ids = queue(&world, [1, 2, 3, 2]).await;
        let (sink, calls) = (Choosy::default(), Arc::default());
        let indexer = Indexer::new(world.plain.clone(), sink.clone());
        run_all(&world.cities(), Watched { handler: indexer, calls: Arc::clone(&calls) }).await;
        assert_eq!(*sink.written.lock().unwrap(), [vec![1, 2, 3], vec![2]]);
        assert_eq!(*calls.lock().unwrap(), [ids.clone(), vec![ids[1], ids[3]]]);
        assert_eq!(world.cities().dead_letters("search").unwrap().count().await.unwrap(), 0);
    }

    async fn a_record_refused_by_a_higher_version_is_read_again_and_written_by_a_newer_one(db: TestDb) {
        let world = World::new(&db).await;
        for key in 1..=2 {
            world.existing(key, "Rome").await;
        }
        let ahead = 4_000_000_000_000_000;
        let store = Versioned::new(&world, true);
        store.records.lock().unwrap().insert(2, ("from the future".to_owned(), ahead));
        queue(&world, [1, 2]).await;
        let consumer = world.cities().consumer("search", Indexer::new(world.plain.clone(), store.clone()));
        assert_eq!(consumer.run_once().await.unwrap(), Progress::Handled(2));

        let (name, version) = store.has(2);
        assert_eq!(name, "Rome again", "it was read after the refusal");
        assert!(version > ahead, "{version}");
        let writes = store.writes.lock().unwrap().clone();
        assert_eq!(writes.iter().map(|(records, _)| *records).collect::<Vec<_>>(), [2, 1]);

        renamed(&world.row(1).await.unwrap(), "Oslo").update(&world.db).await.unwrap();
        assert_eq!(consumer.run_once().await.unwrap(), Progress::Handled(1));
        assert!(store.has(1).1 > version, "versions go on from there");
    }

    async fn a_record_that_is_refused_again_and_again_fails_after_three_writes(db: TestDb) {
        let world = World::new(&db).await;
        for key in 1..=2 {
            world.existing(key, "Rome").await;
        }
        let store = Versioned::new(&world, false);
        store.records.lock().unwrap().insert(2, ("from the future".to_owned(), 4_000_000_000_000_000));
        queue(&world, [1, 2]).await;
        let consumer = world.cities().consumer("search", Indexer::new(world.plain.clone(), store.clone()));
        let error = consumer.run_once().await.unwrap_err();
        let Some(refused) = cause::<Failures<city::Entity>>(&error) else { panic!("{error:?}") };
        let told = refused.to_string();
        assert_eq!(told, r#"the record {"id":2} was not written: the datastore has a higher version"#);
        let writes = store.writes.lock().unwrap().clone();
        assert_eq!(writes.iter().map(|(records, _)| *records).collect::<Vec<_>>(), [2, 1, 1]);
        assert!(writes.is_sorted_by(|a, b| a.1 < b.1), "{writes:?}");
        assert_eq!(store.has(1).0, "Rome");
    }

    async fn a_former_owner_whose_write_is_refused_does_not_write_again(db: TestDb) {
        /// Another process acquires the lock while it writes.
        struct Overtaken(Stream, Arc<Mutex<usize>>);
        impl Sink<city::Entity> for Overtaken {
            async fn write(&self, changes: Changes<city::Entity>) -> Result<(), HandlerError> {
                *self.1.lock().unwrap() += 1;
                self.0.rewind("search", Start::Earliest).await?;
                let mut failures = Failures::<city::Entity>::new();
                changes.upserts.into_iter().for_each(|(key, _)| failures.outdated(key));
                failures.into_result()
            }
        }
        let world = World::new(&db).await;
        world.existing(1, "Rome").await;
        queue(&world, [1]).await;
        let writes = Arc::default();
        let sink = Overtaken(world.cities(), Arc::clone(&writes));
        let error = world.cities().consumer("search", Indexer::new(world.plain.clone(), sink)).run_once().await.unwrap_err();
        let key = world.cities().lock("search", SOON).unwrap().key().to_owned();
        let lost = cause(&error);
        assert!(matches!(lost, Some(redstream_core::Error::LockLost { lock }) if *lock == key), "{error:?}");
        assert_eq!(*writes.lock().unwrap(), 1);
    }
}
