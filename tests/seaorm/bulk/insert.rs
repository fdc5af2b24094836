//! Inserts of many rows: `Bulk::<Entity>::new().insert_many(&db, models)`.

use std::sync::{Arc, Mutex};

use redstream_seaorm::{Bulk, BulkError, Error};
use sea_orm::{EntityTrait, TransactionTrait};
use serde_json::json;

use super::account::{self, account};
use super::{NONE, line, sorted, world_of};
use crate::seaorm::city::{self, named, with_key};
use crate::seaorm::world::{World, ids};
use crate::support::*;

/// The names of the cities, whose keys are the numbers from 1 on.
async fn names(world: &World) -> Vec<String> {
    let mut found = city::Entity::find().all(&world.plain).await.unwrap();
    found.sort_by_key(|city| city.id);
    assert!(found.iter().zip(1..).all(|(city, key)| city.id == key), "{found:?}");
    found.into_iter().map(|city| city.name).collect()
}

on_each_database! {
    async fn rows_with_keys_are_insured_and_announced_in_batches(test: TestDb) {
        let world = World::new(&test).await;
        let reports = Arc::new(Mutex::new(Vec::new()));
        let report = reports.clone();
        let inserted = Bulk::<city::Entity>::new()
            .batch_size(10)
            .on_progress(move |rows| report.lock().unwrap().push(rows))
            .insert_many(&world.db, (1..=25).map(|key| with_key(key, "new")));
        assert_eq!(inserted.await.unwrap(), 25);
        assert_eq!(*reports.lock().unwrap(), [10, 20, 25]);
        assert_eq!(world.keys_of("new").await, (1..=25).collect::<Vec<i64>>());
        assert_eq!(world.delay().await, ids(1..=25));
        assert_eq!(world.main().await, ids(1..=25));
    }

    async fn models_are_inserted_as_they_are(test: TestDb) {
        let world = World::new(&test).await;
        let cities = (1..=3).map(|id| city::Model { id, name: "new".to_owned() });
        assert_eq!(Bulk::<city::Entity>::new().insert_many(&world.db, cities).await.unwrap(), 3);
        assert_eq!(world.keys_of("new").await, [1, 2, 3]);
        assert_eq!(world.main().await, ids(1..=3));
    }

    async fn keys_that_the_database_makes_are_announced(test: TestDb) {
        let world = World::new(&test).await;
        let names_given: Vec<String> = (1..=25).map(|n| format!("city {n}")).collect();
        let bulk = Bulk::<city::Entity>::new().batch_size(10);
        assert_eq!(bulk.insert_many(&world.db, names_given.iter().map(|name| named(name))).await.unwrap(), 25);
        assert_eq!(names(&world).await, names_given);
        assert_eq!(sorted(world.delay().await), sorted(ids(1..=25)));
        assert_eq!(sorted(world.main().await), sorted(ids(1..=25)));
    }

    async fn keys_of_both_kinds_may_be_in_one_batch(test: TestDb) {
        let world = World::new(&test).await;
        let cities = [named("a"), with_key(100, "b"), named("c"), with_key(200, "d")];
        assert_eq!(Bulk::<city::Entity>::new().insert_many(&world.db, cities).await.unwrap(), 4);
        let found = city::Entity::find().all(&world.plain).await.unwrap();
        let mut keys: Vec<i64> = found.iter().map(|city| city.id).collect();
        keys.sort_unstable();
        assert_eq!(keys.len(), 4);
        assert_eq!(world.keys_of("b").await, [100]);
        assert_eq!(world.keys_of("d").await, [200]);
        world.nothing_is_announced_but(keys).await;
    }

    async fn a_key_of_zero_is_announced_as_the_database_takes_it(test: TestDb) {
        let world = World::new(&test).await;
        let inserted = Bulk::<city::Entity>::new().insert_many(&world.db, [with_key(0, "a"), with_key(7, "b")]);
        assert_eq!(inserted.await.unwrap(), 2);
        let keys = [world.keys_of("a").await, world.keys_of("b").await].concat();
        assert_eq!(keys.contains(&0), test.backend() != Backend::MariaDb);
        let mut keys = keys;
        keys.sort_unstable();
        world.nothing_is_announced_but(keys).await;
    }

    async fn keys_of_several_columns_are_insured(test: TestDb) {
        let world = World::new(&test).await;
        world.create(line::Entity).await;
        let lines = (0..500).map(|number| line::Model { number, article: "cup".to_owned(), amount: 1 });
        assert_eq!(Bulk::<line::Entity>::new().batch_size(499).insert_many(&world.db, lines).await.unwrap(), 500);
        let told: Vec<_> = (0..500).map(|number| json!({ "number": number, "article": "cup" })).collect();
        assert_eq!(sorted(world.payloads("order_lines").await), sorted(told.clone()));
        assert_eq!(sorted(world.payloads("order_lines.delay").await), sorted(told));
    }

    async fn a_batch_of_more_values_than_a_statement_takes_is_one_transaction_all_the_same(test: TestDb) {
        let world = World::new(&test).await;
        let bulk = Bulk::<city::Entity>::new().batch_size(40_000);
        assert_eq!(bulk.insert_many(&world.db, (1..=40_000).map(|key| with_key(key, "new"))).await.unwrap(), 40_000);
        assert_eq!(world.count().await, 40_000);
        assert_eq!(world.cities().delay_len().await.unwrap(), 40_000);
        assert_eq!(world.cities().len().await.unwrap(), 40_000);
    }

    async fn a_batch_that_fails_is_rolled_back_and_those_before_it_stay(test: TestDb) {
        let world = world_of(&test, 1).await;
        let cities = [2, 3, 4, 1, 5].map(|key| with_key(key, "new"));
        Bulk::<city::Entity>::new().batch_size(2).insert_many(&world.db, cities).await.unwrap_err();
        assert_eq!(world.keys_of("new").await, [2, 3]);
        world.nothing_is_announced_but([2, 3]).await;
    }

    async fn within_an_open_transaction_it_is_announced_with_it(test: TestDb) {
        let world = World::new(&test).await;
        for commits in [false, true] {
            let txn = world.db.begin().await.unwrap();
            let bulk = Bulk::<city::Entity>::new().batch_size(2);
            assert_eq!(bulk.insert_many(&txn, ["a", "b", "c"].map(named)).await.unwrap(), 3);
            assert_eq!(world.main().await, ids([]));
            if commits {
                txn.commit().await.unwrap();
            } else {
                txn.rollback().await.unwrap();
            }
        }
        let mut keys = Vec::new();
        for name in ["a", "b", "c"] {
            keys.extend(world.keys_of(name).await);
        }
        assert_eq!(keys.len(), 3);
        assert_eq!(sorted(world.main().await), sorted(ids(keys)));
    }

    async fn it_can_run_in_a_task_of_its_own(test: TestDb) {
        let world = World::new(&test).await;
        let db = world.db.clone();
        let running = tokio::spawn(async move {
            Bulk::<city::Entity>::new().batch_size(2).insert_many(&db, ["a", "b", "c"].map(named)).await
        });
        assert_eq!(running.await.unwrap().unwrap(), 3);
        assert_eq!(names(&world).await, ["a", "b", "c"]);
        assert_eq!(world.main().await, ids(1..=3));
    }

    async fn rows_come_back_where_the_database_returns_them(test: TestDb) {
        let world = World::new(&test).await.with_accounts().await;
        let db = world.returning(true);
        let accounts = [account("cem", 3), account("dee", 4)];
        let mut rows = Bulk::<account::Entity>::new().insert_returning(&db, accounts).await.unwrap();
        rows.sort_by_key(|row| row.email.clone());
        let found = rows.iter().map(|row| (row.id, row.email.clone(), row.visits)).collect::<Vec<_>>();
        assert_eq!(found.iter().map(|(_, email, visits)| (&**email, *visits)).collect::<Vec<_>>(), [("cem", 3), ("dee", 4)]);
        let stored = world.accounts().await;
        assert!(found.iter().all(|row| stored.contains(row)), "{stored:?}");
        let told: Vec<_> = rows.iter().map(|row| json!({ "id": row.id })).collect();
        assert_eq!(sorted(world.payloads("accounts").await), sorted(told.clone()));
        assert_eq!(sorted(world.payloads("accounts.delay").await), sorted(told));
    }

    async fn keys_come_back_by_one_statement_where_the_database_returns_them(test: TestDb) {
        let world = World::new(&test).await;
        let db = world.returning(true);
        let inserted = Bulk::<city::Entity>::new().insert_many(&db, ["a", "b", "c"].map(named));
        assert_eq!(inserted.await.unwrap(), 3);
        assert_eq!(sorted(world.main().await), sorted(ids(1..=3)));
        assert_eq!(names(&world).await.len(), 3);
    }

    async fn no_models_are_nothing_to_do(test: TestDb) {
        let world = World::new(&test).await;
        let none: [city::ActiveModel; 0] = [];
        assert_eq!(Bulk::<city::Entity>::new().insert_many(&world.db, none.clone()).await.unwrap(), 0);
        let refused = Bulk::<city::Entity>::new().insert_many(&world.plain, none).await.unwrap_err();
        assert_carries!(refused, Error::Untracked { table } if table == "cities");
        assert_eq!(world.keys_of("new").await, NONE);
        world.nothing_is_announced().await;
    }
}

#[tokio::test]
async fn without_returning_each_key_is_the_last_inserted() {
    let test = TestDb::sqlite().await;
    let world = World::new(&test).await;
    let db = world.returning(false);
    let inserted = Bulk::<city::Entity>::new().batch_size(2).insert_many(&db, ["a", "b", "c"].map(named));
    assert_eq!(inserted.await.unwrap(), 3);
    assert_eq!(names(&world).await, ["a", "b", "c"]);
    assert_eq!(world.main().await, ids(1..=3));
    let refused = Bulk::<city::Entity>::new().insert_returning(&db, [named("d")]).await.unwrap_err();
    assert_carries!(refused, BulkError::NoReturning { table, instead: "insert_many", .. } if table == "cities");
    assert_eq!(world.count().await, 3);
}

#[tokio::test]
async fn an_insert_whose_key_cannot_be_known_is_refused() {
    let test = TestDb::sqlite().await;
    let world = World::new(&test).await;
    world.create(line::Entity).await;
    let line = line::ActiveModel { number: sea_orm::Set(1), ..Default::default() };
    let refused = Bulk::<line::Entity>::new().insert_many(&world.returning(false), [line]).await;
    assert_carries!(refused.unwrap_err(), BulkError::UnknownKey { table } if table == "order_lines");
}

#[tokio::test]
async fn a_filter_is_refused() {
    let test = TestDb::sqlite().await;
    let world = World::new(&test).await;
    let bulk = Bulk::<city::Entity>::new().filter(sea_orm::ColumnTrait::eq(&city::Column::Id, 1));
    let refused = bulk.insert_many(&world.db, [named("a")]).await.unwrap_err();
    assert_carries!(refused, BulkError::FilteredInsert { table } if table == "cities");
    assert_eq!(world.count().await, 0);
}
