//! A commit after a failed statement: PostgreSQL turns it into a rollback, and reports success.

use redstream_seaorm::Error;
use sea_orm::{ActiveModelTrait, TransactionTrait};

use super::super::city::with_key;
use super::super::world::{World, ids};
use crate::support::{Backend, TestDb};

#[tokio::test]
async fn a_commit_that_postgres_turns_into_a_rollback_errors() {
    let db = TestDb::new(Backend::Postgres).await;
    let world = World::new(&db).await;
    world.existing(2, "there").await;
    let txn = world.db.begin().await.unwrap();
    with_key(1, "Rome").insert(&txn).await.unwrap();
    with_key(2, "Oslo").insert(&txn).await.unwrap_err();
    assert_carries!(txn.commit().await.unwrap_err(), Error::TransactionAborted);
    assert_eq!(world.count().await, 1);
    world.nothing_is_announced().await;
}

on_each_database! {
    async fn a_failure_within_a_savepoint_that_is_rolled_back_does_not_hinder_the_commit(db: TestDb) {
        let world = World::new(&db).await;
        world.existing(2, "there").await;
        let outer = world.db.begin().await.unwrap();
        with_key(1, "Rome").insert(&outer).await.unwrap();
        for dropped in [true, false] {
            let inner = outer.begin().await.unwrap();
            with_key(2, "Oslo").insert(&inner).await.unwrap_err();
            if dropped { drop(inner) } else { inner.rollback().await.unwrap() }
        }
        with_key(3, "Ulm").insert(&outer).await.unwrap();
        outer.commit().await.unwrap();
        assert_eq!(world.main().await, ids([1, 3]));
        assert_eq!(world.count().await, 3);
    }
}
