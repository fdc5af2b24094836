//! The query form: `Bulk::<Entity>::new().filter(…).update_many(&db, …)`.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use redstream_seaorm::Bulk;
use sea_orm::sea_query::Expr;
use sea_orm::{ColumnTrait, EntityTrait, ExprTrait, QueryFilter, TransactionTrait, UpdateMany};
use tokio::time::timeout;

use super::{line, sorted, world_of};
use crate::seaorm::city;
use crate::seaorm::world::{World, ids};

fn to_new(update: UpdateMany<city::Entity>) -> UpdateMany<city::Entity> {
    update.col_expr(city::Column::Name, Expr::value("new"))
}

/// Collects the reported progress.
fn progress() -> (Arc<Mutex<Vec<u64>>>, impl Fn(u64) + Send + Sync + 'static) {
    let reports = Arc::new(Mutex::new(Vec::new()));
    (reports.clone(), move |rows| reports.lock().unwrap().push(rows))
}

on_each_database! {
    async fn a_thousand_rows_are_updated_in_batches_and_each_is_announced_once(test: TestDb) {
        let world = world_of(&test, 1000).await;
        let (reports, report) = progress();
        let updated = Bulk::<city::Entity>::new().batch_size(100).on_progress(report).update_many(&world.db, to_new).await.unwrap();
        assert_eq!(updated, 1000);
        assert_eq!(*reports.lock().unwrap(), (1..=10).map(|batch| batch * 100).collect::<Vec<u64>>());
        assert_eq!(world.keys_of("new").await, (1..=1000).collect::<Vec<i64>>());
        assert_eq!(world.delay().await, ids(1..=1000));
        assert_eq!(world.main().await, ids(1..=1000));
    }

    async fn an_update_that_makes_its_filter_false_reaches_every_row(test: TestDb) {
        let world = world_of(&test, 25).await;
        world.existing(100, "other").await;
        let old = Bulk::<city::Entity>::new().filter(city::Column::Name.eq("old")).filter(city::Column::Id.ne(7)).batch_size(4);
        assert_eq!(old.update_many(&world.db, to_new).await.unwrap(), 24);
        let expected: Vec<i64> = (1..=25).filter(|key| *key != 7).collect();
        assert_eq!(world.keys_of("new").await, expected);
        assert_eq!(world.name(100).await.as_deref(), Some("other"));
        assert_eq!(world.main().await, ids(expected));
    }

    async fn rows_are_deleted_in_batches(test: TestDb) {
        let world = world_of(&test, 25).await;
        let bulk = Bulk::<city::Entity>::new().filter(city::Column::Id.gt(3)).batch_size(10);
        assert_eq!(bulk.delete_many(&world.db).await.unwrap(), 22);
        assert_eq!(world.keys_of("old").await, [1, 2, 3]);
        assert_eq!(world.delay().await, ids(4..=25));
        assert_eq!(world.main().await, ids(4..=25));
    }

    async fn keys_of_several_columns_are_paged(test: TestDb) {
        let world = World::new(&test).await;
        let mut lines = line::fill(&world, 30).await;
        let bulk = Bulk::<line::Entity>::new().batch_size(7);
        let updated = bulk.update_many(&world.db, |update| {
            update.col_expr(line::Column::Amount, Expr::col(line::Column::Amount).add(1))
        });
        assert_eq!(updated.await.unwrap(), 90);
        let amounts = line::Entity::find().all(&world.plain).await.unwrap().into_iter().map(|line| line.amount);
        assert_eq!(amounts.collect::<Vec<_>>(), [2; 90], "each once");
        assert_eq!(sorted(world.payloads("order_lines").await), sorted(lines.clone()));

        let bulk = Bulk::<line::Entity>::new().filter(line::Column::Article.eq("cup")).batch_size(4);
        assert_eq!(bulk.delete_many(&world.db).await.unwrap(), 30);
        lines.extend(lines.clone().into_iter().filter(|line| line["article"] == "cup"));
        assert_eq!(sorted(world.payloads("order_lines").await), sorted(lines.clone()));
        assert_eq!(sorted(world.payloads("order_lines.delay").await), sorted(lines));
    }

    async fn a_batch_of_more_keys_than_a_statement_takes_is_one_transaction_all_the_same(test: TestDb) {
        let world = world_of(&test, 35_000).await;
        let (reports, report) = progress();
        let bulk = Bulk::<city::Entity>::new().batch_size(70_000).on_progress(report);
        assert_eq!(bulk.update_many(&world.db, to_new).await.unwrap(), 35_000);
        assert_eq!(*reports.lock().unwrap(), [35_000]);
        assert_eq!(world.cities().delay_len().await.unwrap(), 35_000);
        assert_eq!(world.cities().len().await.unwrap(), 35_000);

        let lines = line::fill(&world, 500).await;
        let (reports, report) = progress();
        let bulk = Bulk::<line::Entity>::new().batch_size(1500).on_progress(report);
        assert_eq!(bulk.delete_many(&world.db).await.unwrap(), 1500);
        assert_eq!(*reports.lock().unwrap(), [1500]);
        assert_eq!(sorted(world.payloads("order_lines").await), sorted(lines));
    }

    async fn nothing_found_is_nothing_announced(test: TestDb) {
        let world = world_of(&test, 3).await;
        let (reports, report) = progress();
        let bulk = Bulk::<city::Entity>::new().filter(city::Column::Name.eq("nobody's")).on_progress(report);
        assert_eq!(bulk.update_many(&world.db, to_new).await.unwrap(), 0);
        assert_eq!(*reports.lock().unwrap(), [0; 0]);
        assert_eq!(world.delay().await, ids([]));
        world.nothing_is_announced().await;
    }

    async fn a_row_that_another_transaction_takes_out_of_the_filter_is_left_alone(test: TestDb) {
        let world = world_of(&test, 5).await;
        let other = world.plain.begin().await.unwrap();
        let taken = city::Entity::update_many().col_expr(city::Column::Name, Expr::value("taken"));
        taken.filter(city::Column::Id.eq(3)).exec(&other).await.unwrap();

        let old = Bulk::<city::Entity>::new().filter(city::Column::Name.eq("old")).batch_size(2);
        let running = old.update_many(&world.db, to_new);
        let mut running = std::pin::pin!(running);
        assert!(timeout(Duration::from_millis(100), running.as_mut()).await.is_err(), "it waits for the row");
        other.commit().await.unwrap();
        assert_eq!(running.await.unwrap(), 4);
        assert_eq!(world.name(3).await.as_deref(), Some("taken"));
        assert_eq!(world.main().await, ids([1, 2, 4, 5]));
    }

    async fn a_row_that_another_transaction_brings_into_the_filter_is_insured_and_announced_if_it_is_written(test: TestDb) {
        let world = world_of(&test, 5).await;
        let named = |name: &str| city::Entity::update_many().col_expr(city::Column::Name, Expr::value(name));
        named("other").filter(city::Column::Id.eq(2)).exec(&world.plain).await.unwrap();
        // PostgreSQL finds the second row when it writes, and not when it reads the page and waits for the third.
        let other = world.plain.begin().await.unwrap();
        named("old").filter(city::Column::Id.eq(2)).exec(&other).await.unwrap();
        named("taken").filter(city::Column::Id.eq(3)).exec(&other).await.unwrap();

        let running = Bulk::<city::Entity>::new().filter(city::Column::Name.eq("old")).update_many(&world.db, to_new);
        let mut running = std::pin::pin!(running);
        assert!(timeout(Duration::from_millis(100), running.as_mut()).await.is_err(), "it waits for the row");
        other.commit().await.unwrap();
        assert_eq!(running.await.unwrap(), 4);
        assert_eq!(world.keys_of("new").await, [1, 2, 4, 5]);
        assert_eq!(sorted(world.delay().await), ids([1, 2, 4, 5]));
        assert_eq!(sorted(world.main().await), ids([1, 2, 4, 5]));
    }

    async fn several_at_once_do_not_fail_one_another(test: TestDb) {
        let world = world_of(&test, 100).await;
        let run = |_| {
            let db = world.db.clone();
            tokio::spawn(async move {
                let bulk = Bulk::<city::Entity>::new().filter(city::Column::Name.ne("other")).batch_size(10);
                bulk.update_many(&db, |update| update.col_expr(city::Column::Name, Expr::value("new"))).await
            })
        };
        for running in (0..3).map(run).collect::<Vec<_>>() {
            assert_eq!(running.await.unwrap().unwrap(), 100);
        }
        let mut thrice: Vec<i64> = (1..=100).flat_map(|key| [key; 3]).collect();
        thrice.sort_unstable();
        world.nothing_is_announced_but(thrice).await;
    }
}
