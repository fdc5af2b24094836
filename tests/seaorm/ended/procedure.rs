//! Statements of MariaDB whose text does not say whether they commit: the changes are insured before they run, and the
//! transaction's state is queried afterwards.

use redstream_seaorm::{BypassGuard, Error, Insurance, outbox};
use sea_orm::{ActiveModelTrait, ConnectionTrait, FromQueryResult, Statement, TransactionTrait};

use super::super::city::with_key;
use super::super::world::{World, id, ids};
use super::{all_is_refused, is_ended, of_one_connection, works};
use crate::support::{Backend, TestDb, private_redis};

/// Ways to commit that the text does not show.
const COMMITTING: [&str; 4] =
    ["CALL committing()", "EXECUTE IMMEDIATE 'COMMIT'", "BEGIN NOT ATOMIC COMMIT; END", "IF 1 THEN COMMIT; END IF"];

async fn with_procedures(world: &World) {
    for procedure in [
        "CREATE PROCEDURE committing() COMMIT",
        "CREATE PROCEDURE quiet() SELECT 1",
        "CREATE PROCEDURE rolling_back() ROLLBACK",
    ] {
        world.plain.execute_unprepared(procedure).await.unwrap();
    }
    outbox::create_table(&world.plain).await.unwrap();
}

#[derive(Debug, FromQueryResult)]
struct Row {
    payload: String,
}

async fn in_the_outbox(world: &World) -> Vec<String> {
    let select = Statement::from_string(world.plain.get_database_backend(), "SELECT payload FROM redstream_outbox");
    let rows = Row::find_by_statement(select).all(&world.plain).await.unwrap();
    rows.into_iter().map(|row| row.payload).collect()
}

#[tokio::test]
async fn what_a_procedure_commits_is_insured_and_the_transaction_ends() {
    for statement in COMMITTING {
        let db = TestDb::new(Backend::MariaDb).await;
        let world = World::new(&db).await;
        with_procedures(&world).await;
        let streamed = of_one_connection(&world, &db).await;
        let txn = streamed.begin().await.unwrap();
        with_key(1, "Rome").insert(&txn).await.unwrap();
        txn.execute_unprepared(statement).await.expect(statement);
        assert_eq!(world.delay().await, [id(1)], "{statement}");
        all_is_refused(&txn).await;
        is_ended(&txn.commit().await.unwrap_err());
        assert_eq!(world.count().await, 1, "{statement}");
        works(&streamed, &world).await;
    }
}

#[tokio::test]
async fn what_a_procedure_commits_is_in_the_outbox_at_every_level() {
    let db = TestDb::new(Backend::MariaDb).await;
    let world = World::new(&db).await;
    with_procedures(&world).await;
    let streamed = of_one_connection(&world, &db).await.to_builder().insurance(Insurance::Outbox).build();
    let outer = streamed.begin().await.unwrap();
    with_key(1, "outer").insert(&outer).await.unwrap();
    let inner = outer.begin().await.unwrap();
    with_key(2, "inner").insert(&inner).await.unwrap();
    inner.execute_unprepared("CALL committing()").await.unwrap();
    drop(inner);
    all_is_refused(&outer).await;
    outer.rollback().await.unwrap();
    assert_eq!(world.count().await, 2);
    let mut insured = in_the_outbox(&world).await;
    insured.sort();
    assert_eq!(insured, [r#"{"id":1}"#, r#"{"id":2}"#]);
    works(&streamed, &world).await;
}

#[tokio::test]
async fn a_procedure_that_rolls_back_ends_the_transaction_too() {
    let db = TestDb::new(Backend::MariaDb).await;
    let world = World::new(&db).await;
    with_procedures(&world).await;
    let streamed = of_one_connection(&world, &db).await;
    let txn = streamed.begin().await.unwrap();
    with_key(1, "Rome").insert(&txn).await.unwrap();
    txn.execute_unprepared("CALL rolling_back()").await.unwrap();
    all_is_refused(&txn).await;
    txn.rollback().await.unwrap();
    world.nothing_is_announced().await;
    assert_eq!(world.count().await, 0);
    works(&streamed, &world).await;
}

#[tokio::test]
async fn a_procedure_that_commits_nothing_leaves_the_transaction_as_it_is() {
    let db = TestDb::new(Backend::MariaDb).await;
    let world = World::new(&db).await;
    with_procedures(&world).await;
    for insurance in [Insurance::Redis, Insurance::Outbox] {
        let streamed =
            of_one_connection(&world, &db).await.to_builder().insurance(insurance).guard(BypassGuard::Off).build();
        let txn = streamed.begin().await.unwrap();
        let key = if insurance == Insurance::Redis { 1 } else { 2 };
        with_key(key, "before").insert(&txn).await.unwrap();
        txn.execute_unprepared("CALL quiet()").await.unwrap();
        with_key(key + 10, "after").insert(&txn).await.unwrap();
        txn.commit().await.unwrap();
    }
    assert_eq!(world.count().await, 4);
    assert_eq!(world.main().await, ids([1, 11]));
    let insured = in_the_outbox(&world).await;
    assert!(insured.contains(&r#"{"id":2}"#.to_owned()) && insured.contains(&r#"{"id":12}"#.to_owned()), "{insured:?}");
}

#[tokio::test]
async fn a_procedure_does_not_run_while_redis_does_not_answer() {
    let db = TestDb::new(Backend::MariaDb).await;
    let server = private_redis().await;
    let world = World::at(&db, &server.url()).await;
    with_procedures(&world).await;
    let streamed = of_one_connection(&world, &db).await;
    let txn = streamed.begin().await.unwrap();
    server.pause().unwrap();
    with_key(1, "Rome").insert(&txn).await.unwrap();
    let error = txn.execute_unprepared("CALL committing()").await.unwrap_err();
    assert_carries!(error, Error::NotInsured(_));
    assert_carries!(txn.commit().await.unwrap_err(), Error::NotInsured(_));
    assert_eq!(world.count().await, 0, "the commit said that nothing was made");
}
