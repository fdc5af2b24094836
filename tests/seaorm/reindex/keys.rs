//! Keys of every shape, and ranges of keys.

use redstream_seaorm::core::Error;
use redstream_seaorm::{CancellationToken, RedstreamExt, Streamed};
use sea_orm::{ActiveModelTrait, EntityTrait, IntoActiveModel};
use serde_json::{Value, json};
use uuid::Uuid;

use super::{Seen, done, sorted};
use crate::seaorm::derive::entities::line;
use crate::seaorm::world::World;
use crate::seaorm::{city, world::ids};
use crate::support::TestDb;

mod ticket {
    use redstream_seaorm::Streamed;
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel, Streamed)]
    #[sea_orm(table_name = "tickets")]
    pub(super) struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub(super) id: Uuid,
        pub(super) seat: i32,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub(super) enum Relation {}
}

mod word {
    use redstream_seaorm::Streamed;
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel, Streamed)]
    #[sea_orm(table_name = "words")]
    pub(super) struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub(super) text: String,
        pub(super) uses: i32,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub(super) enum Relation {}
}

/// Inserts the rows past the hooks, walks their table in so many ranges, and returns what was announced, sorted.
async fn walked<E>(world: &World, entity: E, rows: Vec<E::Model>, ranges: u32) -> Vec<Value>
where
    E: Streamed,
    E::Model: IntoActiveModel<E::ActiveModel>,
{
    world.create(entity).await;
    let rows: Vec<E::ActiveModel> = rows.into_iter().map(|row| row.into_active_model().reset_all()).collect();
    E::insert_many(rows).exec_without_returning(&world.plain).await.unwrap();
    let seen = Seen::of(&world.redstream.of::<E>().unwrap()).await;
    done(world.redstream.reindex::<E>(&world.plain).ranges(ranges)).await;
    seen.sorted()
}

fn tickets(from: u128, to: u128, count: u128) -> Vec<ticket::Model> {
    (0..count).map(|nth| ticket::Model { id: Uuid::from_u128(from + (to - from) / count * nth), seat: 1 }).collect()
}

on_each_database! {
    async fn keys_of_two_columns_are_walked(db: TestDb) {
        let world = World::new(&db).await;
        let line = |order_id: i32, code: &str| line::Model { order_id, code: code.to_owned(), amount: 1 };
        let rows: Vec<_> = (-50..50).flat_map(|order| ["a", "B", "ü"].map(|code| line(order, code))).collect();
        let expected = rows.iter().map(|row| json!({ "order_id": row.order_id, "code": row.code })).collect();
        assert_eq!(walked(&world, line::Entity, rows, 1).await, sorted(expected));
    }

    async fn keys_of_text_are_walked(db: TestDb) {
        let world = World::new(&db).await;
        let texts = ["", "A", "b", "ö", "Ω", "ß", "it's", "a\"b", "100%", "日本"].map(str::to_owned);
        let texts: Vec<String> = texts.into_iter().chain((0..300).map(|nth| format!("word {nth}"))).collect();
        let rows = texts.iter().map(|text| word::Model { text: text.clone(), uses: 1 }).collect();
        let expected = texts.iter().map(|text| json!({ "text": text })).collect();
        assert_eq!(walked(&world, word::Entity, rows, 1).await, sorted(expected));
    }

    async fn integers_are_split_into_ranges(db: TestDb) {
        let world = World::new(&db).await;
        // A key of zero is replaced by MariaDB.
        let keys: Vec<i64> = (-300..300).filter(|id| *id != 0).chain([i64::MIN, -(1 << 53) - 1, (1 << 60) + 1, i64::MAX]).collect();
        let rows = keys.iter().map(|id| city::with_key(*id, "Ulm"));
        city::Entity::insert_many(rows).exec_without_returning(&world.plain).await.unwrap();
        let seen = Seen::of(&world.redstream.of::<city::Entity>().unwrap()).await;
        for ranges in [1, 2, 7, 16] {
            seen.payloads.lock().unwrap().clear();
            let queued = done(world.redstream.reindex::<city::Entity>(&world.plain).ranges(ranges)).await;
            assert_eq!(queued, 603, "{ranges} ranges");
            let small = seen.payloads.lock().unwrap().iter().filter(|payload| payload["id"].is_i64()).count();
            assert_eq!((small, seen.payloads.lock().unwrap().len()), (599, 603));
            let mut distinct = seen.sorted();
            distinct.dedup();
            assert_eq!(distinct.len(), 603, "each once");
        }
        let records = world.redstream.of::<city::Entity>().unwrap().reindexes().list().await.unwrap();
        assert_eq!(records[0].ranges.len(), 16);
    }

    async fn uuids_are_split_into_ranges(db: TestDb) {
        let world = World::new(&db).await;
        let rows = tickets(0, u128::MAX, 500);
        let expected = rows.iter().map(|row| json!({ "id": row.id.to_string() })).collect();
        assert_eq!(walked(&world, ticket::Entity, rows, 8).await, sorted(expected));
        let records = world.redstream.of::<ticket::Entity>().unwrap().reindexes().list().await.unwrap();
        assert_eq!(records[0].ranges.len(), 8);
        assert_eq!(records[0].queued, 500, "each once: the ranges are in the database's order");
    }

    async fn fewer_keys_than_ranges_are_walked_once(db: TestDb) {
        let world = World::new(&db).await;
        city::Entity::insert_many([city::with_key(3, "Ulm"), city::with_key(4, "Bonn")])
            .exec_without_returning(&world.plain)
            .await
            .unwrap();
        let seen = Seen::of(&world.redstream.of::<city::Entity>().unwrap()).await;
        done(world.redstream.reindex::<city::Entity>(&world.plain).ranges(16)).await;
        assert_eq!(seen.sorted(), ids([3, 4]));
    }
}

async fn refused<E: Streamed>(world: &World, ranges: u32) -> bool {
    let reindex = world.redstream.reindex::<E>(&world.plain).ranges(ranges);
    let refused = reindex.run(CancellationToken::new()).await;
    matches!(refused, Err(Error::InvalidOption { option: "ranges", .. }))
}

#[tokio::test]
async fn keys_that_cannot_be_split_are_refused() {
    let db = TestDb::sqlite().await;
    let world = World::new(&db).await;
    assert!(refused::<line::Entity>(&world, 2).await);
    assert!(refused::<word::Entity>(&world, 2).await);
    assert!(refused::<city::Entity>(&world, 0).await);
    assert!(refused::<city::Entity>(&world, 17).await);
    assert!(!refused::<line::Entity>(&world, 1).await, "one range suits every key");
}
