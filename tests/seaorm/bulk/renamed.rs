//! Updates that give rows another primary key.

use std::sync::{Arc, Mutex};

use redstream_seaorm::{Bulk, BulkError, BulkExt, Key};
use sea_orm::sea_query::{Alias, Expr, OnConflict};
use sea_orm::{ColumnTrait, ConnectionTrait, DbErr, EntityTrait, ExprTrait, UpdateMany};

use super::{line, sorted, world_of};
use crate::seaorm::city;
use crate::seaorm::world::{World, ids};
use crate::support::*;

fn moved(update: UpdateMany<city::Entity>) -> UpdateMany<city::Entity> {
    update.col_expr(city::Column::Id, Expr::col(city::Column::Id).add(100))
}

/// Whether it was refused, as on a database that does not return the new keys.
fn is_refused<R: std::fmt::Debug>(test: &TestDb, outcome: &Result<R, DbErr>) -> bool {
    if test.backend() == Backend::MariaDb {
        assert_carries!(outcome.as_ref().unwrap_err(), BulkError::RenamedKeys { .. });
        return true;
    }
    assert!(outcome.is_ok(), "{outcome:?}");
    false
}

on_each_database! {
    async fn old_and_new_keys_are_announced(test: TestDb) {
        let world = world_of(&test, 5).await;
        let reports = Arc::new(Mutex::new(Vec::new()));
        let report = reports.clone();
        let bulk = Bulk::<city::Entity>::new().filter(city::Column::Id.gt(2)).batch_size(2);
        let updated = bulk.on_progress(move |rows| report.lock().unwrap().push(rows)).update_many(&world.db, moved).await;
        if is_refused(&test, &updated) {
            assert_eq!(world.keys_of("old").await, [1, 2, 3, 4, 5]);
            return world.nothing_is_announced().await;
        }
        assert_eq!(updated.unwrap(), 3);
        assert_eq!(*reports.lock().unwrap(), [3], "one transaction, or it would meet rows again");
        assert_eq!(world.keys_of("old").await, [1, 2, 103, 104, 105]);
        assert_eq!(sorted(world.delay().await), sorted(ids([3, 4, 5, 103, 104, 105])));
        assert_eq!(sorted(world.main().await), sorted(ids([3, 4, 5, 103, 104, 105])));
    }

    async fn the_keys_column_is_known_in_any_case(test: TestDb) {
        let world = world_of(&test, 1).await;
        let moved = |update: UpdateMany<city::Entity>| update.col_expr(Alias::new("ID"), Expr::value(101));
        let updated = Bulk::<city::Entity>::new().update_many(&world.db, moved).await;
        if test.backend() == Backend::Postgres {
            // For PostgreSQL it is another column, which does not exist.
            updated.unwrap_err();
        } else if !is_refused(&test, &updated) {
            return world.nothing_is_announced_but([1, 101]).await;
        }
        assert_eq!(world.keys_of("old").await, [1]);
        let conflict = OnConflict::column(city::Column::Id).value(Alias::new("ID"), 102).to_owned();
        let upserted = Bulk::<city::Entity>::new().upsert_many(&world.db, [city::with_key(1, "new")], conflict).await;
        assert_carries!(upserted.unwrap_err(), BulkError::ConflictRenames { table } if table == "cities");
        world.nothing_is_announced().await;
    }

    async fn rows_come_back_under_their_new_keys(test: TestDb) {
        let world = world_of(&test, 2).await;
        let updated = Bulk::<city::Entity>::new().update_returning(&world.db, moved).await;
        if test.backend() == Backend::MariaDb {
            updated.unwrap_err();
            return world.nothing_is_announced().await;
        }
        let mut keys: Vec<i64> = updated.unwrap().into_iter().map(|city| city.id).collect();
        keys.sort_unstable();
        assert_eq!(keys, [101, 102]);
        world.nothing_is_announced_but([1, 2, 101, 102]).await;
    }

    async fn one_column_of_a_key_is_enough(test: TestDb) {
        let world = World::new(&test).await;
        let lines = line::fill(&world, 2).await;
        let updated = Bulk::<line::Entity>::new().update_many(&world.db, |update| {
            update.col_expr(line::Column::Number, Expr::col(line::Column::Number).add(10))
        });
        let updated = updated.await;
        if is_refused(&test, &updated) {
            return;
        }
        assert_eq!(updated.unwrap(), 6);
        let mut expected = lines.clone();
        expected.extend(lines.into_iter().map(|mut line| {
            line["number"] = (line["number"].as_i64().unwrap() + 10).into();
            line
        }));
        assert_eq!(sorted(world.payloads("order_lines").await), sorted(expected));
    }

    async fn the_classic_form_names_both_keys(test: TestDb) {
        let world = world_of(&test, 2).await;
        let keys = [2, 102].map(Key::<city::Entity>::new);
        let moved = world.db.producer().bulk_keys(&world.db, keys, async |txn| {
            txn.execute_unprepared("UPDATE cities SET id = 102 WHERE id = 2").await
        });
        assert_eq!(moved.await.unwrap().rows_affected(), 1);
        assert_eq!(world.keys_of("old").await, [1, 102]);
        assert_eq!(world.main().await, ids([2, 102]));
        assert_eq!(city::Entity::find().all(&world.plain).await.unwrap().len(), 2);
    }
}
