//! Bulk operations that fail, or are refused: rolled back, not announced, and the error says why.

use std::time::Instant;

use redstream_seaorm::{Bulk, BulkError, BulkExt, Error};
use sea_orm::sea_query::Expr;
use sea_orm::{DbErr, EntityTrait, TransactionTrait};

use super::{NONE, assert_not_insured, fill, world_of};
use crate::seaorm::city;
use crate::seaorm::world::{World, ids};
use crate::support::*;

on_each_database! {
    async fn a_closure_that_fails_is_rolled_back_and_its_error_returned(test: TestDb) {
        let world = world_of(&test, 3).await;
        let found = city::Entity::find().all(&world.db).await.unwrap();
        let failed: Result<(), DbErr> = world.db.producer().bulk(&world.db, &found, async |txn| {
            city::Entity::delete_many().exec(txn).await?;
            Err(DbErr::Custom("not on a Monday".to_owned()))
        }).await;
        assert_eq!(failed.unwrap_err(), DbErr::Custom("not on a Monday".to_owned()));
        assert_eq!(world.keys_of("old").await, [1, 2, 3]);
        world.nothing_is_announced().await;
    }

    async fn a_batch_that_fails_is_rolled_back_and_those_before_it_stay(test: TestDb) {
        let world = world_of(&test, 10).await;
        let failed = Bulk::<city::Entity>::new().batch_size(2).update_many(&world.db, |update| {
            // A name is not null, and the fifth would be.
            update.col_expr(city::Column::Name, Expr::cust("CASE WHEN id = 5 THEN NULL ELSE 'new' END"))
        });
        assert_of_the_database(&failed.await.unwrap_err(), "null");
        assert_eq!(world.keys_of("new").await, [1, 2, 3, 4]);
        world.nothing_is_announced_but(1..=4).await;
    }

    async fn a_closure_that_fails_after_half_announces_neither_half(test: TestDb) {
        let world = world_of(&test, 6).await;
        let found = city::Entity::find().all(&world.db).await.unwrap();
        let failed: Result<(), DbErr> = world.db.producer().bulk(&world.db, &found, async |txn| {
            for city in &found[..3] {
                city::Entity::delete_by_id(city.id).exec(txn).await?;
            }
            Err(DbErr::Custom("enough".to_owned()))
        }).await;
        assert_eq!(failed.unwrap_err(), DbErr::Custom("enough".to_owned()));
        assert_eq!(world.keys_of("old").await, [1, 2, 3, 4, 5, 6]);
        world.nothing_is_announced().await;
    }

    async fn within_an_open_transaction_the_batches_before_the_failed_one_are_as_the_transaction(test: TestDb) {
        let world = world_of(&test, 10).await;
        for commits in [false, true] {
            let txn = world.db.begin().await.unwrap();
            let failed = Bulk::<city::Entity>::new().batch_size(2).update_many(&txn, |update| {
                update.col_expr(city::Column::Name, Expr::cust("CASE WHEN id = 5 THEN NULL ELSE 'new' END"))
            });
            assert_of_the_database(&failed.await.unwrap_err(), "null");
            if commits {
                txn.commit().await.unwrap();
            } else {
                txn.rollback().await.unwrap();
                assert_eq!(world.keys_of("new").await, NONE);
                assert_eq!(world.main().await, ids([]));
            }
        }
        assert_eq!(world.keys_of("new").await, [1, 2, 3, 4]);
        world.nothing_is_announced_but(1..=4).await;
    }

    async fn without_redis_nothing_is_written(test: TestDb) {
        let mut redis = private_redis().await;
        let world = fill(World::at(&test, &redis.url()).await, 20).await;
        let found = city::Entity::find().all(&world.db).await.unwrap();
        redis.kill().unwrap();

        let started = Instant::now();
        let deleted = world.db.producer().bulk(&world.db, &found, async |txn| {
            city::Entity::delete_many().exec(txn).await
        });
        assert_not_insured(started, deleted.await);
        let started = Instant::now();
        let deleted = Bulk::<city::Entity>::new().batch_size(10).delete_many(&world.db);
        assert_not_insured(started, deleted.await);

        let txn = world.db.begin().await.unwrap();
        let started = Instant::now();
        let deleted = Bulk::<city::Entity>::new().batch_size(10).delete_many(&txn).await;
        assert_not_insured(started, match deleted {
            Ok(_) => txn.commit().await,
            Err(error) => Err(error),
        });

        assert_eq!(world.keys_of("old").await, (1..=20).collect::<Vec<i64>>());
        redis.restart().unwrap();
        world.nothing_is_announced().await;
    }

    async fn a_redis_that_hangs_is_given_up(test: TestDb) {
        let redis = private_redis().await;
        let world = fill(World::at(&test, &redis.url()).await, 20).await;
        redis.pause().unwrap();
        let started = Instant::now();
        let bulk = Bulk::<city::Entity>::new().batch_size(5);
        assert_not_insured(started, bulk.delete_many(&world.db).await);
        redis.resume().unwrap();
        assert_eq!(world.keys_of("old").await, (1..=20).collect::<Vec<i64>>());
        assert_eq!(world.main().await, ids([]));
    }
}

#[tokio::test]
async fn the_producer_of_another_handle_is_refused() {
    let test = TestDb::sqlite().await;
    let world = world_of(&test, 2).await;
    let other = redstream().await;
    let found = city::Entity::find().all(&world.db).await.unwrap();
    let txn = world.db.begin().await.unwrap();
    let refused = [
        other.producer().bulk(&world.db, &found, async |txn| city::Entity::delete_many().exec(txn).await).await,
        other.producer().bulk(&txn, &found, async |txn| city::Entity::delete_many().exec(txn).await).await,
    ];
    txn.commit().await.unwrap();
    for refused in refused {
        assert_carries!(refused.unwrap_err(), Error::OtherRedis);
    }
    assert_eq!(world.keys_of("old").await, [1, 2]);
    assert_eq!(world.delay().await, ids([]));
}

#[tokio::test]
async fn a_connection_that_is_not_streamed_is_refused() {
    let test = TestDb::sqlite().await;
    let world = world_of(&test, 2).await;
    let found = city::Entity::find().all(&world.plain).await.unwrap();
    let producer = world.redstream.producer();
    let delete = producer.bulk(&world.plain, &found, async |txn| city::Entity::delete_many().exec(txn).await);
    let refused = [delete.await.unwrap_err(), Bulk::<city::Entity>::new().delete_many(&world.plain).await.unwrap_err()];
    for error in refused {
        assert_carries!(error, Error::Untracked { table } if table == "cities");
    }
    assert_eq!(world.keys_of("old").await, [1, 2]);
}

#[tokio::test]
async fn a_batch_of_no_rows_is_refused() {
    let test = TestDb::sqlite().await;
    let world = world_of(&test, 2).await;
    let error = Bulk::<city::Entity>::new().batch_size(0).delete_many(&world.db).await.unwrap_err();
    assert_carries!(error, Error::InvalidOption(redstream_core::Error::InvalidOption { option: "batch_size", .. }));
    assert_eq!(world.keys_of("old").await, [1, 2]);
}

#[tokio::test]
async fn an_update_that_sets_nothing_is_refused() {
    let test = TestDb::sqlite().await;
    let world = world_of(&test, 2).await;
    let error = Bulk::<city::Entity>::new().update_many(&world.db, |update| update).await.unwrap_err();
    assert_carries!(error, BulkError::SetsNothing { table } if table == "cities");
    world.nothing_is_announced().await;
}
