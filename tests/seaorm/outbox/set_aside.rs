//! Rows that cannot be moved: they are skipped, do not block others, and are reported once.

use std::time::Duration;

use redstream_seaorm::{Insurance, Supervisor};
use sea_orm::{ActiveModelTrait, ConnectionTrait, Statement, TransactionTrait};

use super::super::city::with_key;
use super::super::world::{SOON, World, ids};
use super::{insured_by, relayed};
use crate::support::{Backend, Logs, eventually, raw_redis, redis_url};

/// This many rows whose streams have unusable names, each a different one.
async fn add_unusable(world: &World, backend: Backend, rows: u32) {
    let numbers = match backend {
        Backend::Sqlite => {
            format!(
                "(WITH RECURSIVE c(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c WHERE n < {rows}) SELECT n FROM c) t"
            )
        }
        Backend::Postgres => format!("generate_series(1, {rows}) AS t(n)"),
        Backend::MariaDb => format!("(SELECT seq AS n FROM seq_1_to_{rows}) t"),
    };
    let name = if backend == Backend::MariaDb { "CONCAT('a ', n)" } else { "'a ' || n" };
    let sql = format!("INSERT INTO redstream_outbox (stream, payload) SELECT {name}, '1' FROM {numbers}");
    world.plain.execute_unprepared(&sql).await.unwrap();
}

async fn add_rows(world: &World, stream: &str, rows: u32) {
    let values: Vec<_> = (1..=rows).map(|id| format!("('{stream}', '{{\"id\":{id}}}')")).collect();
    let sql = format!("INSERT INTO redstream_outbox (stream, payload) VALUES {}", values.join(", "));
    world.plain.execute_unprepared(&sql).await.unwrap();
}

async fn waiting(world: &World) -> i64 {
    let sql = "SELECT COUNT(*) FROM redstream_outbox";
    let row = world.plain.query_one_raw(Statement::from_string(world.plain.get_database_backend(), sql)).await;
    row.unwrap().unwrap().try_get_by_index(0).unwrap()
}

fn errors(logs: &Logs) -> usize {
    logs.text().lines().filter(|line| line.contains(" ERROR redstream")).count()
}

on_each_database! {
    async fn rows_of_a_stream_that_redis_refuses_hold_up_no_others(db: TestDb) {
        let (world, logs) = (insured_by(Insurance::Outbox, &db).await, Logs::capture());
        let key = format!("{}:redstream:stream:refused", world.namespace());
        let mut raw = raw_redis(&redis_url()).await;
        redis::cmd("SET").arg(&key).arg("no stream").exec_async(&mut raw).await.unwrap();
        add_rows(&world, "refused", 150).await;
        // For MariaDB the name is the same.
        add_rows(&world, "Refused", 5).await;
        for key in 1..=10 {
            with_key(key, "Rome").insert(&world.db).await.unwrap();
        }
        let relay = world.db.relay().batch_size(20);
        relayed(&relay).await;
        assert_eq!(world.main().await, ids(1..=10));
        assert_eq!(world.payloads("Refused").await.len(), 5);
        assert_eq!((waiting(&world).await, relay.set_aside()), (150, 150));
        assert!(logs.has(&["ERROR", "cannot be moved", "rows=150", "refused", "WRONGTYPE"]), "{}", logs.text());
        assert_eq!(errors(&logs), 1, "{}", logs.text());

        redis::cmd("DEL").arg(&key).exec_async(&mut raw).await.unwrap();
        let moved = async || {
            relayed(&relay).await;
            waiting(&world).await == 0
        };
        eventually(SOON, "the rows to be moved once Redis takes them", moved).await;
        assert_eq!((world.payloads("refused").await.len(), relay.set_aside()), (150, 0));
        assert!(logs.has(&["INFO", "can be moved again"]), "{}", logs.text());
    }

    async fn any_number_of_rows_that_are_no_messages_holds_up_no_others(db: TestDb) {
        const ROWS: u32 = 70_000;
        let (world, logs) = (insured_by(Insurance::Outbox, &db).await, Logs::capture());
        add_unusable(&world, db.backend(), ROWS).await;
        for key in 1..=10 {
            with_key(key, "Rome").insert(&world.db).await.unwrap();
        }
        let supervisor = Supervisor::new().with(world.db.relay());
        let health = supervisor.health();
        let told = async {
            let told = async || health.workers()[0].set_aside == u64::from(ROWS);
            eventually(Duration::from_secs(60), "the count in health", told).await;
        };
        supervisor.run_until(told).await.unwrap();
        assert_eq!((world.main().await, waiting(&world).await), (ids(1..=10), i64::from(ROWS)));
        assert_eq!(errors(&logs), 1, "{}", logs.text());
        assert!(logs.has(&["ERROR", "rows=70000", "example=\"row ", "stream name"]), "{}", logs.text());
    }

    async fn a_row_that_commits_late_before_one_that_was_passed_over_is_moved(db: TestDb) {
        if db.backend() == Backend::Sqlite {
            // One writer at a time: rows commit in the order of their ids.
            return;
        }
        let world = insured_by(Insurance::Outbox, &db).await;
        let late = world.plain.begin().await.unwrap();
        late.execute_unprepared("INSERT INTO redstream_outbox (stream, payload) VALUES ('cities', '{\"id\":1}')")
            .await
            .unwrap();
        add_unusable(&world, db.backend(), 3).await;
        let relay = world.db.relay();
        relayed(&relay).await;
        late.commit().await.unwrap();
        let moved = async || {
            relayed(&relay).await;
            world.main().await == ids([1])
        };
        eventually(SOON, "the next sweep", moved).await;
        assert_eq!((waiting(&world).await, relay.set_aside()), (3, 3));
    }
}
