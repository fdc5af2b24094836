//! Keys that a database orders in one way and compares in another.

use redstream_seaorm::{Bulk, BulkError};
use sea_orm::sea_query::Expr;
use sea_orm::{ActiveModelTrait, Set};
use serde_json::{Value, json};

use super::town;
use crate::seaorm::world::World;
use crate::support::*;

mod opening {
    use redstream_seaorm::Streamed;
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel, Streamed)]
    #[sea_orm(table_name = "openings")]
    pub(super) struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub(super) at: Time,
        pub(super) size: i32,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub(super) enum Relation {}
}

mod vintage {
    use redstream_seaorm::Streamed;
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel, Streamed)]
    #[sea_orm(table_name = "vintages")]
    pub(super) struct Model {
        #[sea_orm(primary_key, auto_increment = false, column_type = "Year")]
        pub(super) year: u16,
        pub(super) size: i32,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub(super) enum Relation {}
}

/// The towns that are announced by updates of all towns, batch by batch.
async fn walked(world: &World) -> Vec<Vec<Value>> {
    let mut walked = Vec::new();
    for batch in 1..=3 {
        let before = world.payloads("towns").await.len();
        let all = Bulk::<town::Entity>::new().batch_size(batch);
        let updated = all.update_many(&world.db, |update| update.col_expr(town::Column::Size, Expr::value(7))).await;
        assert_eq!(updated.unwrap(), 3, "{batch} a batch");
        walked.push(world.payloads("towns").await[before..].to_vec());
    }
    walked
}

#[tokio::test]
async fn an_enum_of_mariadb_is_walked_in_the_order_in_which_it_is_compared() {
    let test = TestDb::new(Backend::MariaDb).await;
    let world = World::new(&test).await;
    world.run("CREATE TABLE towns (name ENUM('c', 'a', 'b') PRIMARY KEY, size INT NOT NULL)").await;
    world.run("INSERT INTO towns (name, size) VALUES ('a', 1), ('b', 1), ('c', 1)").await;
    let all: Vec<_> = ["a", "b", "c"].map(|name| json!({ "name": name })).to_vec();
    assert_eq!(walked(&world).await, [all.clone(), all.clone(), all.clone()]);
    let deleted = Bulk::<town::Entity>::new().batch_size(2).delete_many(&world.db).await;
    assert_eq!(deleted.unwrap(), 3);
}

#[tokio::test]
async fn a_citext_of_postgres_is_walked_in_the_order_in_which_it_is_compared() {
    let test = TestDb::new(Backend::Postgres).await;
    let world = World::new(&test).await;
    world.run("CREATE EXTENSION citext").await;
    world.run("CREATE TABLE towns (name citext COLLATE \"C\" PRIMARY KEY, size INT NOT NULL)").await;
    world.run("INSERT INTO towns (name, size) VALUES ('a', 1), ('B', 1), ('c', 1)").await;
    let all: Vec<_> = ["B", "a", "c"].map(|name| json!({ "name": name })).to_vec();
    assert_eq!(walked(&world).await, [all.clone(), all.clone(), all]);
}

#[tokio::test]
async fn a_time_beyond_midnight_is_refused_on_postgres() {
    let test = TestDb::new(Backend::Postgres).await;
    let world = World::new(&test).await;
    world.run("CREATE TABLE openings (at TIME PRIMARY KEY, size INT NOT NULL)").await;
    world.run("INSERT INTO openings VALUES ('00:00', 1), ('12:00', 1)").await;
    let update = async |batch| {
        let all = Bulk::<opening::Entity>::new().batch_size(batch);
        all.update_many(&world.db, |update| update.col_expr(opening::Column::Size, Expr::value(7))).await
    };
    assert_eq!(update(1).await.unwrap(), 2, "midnight alone is known");
    world.run("INSERT INTO openings VALUES ('24:00', 1)").await;
    for batch in [1, 2, 3] {
        let refused = update(batch).await.unwrap_err();
        assert_carries!(refused, BulkError::TimeBeyondMidnight { table } if table == "openings");
    }
    let refused = Bulk::<opening::Entity>::new().delete_returning(&world.db).await.unwrap_err();
    assert_carries!(refused, BulkError::TimeBeyondMidnight { table } if table == "openings");
}

#[tokio::test]
async fn a_year_of_two_digits_is_refused_or_announced_as_it_is_on_mariadb() {
    let test = TestDb::new(Backend::MariaDb).await;
    let world = World::new(&test).await;
    world.run("CREATE TABLE vintages (year YEAR PRIMARY KEY, size INT NOT NULL)").await;
    let vintage = |year| vintage::ActiveModel { year: Set(year), size: Set(1) };
    let inserted = vintage(26).insert(&world.db).await;
    let announced = world.payloads("vintages").await;
    assert!(!announced.contains(&json!({ "year": 26 })), "{inserted:?}: {announced:?}");
    vintage(2027).insert(&world.db).await.unwrap();
    assert!(world.payloads("vintages").await.contains(&json!({ "year": 2027 })));
}
