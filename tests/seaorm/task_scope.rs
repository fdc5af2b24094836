//! `db.scope(…)`: code that requires SeaORM's own types.

use std::time::{Duration, Instant};

use redstream_seaorm::{Error, SaveInTransaction};
use sea_orm::{ActiveModelTrait, DatabaseConnection, DbErr, ModelTrait, TransactionTrait};

use super::city::{self, named, renamed, with_key};
use super::world::{SOON, World, id, ids};
use crate::support::{eventually, private_redis};

/// As in a crate that knows nothing of streams.
async fn seed(db: &DatabaseConnection) -> Result<city::Model, DbErr> {
    let txn = db.begin().await?;
    let rome = named("Rom").insert(&txn).await?;
    let city = renamed(&rome, "Rome").update(&txn).await?;
    txn.commit().await?;
    Ok(city)
}

on_each_database! {
    async fn writes_through_seaorms_own_types_are_insured_at_once_and_announced_at_the_end(db: TestDb) {
        let world = World::new(&db).await;
        let plain = &world.plain;
        let rome = world.db.scope(async {
            let rome = seed(plain).await.unwrap();
            assert_eq!((world.delay().await, world.main().await), (ids([rome.id]), ids([])));
            with_key(1000, "Oslo").insert(plain).await.unwrap().delete(plain).await.unwrap();
            rome
        });
        let key = rome.await.id;
        assert_eq!((world.delay().await, world.main().await), (ids([key, 1000]), ids([key, 1000])));
    }

    async fn what_could_not_be_insured_is_refused(db: TestDb) {
        let world = World::new(&db).await;
        let error = world.db.scope(named("Rome").insert(&world.plain)).await.unwrap_err();
        assert_carries!(error, Error::UnseenKey { table } if table == "cities");
        assert_eq!(world.count().await, 0);
        world.db.scope(named("Rome").insert_tx(&world.db)).await.unwrap();
    }

    async fn a_scope_ends_with_its_future_and_does_not_reach_into_other_tasks(db: TestDb) {
        let world = World::new(&db).await;
        let plain = world.plain.clone();
        let spawned = world.db.scope(async move {
            tokio::spawn(async move { with_key(1, "Rome").insert(&plain).await }).await.unwrap()
        });
        assert_carries!(spawned.await.unwrap_err(), Error::Untracked { table } if table == "cities");
        let error = with_key(1, "Rome").insert(&world.plain).await.unwrap_err();
        assert_carries!(error, Error::Untracked { table } if table == "cities");
        // Concurrently with a task that is in a scope.
        let (inside, outside) = tokio::join!(
            world.db.scope(with_key(2, "Oslo").insert(&world.plain)),
            with_key(3, "Lima").insert(&world.plain),
        );
        inside.unwrap();
        assert_carries!(outside.unwrap_err(), Error::Untracked { table } if table == "cities");
        assert_eq!(world.main().await, [id(2)]);
    }

    async fn a_record_that_is_written_again_when_its_delay_message_may_be_due_is_insured_again(db: TestDb) {
        let world = World::new(&db).await;
        let rome = world.existing(1, "Rom").await;
        let resend_after = Duration::from_millis(1);
        let streamed = world.db.to_builder().resend_after(resend_after).build();
        let writing = async {
            renamed(&rome, "Roma").update(&world.plain).await.unwrap();
            let written = Instant::now();
            eventually(SOON, "the delay message to grow old", async || written.elapsed() > resend_after).await;
            renamed(&rome, "Rome").update(&world.plain).await.unwrap();
        };
        streamed.scope(writing).await;
        assert!(world.delay().await.len() > 1, "{:?}", world.delay().await);
        assert_eq!(world.main().await, [id(1)]);
    }

    async fn without_redis_nothing_is_written(db: TestDb) {
        let mut server = private_redis().await;
        let world = World::at(&db, &server.url()).await;
        server.kill().unwrap();
        let error = world.db.scope(with_key(1, "Rome").insert(&world.plain)).await.unwrap_err();
        assert_carries!(error, Error::NotInsured(_));
        assert_eq!(world.count().await, 0);
    }
}
