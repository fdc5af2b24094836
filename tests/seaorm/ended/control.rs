//! Raw statements that begin or end a transaction, within one.

use redstream_seaorm::Error;
use sea_orm::{ActiveModelTrait, ConnectionTrait, Statement, TransactionTrait};

use super::super::city::with_key;
use super::super::world::{World, ids};
use crate::support::Backend;

fn statements(backend: Backend) -> Vec<&'static str> {
    let mut statements =
        vec!["COMMIT", "/* done */ commit;", "ROLLBACK", "BEGIN", "SELECT 1; COMMIT", "ROLLBACK TO SAVEPOINT x"];
    statements.extend(match backend {
        Backend::Sqlite => ["END", "END TRANSACTION", "BEGIN IMMEDIATE"],
        Backend::Postgres => ["END", "ABORT", "PREPARE TRANSACTION 'x'"],
        Backend::MariaDb => ["START TRANSACTION", "COMMIT AND CHAIN", "SET autocommit = 1"],
    });
    statements
}

on_each_database! {
    async fn a_raw_commit_or_rollback_within_a_transaction_is_refused_and_does_nothing(db: TestDb) {
        let world = World::new(&db).await;
        for statement in statements(db.backend()) {
            let outer = world.db.begin().await.unwrap();
            with_key(1, "Rome").insert(&outer).await.unwrap();
            let inner = outer.begin().await.unwrap();
            let raw = Statement::from_string(outer.get_database_backend(), statement);
            for refusal in [
                outer.execute_unprepared(statement).await.map(drop),
                inner.execute_unprepared(statement).await.map(drop),
                outer.execute_raw(raw.clone()).await.map(drop),
                outer.query_one_raw(raw.clone()).await.map(drop),
                inner.query_all_raw(raw).await.map(drop),
            ] {
                let error = refusal.expect_err(statement);
                assert_carries!(error, Error::TransactionControl { .. }, "{statement}");
            }
            inner.commit().await.unwrap();
            outer.rollback().await.unwrap();
            assert_eq!(world.count().await, 0, "{statement}");
        }
        world.nothing_is_announced().await;
    }

    async fn a_transaction_that_refused_a_raw_commit_goes_on(db: TestDb) {
        let world = World::new(&db).await;
        let txn = world.db.begin().await.unwrap();
        with_key(1, "Rome").insert(&txn).await.unwrap();
        let error = txn.execute_unprepared("COMMIT").await.unwrap_err();
        assert_carries!(error, Error::TransactionControl { statement } if statement == "COMMIT");
        with_key(2, "Oslo").insert(&txn).await.unwrap();
        txn.commit().await.unwrap();
        assert_eq!(world.main().await, ids([1, 2]));
        assert_eq!(world.count().await, 2);
    }
}
