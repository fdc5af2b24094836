//! Records that are announced without a write.

use redstream_seaorm::{Error, Key, Touch, hooks};
use sea_orm::TransactionTrait;

use super::city;
use super::world::{World, ids};
use crate::support::{TestDb, private_redis};

on_each_database! {
    async fn a_touched_record_is_announced_after_the_commit_of_its_transaction(db: TestDb) {
        let world = World::new(&db).await;
        let city = world.existing(100, "Rome").await;
        let txn = world.db.begin().await.unwrap();
        city.touch(&txn).await.unwrap();
        hooks::touch(&txn, [100, 101].map(Key::<city::Entity>::new)).await.unwrap();
        world.insured(&ids([100, 101])).await;
        assert_eq!(world.main().await, ids([]));
        txn.commit().await.unwrap();
        assert_eq!(world.main().await, ids([100, 101]));

        let txn = world.db.begin().await.unwrap();
        city.touch(&txn).await.unwrap();
        txn.rollback().await.unwrap();
        assert_eq!(world.main().await, ids([100, 101]));
    }

    async fn outside_a_transaction_it_is_announced_at_once(db: TestDb) {
        let world = World::new(&db).await;
        world.existing(100, "Rome").await.touch(&world.db).await.unwrap();
        assert_eq!((world.delay().await, world.main().await), (ids([]), ids([100])));
        let error = world.existing(101, "Oslo").await.touch(&world.plain).await.unwrap_err();
        assert_carries!(error, Error::Untracked { table } if table == "cities");
    }
}

#[tokio::test]
async fn outside_a_transaction_a_touch_that_redis_does_not_take_is_an_error() {
    let db = TestDb::sqlite().await;
    let mut server = private_redis().await;
    let world = World::at(&db, &server.url()).await;
    let city = world.existing(100, "Rome").await;
    server.kill().unwrap();
    assert_carries!(city.touch(&world.db).await.unwrap_err(), Error::NotAnnounced(_));
}
