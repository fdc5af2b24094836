//! Tests of the test tools: the servers are running, and the helpers work as documented.

use crate::support::{Logs, eventually, namespace, private_redis, raw_redis, redis_url};
use redstream_servers::{MARIADB_URL, POSTGRES_URL, REDIS_URL};
use sea_orm::ConnectionTrait;
use std::process::Command;
use std::time::Duration;

#[tokio::test]
async fn the_shared_redis_answers() {
    let pong: String = redis::cmd("PING").query_async(&mut raw_redis(&redis_url()).await).await.unwrap();
    assert_eq!(pong, "PONG");
    assert_ne!(namespace(), namespace());
}

#[test]
fn tests_that_are_given_no_servers_start_some() {
    let mut tests = Command::new(std::env::current_exe().unwrap());
    tests.args(["the_shared_redis_answers", "a_database_is_fresh_and_works"]);
    for variable in [REDIS_URL, POSTGRES_URL, MARIADB_URL] {
        tests.env_remove(variable);
    }
    let output = tests.output().unwrap();
    let printed = String::from_utf8_lossy(&output.stdout);
    assert!(printed.contains("4 passed; 0 failed"), "{printed}\n{}", String::from_utf8_lossy(&output.stderr));
}

#[tokio::test]
async fn a_private_redis_keeps_its_data_when_it_is_killed() {
    let mut server = private_redis().await;
    let set = redis::cmd("SET").arg("key").arg("kept").to_owned();
    set.exec_async(&mut raw_redis(&server.url()).await).await.unwrap();

    server.kill().unwrap();
    let refused = redis::Client::open(server.url()).unwrap().get_multiplexed_async_connection().await;
    assert!(refused.is_err());

    server.restart().unwrap();
    let value: String = redis::cmd("GET").arg("key").query_async(&mut raw_redis(&server.url()).await).await.unwrap();
    assert_eq!(value, "kept");
}

#[tokio::test]
async fn a_paused_redis_answers_when_it_goes_on() {
    let server = private_redis().await;
    let mut connection = raw_redis(&server.url()).await;
    connection.set_response_timeout(Duration::from_millis(100));

    server.pause().unwrap();
    assert!(redis::cmd("PING").exec_async(&mut connection).await.unwrap_err().is_timeout());

    server.resume().unwrap();
    eventually(Duration::from_secs(5), "an answer", async || {
        redis::cmd("PING").exec_async(&mut connection.clone()).await.is_ok()
    })
    .await;
}

on_each_database! {
    async fn a_database_is_fresh_and_works(db: TestDb) {
        db.connection().execute_unprepared("CREATE TABLE t (id INTEGER)").await.unwrap();
        db.connection().execute_unprepared("INSERT INTO t VALUES (1)").await.unwrap();
    }

    async fn a_database_goes_with_its_test(db: TestDb) {
        let url = db.url().to_owned();
        let _still_held = db.connection();
        drop(db);
        assert!(sea_orm::Database::connect(url.replace("mode=rwc", "mode=rw")).await.is_err());
    }
}

#[tokio::test]
#[should_panic(expected = "waited 50ms in vain for: the impossible")]
async fn a_wait_in_vain_says_for_what() {
    eventually(Duration::from_millis(50), "the impossible", async || false).await;
}

#[tokio::test]
async fn a_wait_gives_what_was_waited_for() {
    let mut tries = 0;
    let found = eventually(Duration::from_secs(5), "the third try", async || {
        tries += 1;
        (tries == 3).then_some(tries)
    });
    assert_eq!(found.await, 3);
}

#[tokio::test]
async fn logs_are_captured() {
    let logs = Logs::capture();
    tokio::spawn(async { tracing::warn!(stream = "products", "delay message refused") }).await.unwrap();
    assert!(logs.has(&["WARN", "delay message refused", "products"]), "{}", logs.text());
    assert!(!logs.has(&["ERROR"]));
}
