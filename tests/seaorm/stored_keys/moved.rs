//! Triggers that give a row with an exact key another key, and keys that the database replaces.

use std::time::Duration;

use redstream_seaorm::{Bulk, BulkError, Error, Streamed};
use sea_orm::sea_query::{Expr, OnConflict};
use sea_orm::{ActiveModelTrait, DbErr, Set, TransactionTrait, UpdateMany};
use serde_json::{Value, json};

use crate::seaorm::world::World;
use crate::support::*;

mod item {
    use redstream_seaorm::Streamed;
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel, Streamed)]
    #[sea_orm(table_name = "items")]
    pub(super) struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub(super) id: i32,
        #[sea_orm(unique)]
        pub(super) code: String,
        pub(super) size: i32,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub(super) enum Relation {}
}

mod seat {
    use redstream_seaorm::Streamed;
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel, Streamed)]
    #[sea_orm(table_name = "seats")]
    pub(super) struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub(super) hall: i32,
        #[sea_orm(primary_key, auto_increment = false)]
        pub(super) id: i32,
        pub(super) note: String,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub(super) enum Relation {}
}

fn item(id: i32, code: &str) -> item::ActiveModel {
    item::ActiveModel { id: Set(id), code: Set(code.to_owned()), size: Set(1) }
}

fn seat(hall: i32, id: i32) -> seat::ActiveModel {
    seat::ActiveModel { hall: Set(hall), id: Set(id), note: Set("new".to_owned()) }
}

fn ids(ids: &[i32]) -> Vec<Value> {
    ids.iter().map(|id| json!({ "id": id })).collect()
}

fn sized(update: UpdateMany<item::Entity>) -> UpdateMany<item::Entity> {
    update.col_expr(item::Column::Size, Expr::value(7))
}

async fn sorted(world: &World, stream: &str) -> Vec<Value> {
    let mut found = world.payloads(stream).await;
    found.sort_by_key(|payload| payload["id"].as_i64());
    found
}

/// With a table of items of the keys 1 and 2, to which an update adds `by`.
async fn moving(test: &TestDb, by: i32) -> World {
    let world = World::new(test).await;
    world.create(item::Entity).await;
    world.run("INSERT INTO items (id, code, size) VALUES (1, 'a', 1), (2, 'b', 1)").await;
    let trigger = match test.backend() {
        Backend::Sqlite => format!(
            "CREATE TRIGGER moving AFTER UPDATE OF size ON items BEGIN \
             UPDATE items SET id = new.id + {by} WHERE rowid = new.rowid; END"
        ),
        Backend::Postgres => format!(
            "CREATE FUNCTION moved() RETURNS trigger LANGUAGE plpgsql AS \
             $$ BEGIN NEW.id = NEW.id + {by}; RETURN NEW; END $$; \
             CREATE TRIGGER moving BEFORE UPDATE ON items FOR EACH ROW EXECUTE FUNCTION moved()"
        ),
        Backend::MariaDb => {
            format!("CREATE TRIGGER moving BEFORE UPDATE ON items FOR EACH ROW SET NEW.id = NEW.id + {by}")
        }
    };
    world.run(&trigger).await;
    world
}

on_each_database! {
    async fn a_walk_ends_though_a_trigger_moves_the_rows_forward(test: TestDb) {
        let world = moving(&test, 100).await;
        let updated = Bulk::<item::Entity>::new().batch_size(2).update_many(&world.db, sized);
        let updated = tokio::time::timeout(Duration::from_secs(20), updated).await.expect("it should end");
        assert_eq!(updated.unwrap(), 2);
        if test.backend() == Backend::Postgres {
            assert_eq!(sorted(&world, "items").await, ids(&[1, 2, 101, 102]));
        }
        let single = Bulk::<item::Entity>::new().batch_size(1).update_many(&world.db, sized);
        let single = tokio::time::timeout(Duration::from_secs(20), single).await.expect("it should end");
        assert_eq!(single.unwrap(), 2);
    }
}

#[tokio::test]
async fn rows_that_a_later_batch_would_meet_again_are_refused_on_postgres() {
    let test = TestDb::new(Backend::Postgres).await;
    let world = moving(&test, 5).await;
    world.run("INSERT INTO items (id, code, size) VALUES (20, 'c', 1)").await;
    let refused = Bulk::<item::Entity>::new().batch_size(1).update_many(&world.db, sized).await.unwrap_err();
    assert_carries!(refused, BulkError::MovedKeys { table } if table == "items");
    assert_eq!(world.payloads("items").await, ids(&[]));
}

#[tokio::test]
async fn rows_that_come_back_under_new_keys_are_announced_by_both_on_postgres() {
    let test = TestDb::new(Backend::Postgres).await;
    let world = moving(&test, 100).await;
    let rows = Bulk::<item::Entity>::new().update_returning(&world.db, sized).await.unwrap();
    assert_eq!(rows.len(), 2);
    assert_eq!(sorted(&world, "items").await, ids(&[1, 2, 101, 102]));
    assert_eq!(sorted(&world, "items.delay").await, ids(&[1, 2, 101, 102]));
}

#[tokio::test]
async fn an_upsert_on_another_column_announces_both_keys_on_postgres() {
    for target in [item::Column::Code, item::Column::Id] {
        let test = TestDb::new(Backend::Postgres).await;
        let world = moving(&test, 100).await;
        let on_conflict = OnConflict::column(target).update_column(item::Column::Size).to_owned();
        let models = [item(2, "b"), item(3, "c")];
        Bulk::<item::Entity>::new().upsert_many(&world.db, models, on_conflict).await.unwrap();
        let announced = sorted(&world, "items").await;
        for id in [2, 3, 102] {
            assert!(announced.contains(&json!({ "id": id })), "{id} is not among {announced:?}");
        }
        assert!(sorted(&world, "items.delay").await.contains(&json!({ "id": 2 })));
    }
}

#[tokio::test]
async fn a_zero_that_mariadb_replaces_is_refused() {
    let test = TestDb::new(Backend::MariaDb).await;
    let world = World::new(&test).await;
    world.run("CREATE TABLE seats (hall INT, id INT AUTO_INCREMENT, note VARCHAR(9) NOT NULL, PRIMARY KEY (hall, id), KEY (id))").await;
    world
        .run("CREATE TABLE items (id INT AUTO_INCREMENT PRIMARY KEY, code VARCHAR(9) UNIQUE, size INT NOT NULL)")
        .await;
    let is_refused = |outcome: Result<(), DbErr>| {
        let error = outcome.unwrap_err();
        let is_known = matches!(Error::of(&error), Some(Error::KeyRewritten { .. }))
            || matches!(BulkError::of(&error), Some(BulkError::RewrittenKeys { .. }));
        assert!(is_known, "{error}");
    };
    is_refused(seat(1, 0).insert(&world.db).await.map(drop));
    is_refused(item(0, "a").insert(&world.db).await.map(drop));
    let txn = world.db.begin().await.unwrap();
    is_refused(seat(1, 0).insert(&txn).await.map(drop));
    assert_carries!(txn.commit().await.unwrap_err(), Error::InsertCutOff);
    is_refused(Bulk::<seat::Entity>::new().insert_many(&world.db, [seat(1, 4), seat(1, 0)]).await.map(drop));
    is_refused(Bulk::<item::Entity>::new().insert_many(&world.db, [item(0, "a")]).await.map(drop));
    assert_eq!(world.payloads("seats").await, ids(&[]));
    assert_eq!(world.payloads("items").await, ids(&[]));
    // Not every zero is replaced.
    seat(0, 5).insert(&world.db).await.unwrap();
    assert_eq!(world.payloads(seat::Entity::stream().as_ref()).await, [json!({ "hall": 0, "id": 5 })]);
}

#[tokio::test]
async fn models_of_one_key_in_an_upsert_are_refused_on_mariadb() {
    let test = TestDb::new(Backend::MariaDb).await;
    let world = World::new(&test).await;
    world.create(item::Entity).await;
    world.run("INSERT INTO items (id, code, size) VALUES (1, 'a', 1), (2, 'b', 1)").await;
    let on_conflict = || OnConflict::column(item::Column::Id).update_column(item::Column::Size).to_owned();
    let models = [item(3, "b"), item(3, "c")];
    let refused = Bulk::<item::Entity>::new().upsert_many(&world.db, models, on_conflict()).await.unwrap_err();
    assert_carries!(refused, BulkError::RepeatedKeys { table } if table == "items");
    assert_eq!(world.payloads("items").await, ids(&[]));
    Bulk::<item::Entity>::new().upsert_many(&world.db, [item(3, "c"), item(4, "d")], on_conflict()).await.unwrap();
    assert_eq!(world.payloads("items").await, ids(&[3, 4]));
}
