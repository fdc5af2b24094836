//! Savepoints: a release moves its announcements to the level above, a rollback drops its own and no others.

use redstream_seaorm::Error;
use sea_orm::{ActiveModelTrait, DbErr, ModelTrait, TransactionTrait};

use super::city::{named, renamed, with_key};
use super::world::{World, id, ids};

on_each_database! {
    async fn a_released_savepoint_is_announced_by_the_outer_commit(db: TestDb) {
        let world = World::new(&db).await;
        let outer = world.db.begin().await.unwrap();
        with_key(1, "outer").insert(&outer).await.unwrap();
        let inner = outer.begin().await.unwrap();
        with_key(2, "inner").insert(&inner).await.unwrap();
        inner.commit().await.unwrap();

        world.insured(&ids([1, 2])).await;
        assert_eq!(world.main().await, ids([]), "the outer transaction is open");

        outer.commit().await.unwrap();
        assert_eq!(world.main().await, ids([1, 2]));
        assert_eq!(world.count().await, 2);
    }

    async fn a_rolled_back_savepoint_takes_its_announcements_with_it(db: TestDb) {
        let world = World::new(&db).await;
        let outer = world.db.begin().await.unwrap();
        with_key(1, "outer").insert(&outer).await.unwrap();
        let inner = outer.begin().await.unwrap();
        with_key(2, "inner").insert(&inner).await.unwrap();
        inner.rollback().await.unwrap();
        with_key(3, "outer again").insert(&outer).await.unwrap();
        outer.commit().await.unwrap();
        assert_eq!(world.main().await, ids([1, 3]));
        assert_eq!(world.count().await, 2);
    }

    async fn a_dropped_savepoint_takes_its_announcements_with_it(db: TestDb) {
        let world = World::new(&db).await;
        let outer = world.db.begin().await.unwrap();
        with_key(1, "outer").insert(&outer).await.unwrap();
        let inner = outer.begin().await.unwrap();
        with_key(2, "inner").insert(&inner).await.unwrap();
        drop(inner);
        with_key(3, "outer again").insert(&outer).await.unwrap();
        outer.commit().await.unwrap();
        assert_eq!(world.main().await, ids([1, 3]));
        assert_eq!(world.count().await, 2);
    }

    async fn a_key_written_again_after_an_inner_rollback_is_insured_and_announced(db: TestDb) {
        let world = World::new(&db).await;
        let outer = world.db.begin().await.unwrap();
        let inner = outer.begin().await.unwrap();
        with_key(1, "inner").insert(&inner).await.unwrap();
        inner.rollback().await.unwrap();
        with_key(1, "outer").insert(&outer).await.unwrap();
        outer.commit().await.unwrap();
        assert_eq!(world.main().await, [id(1)]);
        // Once is enough: a delay message is not removed with the savepoint.
        assert_eq!(world.delay().await, [id(1)]);
        assert_eq!(world.name(1).await.unwrap(), "outer");
    }

    async fn a_key_of_the_outer_level_stays_announced_where_an_inner_write_of_it_is_rolled_back(db: TestDb) {
        let world = World::new(&db).await;
        let outer = world.db.begin().await.unwrap();
        let city = with_key(1, "outer").insert(&outer).await.unwrap();
        let inner = outer.begin().await.unwrap();
        renamed(&city, "inner").update(&inner).await.unwrap();
        inner.rollback().await.unwrap();
        outer.commit().await.unwrap();
        assert_eq!(world.main().await, [id(1)]);
        assert_eq!(world.name(1).await.unwrap(), "outer");
    }

    async fn an_outer_rollback_takes_released_savepoints_with_it(db: TestDb) {
        let world = World::new(&db).await;
        let outer = world.db.begin().await.unwrap();
        let inner = outer.begin().await.unwrap();
        with_key(1, "inner").insert(&inner).await.unwrap();
        inner.commit().await.unwrap();
        outer.rollback().await.unwrap();
        world.nothing_is_announced().await;
        assert_eq!(world.count().await, 0);
    }

    async fn three_deep_each_level_decides_for_itself_and_those_within(db: TestDb) {
        let world = World::new(&db).await;
        let first = world.db.begin().await.unwrap();
        with_key(1, "first").insert(&first).await.unwrap();
        {
            let second = first.begin().await.unwrap();
            with_key(2, "second, released").insert(&second).await.unwrap();
            {
                let third = second.begin().await.unwrap();
                with_key(3, "third, released").insert(&third).await.unwrap();
                third.commit().await.unwrap();
            }
            {
                let third = second.begin().await.unwrap();
                with_key(4, "third, rolled back").insert(&third).await.unwrap();
                third.rollback().await.unwrap();
            }
            second.commit().await.unwrap();
        }
        {
            let second = first.begin().await.unwrap();
            with_key(5, "second, rolled back").insert(&second).await.unwrap();
            {
                let third = second.begin().await.unwrap();
                with_key(6, "third, released in vain").insert(&third).await.unwrap();
                third.commit().await.unwrap();
            }
            second.rollback().await.unwrap();
        }
        first.commit().await.unwrap();
        assert_eq!(world.main().await, ids([1, 2, 3]));
        assert_eq!(world.count().await, 3);
    }

    async fn the_closure_form_within_a_transaction_is_a_savepoint(db: TestDb) {
        let world = World::new(&db).await;
        let outer = world.db.begin().await.unwrap();
        with_key(1, "outer").insert(&outer).await.unwrap();
        let failed = outer
            .transaction::<_, (), DbErr>(|inner| {
                Box::pin(async move {
                    with_key(2, "inner").insert(inner).await?;
                    Err(DbErr::Custom("not this one".to_owned()))
                })
            })
            .await;
        failed.unwrap_err();
        outer
            .transaction::<_, _, DbErr>(|inner| Box::pin(async move { with_key(3, "inner").insert(inner).await }))
            .await
            .unwrap();
        outer.commit().await.unwrap();
        assert_eq!(world.main().await, ids([1, 3]));
        assert_eq!(world.count().await, 2);
    }

    async fn a_record_deleted_in_a_rolled_back_savepoint_stays(db: TestDb) {
        let world = World::new(&db).await;
        let outer = world.db.begin().await.unwrap();
        let city = named("Rome").insert(&outer).await.unwrap();
        let key = city.id;
        let inner = outer.begin().await.unwrap();
        city.delete(&inner).await.unwrap();
        inner.rollback().await.unwrap();
        outer.commit().await.unwrap();
        assert_eq!(world.main().await, [id(key)]);
        assert!(world.row(key).await.is_some());
    }

    async fn a_commit_while_a_savepoint_is_open_is_refused_and_all_is_rolled_back(db: TestDb) {
        let world = World::new(&db).await;
        let first = world.db.begin().await.unwrap();
        with_key(1, "first").insert(&first).await.unwrap();
        let second = first.begin().await.unwrap();
        let third = second.begin().await.unwrap();
        with_key(3, "third").insert(&third).await.unwrap();
        drop(second);

        assert_carries!(first.commit().await.unwrap_err(), Error::OpenSavepoint);
        assert_carries!(third.commit().await.unwrap_err(), Error::Outlived);
        world.nothing_is_announced().await;
        assert_eq!(world.count().await, 0);
    }

    async fn a_savepoint_that_outlives_its_transaction_does_not_commit_it(db: TestDb) {
        let world = World::new(&db).await;
        for rolled_back in [true, false] {
            let outer = world.db.begin().await.unwrap();
            with_key(1, "outer").insert(&outer).await.unwrap();
            let inner = outer.begin().await.unwrap();
            with_key(2, "inner").insert(&inner).await.unwrap();
            if rolled_back { outer.rollback().await.unwrap() } else { drop(outer) }
            assert_carries!(inner.commit().await.unwrap_err(), Error::Outlived);
        }
        world.nothing_is_announced().await;
        assert_eq!(world.count().await, 0);
    }
}
