//! Tables of MariaDB that take no part in transactions.

use sea_orm::{ActiveModelTrait, ConnectionTrait, TransactionTrait};

use super::super::city::with_key;
use super::super::world::World;
use crate::support::{Backend, Logs, TestDb};

const WARNING: &str = "this table takes no part in transactions";

#[tokio::test]
async fn a_table_without_transactions_is_warned_of_once_before_its_first_write() {
    for engine in ["Aria", "MyISAM"] {
        for within in [true, false] {
            let db = TestDb::new(Backend::MariaDb).await;
            let world = World::new(&db).await;
            world.plain.execute_unprepared(&format!("ALTER TABLE cities ENGINE={engine}")).await.unwrap();
            let logs = Logs::capture();
            if within {
                let txn = world.db.begin().await.unwrap();
                with_key(1, "Rome").insert(&txn).await.unwrap();
                assert!(logs.has(&["WARN", WARNING, "cities", engine]), "{}", logs.text());
                txn.commit().await.unwrap();
            }
            with_key(2, "Oslo").insert(&world.db).await.unwrap();
            with_key(3, "Ulm").insert(&world.db).await.unwrap();
            let warnings = logs.text().lines().filter(|line| line.contains("WARN") && line.contains(WARNING)).count();
            assert_eq!(warnings, 1, "{}", logs.text());
        }
    }
}

on_each_database! {
    async fn a_table_with_transactions_is_not_warned_of(db: TestDb) {
        let world = World::new(&db).await;
        let logs = Logs::capture();
        with_key(1, "Rome").insert(&world.db).await.unwrap();
        assert!(!logs.has(&[WARNING]), "{}", logs.text());
    }
}
