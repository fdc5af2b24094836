//! Statements that write a streamed table and do not look like it: each is refused before it runs.

use redstream_seaorm::Error;
use sea_orm::sea_query::{Expr, SelectStatement};
use sea_orm::{ConnectionTrait, DbErr, StreamTrait, TransactionTrait};

use super::super::world::World;
use crate::support::{Backend, TestDb};

fn is_refused<T>(outcome: Result<T, DbErr>, statement: &str) {
    let error = outcome.err().unwrap_or_else(|| panic!("it ran: {statement}"));
    let is_of_the_guard = match Error::of(&error) {
        Some(Error::Bypass { table, .. }) => table.rsplit('.').next() == Some("cities"),
        Some(Error::Unread { .. }) => true,
        _ => false,
    };
    assert!(is_of_the_guard, "{statement}: {error:?}");
}

async fn are_refused(world: &World, statements: &[&str]) {
    for statement in statements {
        is_refused(world.db.execute_unprepared(statement).await, statement);
    }
    assert_eq!(world.name(1).await.unwrap(), "Rome");
}

/// For SQLite, which runs all statements of a text.
fn several(text: &str) -> SelectStatement {
    SelectStatement::new().expr(Expr::cust(text.to_owned())).to_owned()
}

#[tokio::test]
async fn what_mariadb_reads_as_a_write() {
    let db = TestDb::new(Backend::MariaDb).await;
    let world = World::new(&db).await;
    world.existing(1, "Rome").await;
    world.plain.execute_unprepared("CREATE TABLE plain (id BIGINT PRIMARY KEY, `order` BIGINT)").await.unwrap();
    world.plain.execute_unprepared("INSERT INTO plain VALUES (1, 1)").await.unwrap();
    let statements = [
        "UPDATE plain p JOIN plain q ON p.order = q.id JOIN cities c ON c.id = p.id SET c.name = 'hit'",
        "DELETE c FROM plain p JOIN plain q ON p.order = q.id JOIN cities c ON c.id = p.id",
        "UPDATE plain p USE INDEX FOR ORDER BY (PRIMARY), cities c SET c.name = 'hit'",
        "UPDATE plain p JOIN plain q ON q.id = 1. JOIN cities c ON c.id = p.id SET c.name = 'hit'",
        "CREATE PROCEDURE p() SELECT 1 begin; DELETE FROM cities; SELECT 1 AS end",
        "ALTER IGNORE TABLE cities ADD UNIQUE (name)",
        "SET NAMES gbk",
        "DELETE FROM a USING { $a$OJ cities AS a LEFT OUTER JOIN plain b ON 1 = 1 } WHERE a.id < 3",
        "DELETE $c FROM plain p JOIN cities AS $c",
    ];
    are_refused(&world, &statements).await;
}

#[tokio::test]
async fn what_postgres_reads_as_a_write() {
    let db = TestDb::new(Backend::Postgres).await;
    let world = World::new(&db).await;
    world.existing(1, "Rome").await;
    for text in [
        "CREATE TABLE kid () INHERITS (cities)",
        "CREATE TABLE stray (LIKE cities)",
        "CREATE TABLE plain (id BIGINT)",
        "CREATE TABLE idle (id BIGINT)",
    ] {
        world.plain.execute_unprepared(text).await.unwrap();
    }
    let statements = [
        "DROP TABLE kid",
        "ALTER TABLE stray INHERIT cities",
        "ALTER INDEX cities RENAME TO towns",
        "ALTER TABLE cities ALTER COLUMN name TYPE VARCHAR USING 'hit'",
        "CREATE TABLE p2 AS WITH x AS (WITH y AS (SELECT 1) DELETE FROM cities RETURNING id) SELECT id FROM x",
        "EXPLAIN ANALYZE INSERT INTO plain WITH x AS (WITH y AS (SELECT 1) DELETE FROM cities RETURNING id) SELECT id FROM x",
        "TRUNCATE plain CASCADE",
        "SELECT set_config('standard_conforming_strings', 'off', false)",
        "CREATE FUNCTION f(begin atomic) RETURNS int LANGUAGE sql AS $$SELECT 1$$; DELETE FROM cities; END",
    ];
    are_refused(&world, &statements).await;
    for statement in ["DROP TABLE idle", "SELECT set_config('app.user', 'a', false)"] {
        world.db.execute_unprepared(statement).await.unwrap();
    }
    world.plain.execute_unprepared("DROP TABLE kid; ALTER TABLE cities RENAME TO towns").await.unwrap();
    is_refused(world.db.execute_unprepared("SELECT * INTO cities FROM towns").await, "SELECT INTO");
    is_refused(world.db.execute_unprepared("CREATE TABLE cities AS TABLE towns").await, "CREATE TABLE AS");
}

#[tokio::test]
async fn a_temporary_view_of_postgres_is_one_of_its_table() {
    let db = TestDb::new(Backend::Postgres).await;
    let world = World::new(&db).await;
    world.existing(1, "Rome").await;
    let txn = world.db.begin().await.unwrap();
    txn.execute_unprepared("CREATE TEMP VIEW glimpses AS SELECT id, name FROM cities").await.unwrap();
    let write = "UPDATE pg_temp.glimpses SET name = 'hit'";
    is_refused(txn.execute_unprepared(write).await, write);
    txn.rollback().await.unwrap();
}

#[tokio::test]
async fn what_a_query_of_sqlite_holds_behind_a_semicolon() {
    let db = TestDb::new(Backend::Sqlite).await;
    let world = World::new(&db).await;
    world.existing(1, "Rome").await;
    let query = several("1; DELETE FROM cities; SELECT 1");
    is_refused(world.db.query_all(&query).await, "query_all");
    is_refused(world.db.query_one(&query).await, "query_one");
    is_refused(world.db.stream(&query).await.map(drop), "stream");
    assert_eq!(world.count().await, 1);
    let txn = world.db.begin().await.unwrap();
    is_refused(txn.query_all(&query).await, "query_all");
    let ends = several("1; COMMIT; BEGIN; SELECT 1");
    for outcome in [txn.query_all(&ends).await.map(drop), txn.stream(&ends).await.map(drop)] {
        let error = outcome.expect_err("it ended the transaction");
        assert_carries!(error, Error::TransactionControl { statement } if statement == "COMMIT");
    }
    txn.query_all(&several("1")).await.unwrap();
    txn.rollback().await.unwrap();
}

on_each_database! {
    async fn the_drivers_savepoints_are_left_to_it(db: TestDb) {
        let world = World::new(&db).await;
        let txn = world.db.begin().await.unwrap();
        for head in ["SAVEPOINT", "RELEASE SAVEPOINT", "ROLLBACK TO SAVEPOINT"] {
            let word = head.split(' ').next().unwrap();
            let error = txn.execute_unprepared(&format!("{head} _SQLX_savepoint_1")).await.unwrap_err();
            assert_carries!(error, Error::TransactionControl { statement } if statement.starts_with(word), "{head}");
        }
        txn.execute_unprepared("SAVEPOINT mine").await.unwrap();
        txn.execute_unprepared("RELEASE SAVEPOINT mine").await.unwrap();
        txn.commit().await.unwrap();
    }
}
