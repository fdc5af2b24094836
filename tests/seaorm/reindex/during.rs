//! Rows that are written while they are walked, and walks that are dropped.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use redstream_seaorm::{
    Bulk, BulkExt, CancellationToken, Changes, HandlerError, Indexer, Key, RedstreamExt, Sink, Start,
};
use sea_orm::{ActiveModelTrait, ColumnTrait, ConnectionTrait, EntityTrait, ModelTrait};

use super::{Seen, cities};
use crate::seaorm::city;
use crate::seaorm::world::{SOON, World, ids};
use crate::support::{cut, eventually};

/// An index that refuses older versions.
#[derive(Clone, Default)]
struct Index(Arc<Mutex<BTreeMap<i64, String>>>);

impl Sink<city::Entity> for Index {
    async fn write(&self, changes: Changes<city::Entity>) -> Result<(), HandlerError> {
        let mut index = self.0.lock().unwrap();
        for key in changes.deletes {
            index.remove(&key.value());
        }
        index.extend(changes.upserts.into_iter().map(|(_, city)| (city.id, city.name)));
        Ok(())
    }
}

on_each_database! {
    async fn rows_that_are_inserted_moved_and_deleted_meanwhile_end_in_the_index_as_they_are(db: TestDb) {
        let world = World::new(&db).await;
        cities(&world, 1..=1000).await;
        let stream = world.cities();
        stream.register("search", Start::Latest).await.unwrap();
        let index = Index::default();
        // As it was: a row that has gone is deleted meanwhile, so that it is announced.
        index.0.lock().unwrap().insert(900, "old".to_owned());
        let walk = async {
            let reindex = world.redstream.reindex::<city::Entity>(&world.plain);
            reindex.run(CancellationToken::new()).await.unwrap()
        };
        let writes = async {
            eventually(SOON, "two chunks", async || stream.len().await.unwrap() == 2).await;
            // Behind the walk, and before it.
            for id in [0, 2000] {
                city::with_key(id, "new").insert(&world.db).await.unwrap();
            }
            for id in [10, 990] {
                let row = world.row(id).await.unwrap();
                city::renamed(&row, "renamed").update(&world.db).await.unwrap();
            }
            for id in [20, 900] {
                world.row(id).await.unwrap().delete(&world.db).await.unwrap();
            }
            // From before the walk to behind it, and the other way round.
            for (old, new) in [(800, -5), (30, 3000)] {
                let keys = [old, new].map(Key::<city::Entity>::new);
                let sql = format!("UPDATE cities SET id = {new} WHERE id = {old}");
                world.redstream.producer().bulk_keys(&world.db, keys, async |txn| txn.execute_unprepared(&sql).await).await.unwrap();
            }
            Bulk::<city::Entity>::new().filter(city::Column::Id.between(500, 520)).delete_many(&world.db).await.unwrap();
            let consumer = stream.consumer("search", Indexer::new(world.plain.clone(), index.clone()));
            let shutdown = CancellationToken::new();
            let stop = shutdown.clone().drop_guard();
            tokio::spawn(async move { consumer.run(shutdown).await });
            stop
        };
        let (report, _stop) = Box::pin(tokio::time::timeout(SOON, async { tokio::join!(walk, writes) })).await.unwrap();
        assert!(report.is_done(), "{report:?}");
        eventually(SOON, "the changes", async || stream.lag("search").await.unwrap() == 0).await;
        let rows = city::Entity::find().all(&world.plain).await.unwrap();
        let rows: BTreeMap<i64, String> = rows.into_iter().map(|city| (city.id, city.name)).collect();
        assert_eq!(rows.len(), 1000 + 2 - 2 - 21);
        assert_eq!(*index.0.lock().unwrap(), rows);
    }

    async fn a_walk_that_is_dropped_at_any_point_is_continued(db: TestDb) {
        let world = World::new(&db).await;
        cities(&world, 1..=1500).await;
        let seen = Seen::of(&world.redstream.of::<city::Entity>().unwrap()).await;
        for pending in (1..400).step_by(3) {
            let reindex = world.redstream.reindex::<city::Entity>(&world.plain).ranges(3);
            let running = reindex.lock_ttl(Duration::from_millis(500)).run(CancellationToken::new());
            if let Some(report) = cut(running, pending).await {
                assert!(report.unwrap().is_done());
                assert!(pending > 3, "it was dropped a few times");
                let mut payloads = seen.payloads.lock().unwrap().clone();
                payloads.sort_by_key(|payload| payload["id"].as_i64());
                payloads.dedup();
                assert_eq!(payloads, ids(1..=1500));
                return;
            }
        }
        panic!("it never came to its end");
    }
}
