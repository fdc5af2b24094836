//! The transaction: insured before COMMIT, announced after it, each key once, and nothing if it is rolled back.

use futures_util::future::{join_all, try_join_all};
use redstream_seaorm::Error;
use sea_orm::{ActiveModelTrait, DbErr, EntityTrait, ModelTrait, TransactionError, TransactionTrait};

use super::city::{self, named, renamed, with_key};
use super::world::{SOON, World, id, ids};
use crate::support::eventually;

on_each_database! {
    async fn an_insert_is_insured_before_the_commit_and_announced_after_it(db: TestDb) {
        let world = World::new(&db).await;
        let txn = world.db.begin().await.unwrap();
        let city = named("Rome").insert(&txn).await.unwrap();

        world.insured(&[id(city.id)]).await;
        assert_eq!(world.main().await, ids([]));
        assert_eq!(world.row(city.id).await, None, "the transaction is open");

        txn.commit().await.unwrap();
        assert_eq!(world.main().await, [id(city.id)]);
        assert_eq!(world.delay().await, [id(city.id)]);
        assert_eq!(world.row(city.id).await, Some(city));
    }

    async fn an_update_is_insured_before_the_commit_and_announced_after_it(db: TestDb) {
        let world = World::new(&db).await;
        let city = world.existing(100, "Rom").await;
        let txn = world.db.begin().await.unwrap();
        renamed(&city, "Rome").update(&txn).await.unwrap();

        world.insured(&[id(100)]).await;
        assert_eq!(world.main().await, ids([]));

        txn.commit().await.unwrap();
        assert_eq!(world.main().await, [id(100)]);
        assert_eq!(world.delay().await, [id(100)]);
        assert_eq!(world.name(100).await.unwrap(), "Rome");
    }

    async fn an_update_without_returning_is_tracked_too(db: TestDb) {
        let world = World::new(&db).await;
        let city = world.existing(100, "Rom").await;
        let txn = world.db.begin().await.unwrap();
        renamed(&city, "Rome").update_without_returning(&txn).await.unwrap();
        world.insured(&[id(100)]).await;
        assert_eq!(world.main().await, ids([]));
        txn.commit().await.unwrap();
        assert_eq!(world.main().await, [id(100)]);
    }

    async fn a_delete_is_insured_before_the_commit_and_announced_after_it(db: TestDb) {
        let world = World::new(&db).await;
        let city = world.existing(100, "Atlantis").await;
        let txn = world.db.begin().await.unwrap();
        city.delete(&txn).await.unwrap();

        world.insured(&[id(100)]).await;
        assert_eq!(world.main().await, ids([]));

        txn.commit().await.unwrap();
        assert_eq!(world.main().await, [id(100)]);
        assert_eq!(world.delay().await, [id(100)]);
        assert_eq!(world.row(100).await, None);
    }

    async fn save_inserts_and_updates(db: TestDb) {
        let world = World::new(&db).await;
        let txn = world.db.begin().await.unwrap();
        let mut city = named("Rom").save(&txn).await.unwrap();
        city.name = sea_orm::Set("Rome".to_owned());
        let city = city.save(&txn).await.unwrap();
        txn.commit().await.unwrap();
        let key = city.id.unwrap();
        assert_eq!((world.main().await, world.delay().await), (ids([key]), ids([key])));
        assert_eq!(world.name(key).await.unwrap(), "Rome");
    }

    async fn a_record_is_announced_once_however_often_it_was_saved(db: TestDb) {
        let world = World::new(&db).await;
        let txn = world.db.begin().await.unwrap();
        let city = named("Rom").insert(&txn).await.unwrap();
        for name in ["Roma", "Rome"] {
            renamed(&city, name).update(&txn).await.unwrap();
        }
        txn.commit().await.unwrap();
        assert_eq!((world.main().await, world.delay().await), (ids([city.id]), ids([city.id])));
    }

    async fn a_record_inserted_and_deleted_in_one_transaction_is_announced_once(db: TestDb) {
        let world = World::new(&db).await;
        let txn = world.db.begin().await.unwrap();
        let city = named("Atlantis").insert(&txn).await.unwrap();
        let key = city.id;
        city.delete(&txn).await.unwrap();
        txn.commit().await.unwrap();
        assert_eq!((world.main().await, world.delay().await), (ids([key]), ids([key])));
        assert_eq!(world.count().await, 0);
    }

    async fn main_messages_come_in_the_order_of_the_writes(db: TestDb) {
        let world = World::new(&db).await;
        let txn = world.db.begin().await.unwrap();
        for key in [103, 101, 102, 101] {
            match city::Entity::find_by_id(key).one(&txn).await.unwrap() {
                None => with_key(key, "Rom").insert(&txn).await.unwrap(),
                Some(city) => renamed(&city, "Rome").update(&txn).await.unwrap(),
            };
        }
        txn.commit().await.unwrap();
        assert_eq!(world.main().await, ids([103, 101, 102]));
    }

    async fn a_rolled_back_transaction_announces_nothing(db: TestDb) {
        let world = World::new(&db).await;
        let city = world.existing(100, "Rome").await;
        let txn = world.db.begin().await.unwrap();
        named("Atlantis").insert(&txn).await.unwrap();
        city.delete(&txn).await.unwrap();
        txn.rollback().await.unwrap();
        world.nothing_is_announced().await;
        assert_eq!(world.count().await, 1);
    }

    async fn a_dropped_transaction_announces_nothing(db: TestDb) {
        let world = World::new(&db).await;
        let txn = world.db.begin().await.unwrap();
        named("Atlantis").insert(&txn).await.unwrap();
        drop(txn);
        world.nothing_is_announced().await;
        assert_eq!(world.count().await, 0);
    }

    async fn the_closure_form_commits(db: TestDb) {
        let world = World::new(&db).await;
        let city = world
            .db
            .transaction::<_, _, DbErr>(|txn| Box::pin(async move { named("Rome").insert(txn).await }))
            .await
            .unwrap();
        assert_eq!((world.main().await, world.delay().await), (ids([city.id]), ids([city.id])));
        assert_eq!(world.row(city.id).await, Some(city));
    }

    async fn the_closure_form_rolls_back_and_announces_nothing_where_it_fails(db: TestDb) {
        let world = World::new(&db).await;
        let outcome = world
            .db
            .transaction::<_, (), DbErr>(|txn| {
                Box::pin(async move {
                    named("Atlantis").insert(txn).await?;
                    Err(DbErr::Custom("it sank".to_owned()))
                })
            })
            .await;
        assert!(matches!(outcome, Err(TransactionError::Transaction(DbErr::Custom(_)))), "{outcome:?}");
        world.nothing_is_announced().await;
        assert_eq!(world.count().await, 0);
    }

    async fn saves_side_by_side_in_one_transaction_are_all_tracked(db: TestDb) {
        let world = World::new(&db).await;
        let txn = world.db.begin().await.unwrap();
        let (rome, oslo, lima) = tokio::join!(
            named("Rome").insert(&txn),
            named("Oslo").insert(&txn),
            named("Lima").insert(&txn),
        );
        let mut keys = vec![rome.unwrap().id, oslo.unwrap().id, lima.unwrap().id];
        keys.sort_unstable();
        let more = try_join_all((0..20).map(|n| with_key(1000 + n, "more").insert(&txn))).await.unwrap();
        keys.extend(more.iter().map(|city| city.id));
        assert_eq!(world.main().await, ids([]));
        txn.commit().await.unwrap();
        assert_eq!(sorted(world.main().await), ids(keys.iter().copied()));
        assert_eq!(sorted(world.delay().await), ids(keys));
    }

    async fn a_thousand_saves_in_one_transaction(db: TestDb) {
        let world = World::new(&db).await;
        let txn = world.db.begin().await.unwrap();
        for key in 1..=1000 {
            with_key(key, "many").insert(&txn).await.unwrap();
        }
        txn.commit().await.unwrap();
        assert_eq!(world.main().await, ids(1..=1000));
        assert_eq!(world.delay().await, ids(1..=1000));
        assert_eq!(world.count().await, 1000);
    }

    async fn a_transaction_that_moved_into_another_task_is_still_tracked(db: TestDb) {
        let world = World::new(&db).await;
        let txn = world.db.begin().await.unwrap();
        let rome = named("Rome").insert(&txn).await.unwrap();
        let task = tokio::spawn(async move {
            let oslo = named("Oslo").insert(&txn).await.unwrap();
            txn.commit().await.unwrap();
            oslo
        });
        let oslo = task.await.unwrap();
        assert_eq!(world.main().await, ids([rome.id, oslo.id]));
        assert_eq!(world.delay().await, ids([rome.id, oslo.id]));
    }

    async fn transactions_of_several_tasks_do_not_mix(db: TestDb) {
        let world = World::new(&db).await;
        let tasks = (0..8).map(|n| {
            let db = world.db.clone();
            tokio::spawn(async move {
                let txn = db.begin().await.unwrap();
                for m in 0..5 {
                    with_key(100 * n + m + 1, "task").insert(&txn).await.unwrap();
                    tokio::task::yield_now().await;
                }
                // Every second one is rolled back.
                if n % 2 == 0 { txn.commit().await.unwrap() } else { txn.rollback().await.unwrap() }
            })
        });
        for task in join_all(tasks.collect::<Vec<_>>()).await {
            task.unwrap();
        }
        let committed = (0..8).step_by(2).flat_map(|n| (0..5).map(move |m| 100 * n + m + 1));
        world.nothing_is_announced_but(committed).await;
        assert_eq!(world.count().await, 20);
    }

    async fn a_transaction_without_a_streamed_write_needs_no_redis(db: TestDb) {
        let server = crate::support::private_redis().await;
        let world = World::at(&db, &server.url()).await;
        world.existing(100, "Rome").await;
        server.pause().unwrap();
        let txn = world.db.begin().await.unwrap();
        assert!(city::Entity::find_by_id(100).one(&txn).await.unwrap().is_some());
        txn.commit().await.unwrap();
    }

    async fn a_commit_whose_caller_goes_away_still_goes_to_its_end(db: TestDb) {
        let world = World::new(&db).await;
        // A commit whose replies are there before it looks for them is ready at once, and leaves nothing to drop.
        let mut keys = Vec::new();
        loop {
            let txn = world.db.begin().await.unwrap();
            keys.push(named("Rome").insert(&txn).await.unwrap().id);
            let mut commit = Box::pin(txn.commit());
            if futures_util::poll!(&mut commit).is_pending() {
                break;
            }
            assert!(keys.len() < 20, "twenty commits were ready at once");
        }
        world.announced(&ids(keys.clone())).await;
        eventually(SOON, "the row", async || world.row(keys[keys.len() - 1]).await.is_some()).await;
    }

    async fn a_failed_statement_leaves_the_rest_of_the_transaction_to_the_database(db: TestDb) {
        let world = World::new(&db).await;
        world.existing(100, "Rome").await;
        let txn = world.db.begin().await.unwrap();
        let oslo = named("Oslo").insert(&txn).await.unwrap();
        with_key(100, "Rome again").insert(&txn).await.unwrap_err();
        let committed = txn.commit().await;
        if db.backend() == crate::support::Backend::Postgres {
            // PostgreSQL would turn the commit into a rollback without an error.
            assert_carries!(committed.unwrap_err(), Error::TransactionAborted);
            assert!(world.row(oslo.id).await.is_none());
            world.nothing_is_announced().await;
        } else {
            committed.unwrap();
            assert!(world.row(oslo.id).await.is_some());
            assert_eq!(world.main().await, ids([oslo.id]));
        }
    }
}

/// Announcements of statements that ran concurrently come in any order.
fn sorted(mut payloads: Vec<serde_json::Value>) -> Vec<serde_json::Value> {
    payloads.sort_by_key(|payload| payload["id"].as_i64());
    payloads
}
