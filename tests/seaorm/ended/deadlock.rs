//! MariaDB rolls back the whole transaction that a deadlock has chosen.

use redstream_seaorm::{Insurance, StreamedConnection, StreamedTransaction, outbox};
use sea_orm::{ActiveModelTrait, ConnectionTrait, DatabaseTransaction, TransactionTrait};

use super::super::city::{renamed, with_key};
use super::super::world::World;
use super::{all_is_refused, is_ended, of_one_connection, works};
use crate::support::{Backend, TestDb, assert_of_the_database};

/// A world with rows 10 and 11, with a single connection, insured in this way.
async fn world(db: &TestDb, insurance: Insurance) -> (World, StreamedConnection) {
    let world = World::new(db).await;
    outbox::create_table(&world.plain).await.unwrap();
    world.existing(10, "ten").await;
    world.existing(11, "eleven").await;
    let streamed = of_one_connection(&world, db).await.to_builder().insurance(insurance).build();
    (world, streamed)
}

/// A transaction that has written so much that a deadlock chooses the other one; it has locked row 11.
async fn heavy(world: &World) -> DatabaseTransaction {
    let heavy = world.plain.begin().await.unwrap();
    let rows: Vec<_> = (1000..1100).map(|id| format!("({id}, 'heavy')")).collect();
    heavy.execute_unprepared(&format!("INSERT INTO cities (id, name) VALUES {}", rows.join(","))).await.unwrap();
    heavy.execute_unprepared("UPDATE cities SET name = 'heavy' WHERE id = 11").await.unwrap();
    heavy
}

/// The level writes row 10 and then runs into a deadlock at row 11.
async fn deadlocked(world: &World, level: &StreamedTransaction) {
    let heavy = heavy(world).await;
    renamed(&world.row(10).await.unwrap(), "light").update(level).await.unwrap();
    let eleven = renamed(&world.row(11).await.unwrap(), "light");
    let (waited, chosen) =
        tokio::join!(heavy.execute_unprepared("UPDATE cities SET name = 'heavy' WHERE id = 10"), eleven.update(level));
    waited.unwrap();
    assert_of_the_database(&chosen.unwrap_err(), "1213");
    heavy.rollback().await.unwrap();
}

/// The transaction's changes are gone, and nothing is announced.
async fn nothing_is_left(world: &World) {
    assert_eq!(world.count().await, 2);
    assert_eq!((world.name(10).await.unwrap(), world.name(11).await.unwrap()), ("ten".to_owned(), "eleven".to_owned()));
    world.nothing_is_announced().await;
}

#[tokio::test]
async fn what_follows_a_deadlock_in_the_same_transaction_is_refused() {
    for insurance in [Insurance::Redis, Insurance::Outbox, Insurance::RedisElseOutbox] {
        let db = TestDb::new(Backend::MariaDb).await;
        let (world, streamed) = world(&db, insurance).await;
        let txn = streamed.begin().await.unwrap();
        with_key(1, "before").insert(&txn).await.unwrap();
        deadlocked(&world, &txn).await;
        all_is_refused(&txn).await;
        is_ended(&txn.commit().await.unwrap_err());
        nothing_is_left(&world).await;
        works(&streamed, &world).await;
    }
}

#[tokio::test]
async fn a_rollback_after_a_deadlock_succeeds_and_leaves_a_connection_that_works() {
    let db = TestDb::new(Backend::MariaDb).await;
    let (world, streamed) = world(&db, Insurance::Redis).await;
    let txn = streamed.begin().await.unwrap();
    with_key(1, "before").insert(&txn).await.unwrap();
    deadlocked(&world, &txn).await;
    txn.rollback().await.unwrap();
    nothing_is_left(&world).await;
    works(&streamed, &world).await;
}

#[derive(Clone, Copy, Debug)]
enum End {
    Dropped,
    RolledBack,
    Released,
}

#[tokio::test]
async fn a_savepoint_that_ends_after_a_deadlock_takes_the_whole_transaction_with_it() {
    for end in [End::Dropped, End::RolledBack, End::Released] {
        let db = TestDb::new(Backend::MariaDb).await;
        let (world, streamed) = world(&db, Insurance::Redis).await;
        let outer = streamed.begin().await.unwrap();
        with_key(1, "outer").insert(&outer).await.unwrap();
        let inner = outer.begin().await.unwrap();
        deadlocked(&world, &inner).await;
        match end {
            End::Dropped => drop(inner),
            End::RolledBack => inner.rollback().await.unwrap(),
            End::Released => is_ended(&inner.commit().await.unwrap_err()),
        }
        all_is_refused(&outer).await;
        is_ended(&outer.commit().await.unwrap_err());
        nothing_is_left(&world).await;
        works(&streamed, &world).await;
    }
}
