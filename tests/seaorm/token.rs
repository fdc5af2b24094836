//! Reading your own writes in a secondary datastore.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use redstream_seaorm::{Changes, HandlerError, Indexer, Sink, Supervisor};
use sea_orm::{ActiveModelTrait, Set, TransactionTrait};

use super::city;
use super::world::World;

#[derive(Clone, Default)]
struct Names(Arc<Mutex<Vec<String>>>);

impl Sink<city::Entity> for Names {
    async fn write(&self, changes: Changes<city::Entity>) -> Result<(), HandlerError> {
        self.0.lock().unwrap().extend(changes.upserts.into_iter().map(|(_, city)| city.name));
        Ok(())
    }
}

on_each_database! {
    async fn a_writer_can_wait_until_its_commit_is_in_the_other_store(test: TestDb) {
        let world = World::new(&test).await;
        let names = Names::default();
        let cities = world.redstream.stream("cities").unwrap();
        let indexer = Indexer::new(world.db.clone(), names.clone());
        cities.register("search", redstream_seaorm::Start::Earliest).await.unwrap();
        let story = async {
            let txn = world.db.begin().await.unwrap();
            let inner = txn.begin().await.unwrap();
            let city = city::ActiveModel { name: Set("Ulm".to_owned()), ..Default::default() };
            city.insert(&inner).await.unwrap();
            assert!(inner.commit_with_token().await.unwrap().is_empty(), "a savepoint has nothing to wait for");
            let written = txn.commit_with_token().await.unwrap();
            assert!(!written.is_empty());
            world.redstream.wait_until_synced("search", &written, Duration::from_secs(10)).await.unwrap();
            assert_eq!(*names.0.lock().unwrap(), ["Ulm"]);
        };
        Supervisor::new().with(cities.consumer("search", indexer)).run_until(story).await.unwrap();
    }
}
