//! SQLite lets no other transaction write within a batch: its statement need not return what it wrote, unless it may
//! write other rows than the page, or give them other keys.

use redstream_seaorm::Bulk;
use sea_orm::sea_query::{Alias, Expr};
use sea_orm::{ColumnTrait, ConnectionTrait, EntityTrait, ExprTrait, QueryFilter, UpdateMany};
use serde_json::{Value, json};

use super::{sorted, world_of};
use crate::seaorm::city::{self, with_key};
use crate::seaorm::world::{World, ids};
use crate::support::*;

mod doubled {
    use redstream_seaorm::Streamed;
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, DeriveEntityModel, Streamed)]
    #[sea_orm(table_name = "doubled")]
    pub(super) struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub(super) id: i64,
        pub(super) half: i64,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub(super) enum Relation {}
}

fn to_new(update: UpdateMany<city::Entity>) -> UpdateMany<city::Entity> {
    update.col_expr(city::Column::Name, Expr::value("new"))
}

async fn city_world(count: i64) -> (TestDb, World) {
    let test = TestDb::sqlite().await;
    let world = world_of(&test, count).await;
    (test, world)
}

async fn run(world: &World, sql: &str) {
    world.plain.execute_unprepared(sql).await.unwrap();
}

#[tokio::test]
async fn keys_at_the_ends_of_their_range_are_walked_and_announced() {
    let test = TestDb::sqlite().await;
    let world = World::new(&test).await;
    let exact = (1_i64 << 53) - 1;
    let keys = [i64::MIN, -exact - 1, -exact, -1, 0, 1, exact, exact + 1, i64::MAX];
    let rows = keys.map(|key| with_key(key, "old"));
    city::Entity::insert_many(rows).exec_without_returning(&world.plain).await.unwrap();
    let payload = |key: i64| if key.abs_diff(0) > exact.abs_diff(0) { json!(key.to_string()) } else { json!(key) };
    let expected: Vec<Value> = keys.iter().map(|key| json!({ "id": payload(*key) })).collect();
    for batch in [1, 2, 9, 10] {
        let before = world.main().await.len();
        let updated = Bulk::<city::Entity>::new().batch_size(batch).update_many(&world.db, to_new).await.unwrap();
        assert_eq!(updated, 9);
        assert_eq!(world.main().await[before..], expected, "{batch} a batch");
    }
}

#[tokio::test]
async fn a_filter_that_selects_other_rows_each_time_misses_none() {
    let (_test, world) = city_world(200).await;
    let bulk = Bulk::<city::Entity>::new().filter(Expr::cust("random() > 0")).batch_size(20);
    bulk.update_many(&world.db, to_new).await.unwrap();
    let announced = world.main().await;
    for key in world.keys_of("new").await {
        assert!(announced.contains(&json!({ "id": key })), "{key} is not announced");
    }
}

#[tokio::test]
async fn an_alias_of_the_key_that_is_set_announces_both_keys() {
    let (_test, world) = city_world(3).await;
    let renamed =
        |update: UpdateMany<city::Entity>| update.col_expr(Alias::new("rowid"), Expr::col(city::Column::Id).add(100));
    Bulk::<city::Entity>::new().update_many(&world.db, renamed).await.unwrap();
    assert_eq!(sorted(world.main().await), sorted(ids([1, 2, 3, 101, 102, 103])));
}

#[tokio::test]
async fn a_key_that_is_computed_is_announced_as_it_was_and_as_it_is() {
    let test = TestDb::sqlite().await;
    let world = World::new(&test).await;
    run(&world, "CREATE TABLE doubled (half INTEGER NOT NULL, id INTEGER AS (2 * half) STORED UNIQUE)").await;
    run(&world, "INSERT INTO doubled (half) VALUES (1), (2)").await;
    let add = |update: UpdateMany<doubled::Entity>| {
        update.col_expr(doubled::Column::Half, Expr::col(doubled::Column::Half).add(10))
    };
    Bulk::<doubled::Entity>::new().update_many(&world.db, add).await.unwrap();
    assert_eq!(sorted(world.payloads("doubled").await), sorted(ids([2, 4, 22, 24])));
}

#[tokio::test]
async fn a_view_is_written_as_before() {
    let test = TestDb::sqlite().await;
    let world = World::new(&test).await;
    run(&world, "CREATE TABLE halves (half INTEGER PRIMARY KEY, times INTEGER NOT NULL)").await;
    run(&world, "INSERT INTO halves VALUES (1, 0), (2, 0)").await;
    run(&world, "CREATE VIEW doubled AS SELECT 2 * half AS id, times AS half FROM halves").await;
    let trigger = "CREATE TRIGGER writing INSTEAD OF UPDATE ON doubled BEGIN \
                   UPDATE halves SET times = new.half WHERE half = old.id / 2; END";
    run(&world, trigger).await;
    let set = |update: UpdateMany<doubled::Entity>| update.col_expr(doubled::Column::Half, Expr::value(7));
    Bulk::<doubled::Entity>::new().update_many(&world.db, set).await.unwrap();
    let rows = doubled::Entity::find().all(&world.plain).await.unwrap();
    assert_eq!(rows, [2, 4].map(|id| doubled::Model { id, half: 7 }));
    assert_eq!(world.payloads("doubled").await, ids([2, 4]));
}

#[tokio::test]
async fn a_closure_that_narrows_the_filter_updates_fewer_rows() {
    let (_test, world) = city_world(4).await;
    let narrowed = |update: UpdateMany<city::Entity>| to_new(update).filter(city::Column::Id.gt(2));
    let updated = Bulk::<city::Entity>::new().batch_size(3).update_many(&world.db, narrowed).await.unwrap();
    assert_eq!(updated, 2);
    assert_eq!(world.keys_of("new").await, [3, 4]);
    assert_eq!(world.main().await, ids([1, 2, 3, 4]));
    assert_eq!(Bulk::<city::Entity>::new().delete_many(&world.db).await.unwrap(), 4);
}

#[tokio::test]
async fn a_value_of_another_type_in_the_keys_column_is_the_error_that_it_was() {
    let test = TestDb::sqlite().await;
    let world = World::new(&test).await;
    run(&world, "CREATE TABLE doubled (id BIGINT PRIMARY KEY, half INTEGER NOT NULL)").await;
    run(&world, "INSERT INTO doubled VALUES (1, 1), ('two', 1)").await;
    let set = |update: UpdateMany<doubled::Entity>| update.col_expr(doubled::Column::Half, Expr::value(7));
    Bulk::<doubled::Entity>::new().update_many(&world.db, set).await.unwrap_err();
    assert_eq!(world.payloads("doubled").await, ids([]));
}
