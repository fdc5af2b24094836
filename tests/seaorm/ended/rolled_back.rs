//! SQLite rolls back the whole transaction if a statement says so.

use redstream_seaorm::StreamedConnection;
use sea_orm::{ActiveModelTrait, ConnectionTrait, TransactionTrait};

use super::super::city::with_key;
use super::super::world::World;
use super::{all_is_refused, is_ended, of_one_connection, works};
use crate::support::TestDb;

/// Statements that roll back the transaction around them.
const ROLLING_BACK: [&str; 4] = [
    "INSERT INTO tags (id, name) VALUES (2, 'taken')",
    "INSERT OR ROLLBACK INTO labels (id) VALUES (1)",
    "UPDATE OR ROLLBACK labels SET id = 1 WHERE id = 2",
    "DELETE FROM labels WHERE id = 2",
];

async fn world(db: &TestDb) -> (World, StreamedConnection) {
    let world = World::new(db).await;
    for statement in [
        "CREATE TABLE tags (id integer primary key, name text unique on conflict rollback)",
        "CREATE TABLE labels (id integer primary key)",
        "CREATE TRIGGER refusing BEFORE DELETE ON labels BEGIN SELECT RAISE(ROLLBACK, 'not this one'); END",
        "INSERT INTO tags VALUES (1, 'taken')",
        "INSERT INTO labels VALUES (1), (2)",
    ] {
        world.plain.execute_unprepared(statement).await.unwrap();
    }
    let streamed = of_one_connection(&world, db).await;
    (world, streamed)
}

#[tokio::test]
async fn what_follows_a_statement_that_rolled_back_is_refused() {
    for statement in ROLLING_BACK {
        let db = TestDb::sqlite().await;
        let (world, streamed) = world(&db).await;
        let txn = streamed.begin().await.unwrap();
        with_key(1, "Rome").insert(&txn).await.unwrap();
        txn.execute_unprepared(statement).await.expect_err(statement);
        all_is_refused(&txn).await;
        is_ended(&txn.commit().await.unwrap_err());
        assert_eq!(world.count().await, 0, "{statement}");
        world.nothing_is_announced().await;
        works(&streamed, &world).await;
    }
}

#[tokio::test]
async fn the_connection_works_after_however_the_levels_end() {
    for statement in ROLLING_BACK {
        for dropped in [true, false] {
            let db = TestDb::sqlite().await;
            let (world, streamed) = world(&db).await;
            let first = streamed.begin().await.unwrap();
            with_key(1, "first").insert(&first).await.unwrap();
            let second = first.begin().await.unwrap();
            let third = second.begin().await.unwrap();
            with_key(3, "third").insert(&third).await.unwrap();
            third.execute_unprepared(statement).await.expect_err(statement);
            if dropped {
                drop(third);
                all_is_refused(&second).await;
                drop(second);
                all_is_refused(&first).await;
                drop(first);
            } else {
                third.rollback().await.unwrap();
                all_is_refused(&second).await;
                is_ended(&second.commit().await.unwrap_err());
                first.rollback().await.unwrap();
            }
            assert_eq!(world.count().await, 0, "{statement}");
            world.nothing_is_announced().await;
            works(&streamed, &world).await;
        }
    }
}

#[tokio::test]
async fn a_failure_that_does_not_roll_back_leaves_the_transaction_as_it_is() {
    let db = TestDb::sqlite().await;
    let (world, streamed) = world(&db).await;
    let txn = streamed.begin().await.unwrap();
    with_key(1, "Rome").insert(&txn).await.unwrap();
    txn.execute_unprepared("INSERT INTO labels (id) VALUES (1)").await.unwrap_err();
    with_key(2, "Oslo").insert(&txn).await.unwrap();
    txn.commit().await.unwrap();
    assert_eq!(world.count().await, 2);
}

#[tokio::test]
async fn a_save_of_its_own_that_rolls_back_leaves_a_connection_that_works() {
    let db = TestDb::sqlite().await;
    let (world, streamed) = world(&db).await;
    world
        .plain
        .execute_unprepared(
            "CREATE TRIGGER no_rome BEFORE INSERT ON cities WHEN NEW.name = 'Rome' \
         BEGIN SELECT RAISE(ROLLBACK, 'not this one'); END",
        )
        .await
        .unwrap();
    with_key(1, "Rome").insert(&streamed).await.unwrap_err();
    works(&streamed, &world).await;
    assert_eq!(world.row(1).await, None);
}
