//! A statement whose future is dropped before its error comes, so that the error is not seen.

use std::sync::Arc;

use sea_orm::{ActiveModelTrait, ConnectionTrait, DbErr, Statement, TransactionTrait};

use super::super::city::with_key;
use super::super::world::{World, ids};
use super::super::wrappers::Swallowing;
use super::is_ended;
use crate::support::{Backend, TestDb};

/// Runs it within a transaction that has written city 1, drops it, and returns how the next save and the commit end.
async fn after_a_dropped(statement: &str, backend: Backend) -> (World, TestDb, Result<(), DbErr>, Result<(), DbErr>) {
    let db = TestDb::new(backend).await;
    let world = World::new(&db).await;
    world.plain.execute_unprepared("CREATE TABLE labels (id integer primary key)").await.unwrap();
    world.plain.execute_unprepared("INSERT INTO labels VALUES (1)").await.unwrap();
    let swallowing = Arc::<Swallowing>::default();
    let txn = world.interfered(swallowing.clone()).begin().await.unwrap();
    with_key(1, "Rome").insert(&txn).await.unwrap();
    // The guard has checked the table before.
    txn.execute_unprepared("DELETE FROM labels WHERE id = 0").await.unwrap();
    swallowing.cut_off(txn.execute_raw(Statement::from_string(txn.get_database_backend(), statement))).await;
    let saved = with_key(2, "Oslo").insert(&txn).await.map(drop);
    let committed = txn.commit().await;
    (world, db, saved, committed)
}

#[tokio::test]
async fn a_dropped_statement_that_ended_the_transaction_is_found_out() {
    let statement = "INSERT OR ROLLBACK INTO labels (id) VALUES (1)";
    let (world, _db, saved, committed) = after_a_dropped(statement, Backend::Sqlite).await;
    for refusal in [saved, committed] {
        is_ended(&refusal.unwrap_err());
    }
    assert_eq!(world.count().await, 0);
    world.nothing_is_announced().await;
}

#[tokio::test]
async fn a_dropped_statement_that_ended_nothing_leaves_the_transaction_as_it_is() {
    for backend in Backend::ALL {
        let (world, _db, saved, committed) = after_a_dropped("SELECT 1", backend).await;
        saved.unwrap();
        committed.unwrap();
        assert_eq!(world.main().await, ids([1, 2]), "{backend}");
    }
}
