//! Within an open transaction a bulk operation is a savepoint: announced when the outer one commits.

use std::sync::{Arc, Mutex};

use redstream_seaorm::{Bulk, BulkExt};
use sea_orm::sea_query::Expr;
use sea_orm::{ActiveModelTrait, ColumnTrait, DbErr, EntityTrait, QueryFilter, TransactionTrait};

use super::{NONE, world_of};
use crate::seaorm::city;
use crate::seaorm::world::{SOON, ids};
use crate::support::eventually;

on_each_database! {
    async fn it_is_announced_when_the_outer_transaction_commits(test: TestDb) {
        let world = world_of(&test, 9).await;
        let found = city::Entity::find().filter(city::Column::Id.gt(6)).all(&world.db).await.unwrap();

        let txn = world.db.begin().await.unwrap();
        let deleted = world.db.producer().bulk(&txn, &found, async |txn| {
            city::Entity::delete_many().filter(city::Column::Id.gt(6)).exec(txn).await
        });
        assert_eq!(deleted.await.unwrap().rows_affected, 3);
        let bulk = Bulk::<city::Entity>::new().filter(city::Column::Name.eq("old")).batch_size(2);
        let updated = bulk.update_many(&txn, |update| update.col_expr(city::Column::Name, Expr::value("new")));
        assert_eq!(updated.await.unwrap(), 6);
        city::with_key(10, "Ulm").insert(&txn).await.unwrap();
        // The rest is sent when the commit asks.
        eventually(SOON, "the first delay messages", async || world.delay().await.starts_with(&ids([7, 8, 9]))).await;
        assert_eq!(world.main().await, ids([]));
        assert_eq!(world.keys_of("new").await, NONE);

        txn.commit().await.unwrap();
        assert_eq!(world.keys_of("new").await, (1..=6).collect::<Vec<i64>>());
        assert_eq!(world.delay().await, ids([7, 8, 9, 1, 2, 3, 4, 5, 6, 10]));
        assert_eq!(world.main().await, ids([7, 8, 9, 1, 2, 3, 4, 5, 6, 10]));
    }

    async fn progress_is_reported_before_anything_is_announced(test: TestDb) {
        let world = world_of(&test, 5).await;
        let reports = Arc::new(Mutex::new(Vec::new()));
        let report = reports.clone();
        let txn = world.db.begin().await.unwrap();
        let bulk = Bulk::<city::Entity>::new().batch_size(2).on_progress(move |rows| report.lock().unwrap().push(rows));
        assert_eq!(bulk.delete_many(&txn).await.unwrap(), 5);
        assert_eq!(*reports.lock().unwrap(), [2, 4, 5]);
        assert_eq!(world.main().await, ids([]));
        txn.commit().await.unwrap();
        assert_eq!(world.main().await, ids(1..=5));
    }

    async fn it_is_not_announced_when_the_outer_transaction_rolls_back(test: TestDb) {
        let world = world_of(&test, 5).await;
        let found = city::Entity::find().all(&world.db).await.unwrap();
        let txn = world.db.begin().await.unwrap();
        let updated = world.db.producer().bulk(&txn, &found, async |txn| {
            city::Entity::update_many().col_expr(city::Column::Name, Expr::value("new")).exec(txn).await
        });
        assert_eq!(updated.await.unwrap().rows_affected, 5);
        let deleted = Bulk::<city::Entity>::new().batch_size(2).delete_many(&txn);
        assert_eq!(deleted.await.unwrap(), 5);
        txn.rollback().await.unwrap();
        assert_eq!(world.keys_of("old").await, [1, 2, 3, 4, 5]);
        world.nothing_is_announced().await;
    }

    async fn one_that_fails_spoils_only_itself(test: TestDb) {
        let world = world_of(&test, 3).await;
        let found = city::Entity::find().all(&world.db).await.unwrap();
        let txn = world.db.begin().await.unwrap();
        city::with_key(10, "Ulm").insert(&txn).await.unwrap();
        let failed: Result<(), DbErr> = world.db.producer().bulk(&txn, &found, async |txn| {
            city::Entity::delete_many().exec(txn).await?;
            city::Entity::insert(city::with_key(11, "Bonn")).exec_without_returning(txn).await?;
            city::Entity::insert(city::with_key(11, "Bonn")).exec_without_returning(txn).await?;
            Ok(())
        }).await;
        failed.unwrap_err();
        txn.commit().await.unwrap();
        assert_eq!(world.keys_of("old").await, [1, 2, 3]);
        assert_eq!(world.count().await, 4);
        world.nothing_is_announced_but([10]).await;
    }
}
