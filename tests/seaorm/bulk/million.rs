//! A million rows take the memory of a batch. Measured in a process of its own: this test binary, run again for a
//! single test, with the work given by an environment variable.

use std::{env, fs};

use redstream_seaorm::Bulk;
use sea_orm::sea_query::Expr;
use sea_orm::{ColumnTrait, ConnectionTrait};
use tokio::process::Command;

use super::World;
use crate::seaorm::city::{self, with_key};
use crate::support::TestDb;

/// A million cities.
const FILL: &str = "WITH RECURSIVE keys(id) AS (SELECT 1 UNION ALL SELECT id + 1 FROM keys WHERE id < 1000000) \
                    INSERT INTO cities (id, name) SELECT id, 'old' FROM keys";

const VARIABLE: &str = "REDSTREAM_A_MILLION_ROWS";

/// Several times the memory of a batch of messages and rows. The keys alone would take more.
const MEBIBYTES: u64 = 24;

/// The resident memory, in mebibytes: current, and maximum.
fn memory(field: &str) -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix(field)).unwrap();
    line.trim_start_matches(':').trim().trim_end_matches(" kB").parse::<u64>().unwrap() / 1024
}

#[tokio::test]
#[cfg(target_os = "linux")]
async fn a_million_rows_take_the_memory_of_a_batch() {
    let alone = Command::new(env::current_exe().unwrap())
        .args(["--exact", "seaorm::bulk::million::work", "--nocapture"])
        .env(VARIABLE, "1")
        .kill_on_drop(true)
        .output()
        .await
        .unwrap();
    let said = String::from_utf8_lossy(&alone.stdout);
    assert!(alone.status.success(), "{said}{}", String::from_utf8_lossy(&alone.stderr));
    assert!(said.contains("a million rows written"), "{said}");
    println!("{said}");
}

/// Does nothing unless it is started by the test above.
#[tokio::test]
async fn work() {
    if env::var_os(VARIABLE).is_none() {
        return;
    }
    let test = TestDb::sqlite().await;
    let world = World::new(&test).await;
    // The database itself creates existing rows faster.
    world.plain.execute_unprepared(FILL).await.unwrap();
    // A first batch of each kind, so that everything that is created once exists.
    let insert = async |keys: std::ops::RangeInclusive<i64>| {
        Bulk::<city::Entity>::new().insert_many(&world.db, keys.map(|key| with_key(key, "old"))).await.unwrap()
    };
    let update = async |least: i64| {
        let bulk = Bulk::<city::Entity>::new().filter(city::Column::Id.gte(least));
        bulk.update_many(&world.db, |update| update.col_expr(city::Column::Name, Expr::value("new"))).await.unwrap()
    };
    assert_eq!(insert(1_000_001..=1_005_000).await, 5000);
    assert_eq!(update(1_000_001).await, 5000);

    let before = memory("VmRSS");
    assert_eq!(update(1).await, 1_005_000);
    let updated = memory("VmHWM");
    assert_eq!(insert(1_005_001..=1_055_000).await, 50_000);
    let inserted = memory("VmHWM");
    let measured = format!("{before} MiB before, up to {updated} in updates, {inserted} in inserts");
    println!("a million rows written: {measured}");
    assert_eq!(world.cities().len().await.unwrap(), 1_065_000);
    assert!(inserted < before + MEBIBYTES, "{measured}");
}
