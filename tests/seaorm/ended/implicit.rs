//! Statements before which MariaDB commits.

use redstream_seaorm::Error;
use sea_orm::{ActiveModelTrait, ConnectionTrait, EntityTrait, Schema, TransactionTrait};

use super::super::city::{self, with_key};
use super::super::world::{World, ids};
use crate::support::{Backend, TestDb};

/// In an order in which each can run. None of them affects other databases.
const STATEMENTS: [&str; 33] = [
    "CREATE TABLE a (i int primary key, j int)",
    "CREATE OR REPLACE TABLE a (i int primary key, j int)",
    "/*! CREATE TABLE b (i int) */",
    "/*M!100100 ALTER TABLE b ADD k int */",
    "SET STATEMENT max_statement_time = 10 FOR ALTER TABLE b ADD l int",
    "SELECT 1; ALTER TABLE b ADD m int",
    "CREATE INDEX by_j ON a (j)",
    "DROP INDEX by_j ON a",
    "RENAME TABLE b TO c",
    "TRUNCATE TABLE c",
    "DROP TABLE c",
    "DROP TABLE IF EXISTS c",
    "CREATE SEQUENCE s",
    "DROP SEQUENCE s",
    "CREATE TEMPORARY SEQUENCE s",
    "CREATE VIEW v AS SELECT 1",
    "ALTER VIEW v AS SELECT 2",
    "DROP VIEW v",
    "CREATE TRIGGER t BEFORE INSERT ON a FOR EACH ROW SET @x = 1",
    "DROP TRIGGER t",
    "CREATE PROCEDURE p() SELECT 1",
    "ALTER PROCEDURE p COMMENT 'p'",
    "DROP PROCEDURE p",
    "CREATE FUNCTION f() RETURNS int RETURN 1",
    "DROP FUNCTION f",
    "CREATE EVENT e ON SCHEDULE EVERY 1 DAY DO SELECT 1",
    "DROP EVENT e",
    "ANALYZE TABLE a",
    "OPTIMIZE TABLE a",
    "REPAIR TABLE a",
    "CHECK TABLE a",
    "FLUSH LOCAL TABLES a",
    "LOCK TABLES a WRITE; UNLOCK TABLES",
];

#[tokio::test]
async fn a_statement_before_which_mariadb_commits_is_refused() {
    let db = TestDb::new(Backend::MariaDb).await;
    let world = World::new(&db).await;
    let mut inserted = 0;
    for statement in STATEMENTS {
        let outer = world.db.begin().await.unwrap();
        with_key(999, "Rome").insert(&outer).await.unwrap();
        let inner = outer.begin().await.unwrap();
        for level in [&inner, &outer] {
            let error = level.execute_unprepared(statement).await.expect_err(statement);
            assert_carries!(error, Error::ImplicitCommit { .. }, "{statement}");
        }
        inner.rollback().await.unwrap();
        outer.rollback().await.unwrap();
        assert_eq!(world.row(999).await, None, "{statement}");

        // MariaDB does commit.
        let plain = world.plain.begin().await.unwrap();
        inserted += 1;
        city::Entity::insert(with_key(inserted, "committed")).exec_without_returning(&plain).await.unwrap();
        plain.execute_unprepared(statement).await.expect(statement);
        plain.rollback().await.unwrap();
        assert!(world.row(inserted).await.is_some(), "{statement}");
    }
    world.nothing_is_announced().await;
}

#[tokio::test]
async fn a_schema_statement_of_sea_query_is_refused_where_mariadb_commits_before_it() {
    let db = TestDb::new(Backend::MariaDb).await;
    let world = World::new(&db).await;
    let txn = world.db.begin().await.unwrap();
    with_key(1, "Rome").insert(&txn).await.unwrap();
    let create =
        Schema::new(txn.get_database_backend()).create_table_from_entity(city::Entity).if_not_exists().to_owned();
    let error = txn.execute(&create).await.unwrap_err();
    assert_carries!(error, Error::ImplicitCommit { statement } if statement.starts_with("CREATE TABLE"));
    txn.rollback().await.unwrap();
    assert_eq!(world.count().await, 0);
}

on_each_database! {
    async fn what_does_not_commit_runs_within_a_transaction(db: TestDb) {
        let world = World::new(&db).await;
        let txn = world.db.begin().await.unwrap();
        with_key(1, "Rome").insert(&txn).await.unwrap();
        for statement in ["CREATE TEMPORARY TABLE scratch (i int)", "INSERT INTO scratch VALUES (1)", "SAVEPOINT mine"] {
            txn.execute_unprepared(statement).await.unwrap();
        }
        if db.backend() == Backend::MariaDb {
            txn.execute_unprepared("SET STATEMENT max_statement_time = 10 FOR SELECT 1").await.unwrap();
            txn.execute_unprepared("DROP TEMPORARY TABLE scratch").await.unwrap();
        } else {
            txn.execute_unprepared("CREATE TABLE lasting (i int)").await.unwrap();
        }
        txn.commit().await.unwrap();
        assert_eq!(world.main().await, ids([1]));
    }
}
