//! Savepoints that the driver confuses: it knows them by their number alone, and rolls back the level around a `begin`
//! that fails or is dropped.

use std::time::Instant;

use redstream_seaorm::{Insurance, StreamedConnection, outbox};
use sea_orm::{
    ActiveModelTrait, ConnectionTrait, EntityTrait, IsolationLevel, QueryOrder, QuerySelect, Statement,
    TransactionTrait,
};

use super::super::city::{self, with_key};
use super::super::world::{SOON, World, ids};
use super::{all_is_refused, is_ended, works};
use crate::support::{Backend, TestDb, cut};

/// How many futures are dropped before their end.
const CUTS: usize = 5;

/// A key for each try, ten apart. Many futures are done at their first poll, before they can be dropped: on an idle
/// machine nearly all of them.
fn tries() -> impl Iterator<Item = i64> {
    let deadline = Instant::now() + SOON;
    (10..).step_by(10).take_while(move |_| Instant::now() < deadline)
}

/// The world, and a connection whose changes are insured by the outbox.
async fn with_outbox(db: &TestDb) -> (World, StreamedConnection) {
    let world = World::new(db).await;
    outbox::create_table(&world.plain).await.unwrap();
    let streamed = world.db.to_builder().insurance(Insurance::Outbox).build();
    (world, streamed)
}

async fn keys(world: &World) -> Vec<i64> {
    let keys = city::Entity::find().select_only().column(city::Column::Id).order_by_asc(city::Column::Id);
    keys.into_tuple().all(&world.plain).await.unwrap()
}

/// The keys in the outbox, sorted.
async fn outbox_keys(world: &World) -> Vec<i64> {
    let select = Statement::from_string(world.plain.get_database_backend(), "SELECT payload FROM redstream_outbox");
    let rows = world.plain.query_all_raw(select).await.unwrap();
    let key = |row: &sea_orm::QueryResult| {
        let payload: serde_json::Value = serde_json::from_str(&row.try_get::<String>("", "payload").unwrap()).unwrap();
        payload["id"].as_i64().unwrap()
    };
    let mut keys: Vec<_> = rows.iter().map(key).collect();
    keys.sort_unstable();
    keys
}

/// Neither rows nor changes to announce are left, and the connection goes on working.
async fn nothing_stays(world: &World, streamed: &StreamedConnection) {
    assert_eq!((keys(world).await, outbox_keys(world).await), (vec![], vec![]));
    works(streamed, world).await;
}

on_each_database! {
    async fn what_follows_a_nested_begin_that_was_dropped_is_refused(db: TestDb) {
        let (world, streamed) = with_outbox(&db).await;
        let mut cuts = 0;
        for nth in tries() {
            let txn = streamed.begin().await.unwrap();
            with_key(nth, "before").insert(&txn).await.unwrap();
            if cut(txn.begin(), 1).await.is_none() {
                cuts += 1;
                all_is_refused(&txn).await;
                if nth % 20 == 0 { is_ended(&txn.commit().await.unwrap_err()) } else { txn.rollback().await.unwrap() }
            }
            if cuts == CUTS {
                break;
            }
        }
        assert_eq!(cuts, CUTS);
        nothing_stays(&world, &streamed).await;
    }

    async fn what_follows_a_begin_two_levels_deep_that_was_dropped_is_refused_at_each_level(db: TestDb) {
        let (world, streamed) = with_outbox(&db).await;
        let mut cuts = 0;
        for nth in tries() {
            let outer = streamed.begin().await.unwrap();
            with_key(nth, "outer").insert(&outer).await.unwrap();
            let inner = outer.begin().await.unwrap();
            with_key(nth + 1, "inner").insert(&inner).await.unwrap();
            if cut(inner.begin(), 1).await.is_none() {
                cuts += 1;
                all_is_refused(&inner).await;
                is_ended(&inner.commit().await.unwrap_err());
                all_is_refused(&outer).await;
                is_ended(&outer.commit().await.unwrap_err());
            }
            if cuts == CUTS {
                break;
            }
        }
        assert_eq!(cuts, CUTS);
        nothing_stays(&world, &streamed).await;
    }

    async fn what_follows_the_commit_of_a_savepoint_that_was_dropped_is_refused(db: TestDb) {
        let (world, streamed) = with_outbox(&db).await;
        let mut cuts = 0;
        for nth in tries() {
            let outer = streamed.begin().await.unwrap();
            with_key(nth, "outer").insert(&outer).await.unwrap();
            let inner = outer.begin().await.unwrap();
            with_key(nth + 1, "inner").insert(&inner).await.unwrap();
            if cut(inner.commit(), 1).await.is_none() {
                cuts += 1;
                all_is_refused(&outer).await;
                if nth % 20 == 0 { is_ended(&outer.commit().await.unwrap_err()) } else { outer.rollback().await.unwrap() }
            }
            if cuts == CUTS {
                break;
            }
        }
        assert_eq!(cuts, CUTS);
        nothing_stays(&world, &streamed).await;
    }

    async fn a_rollback_of_one_of_two_savepoints_side_by_side_ends_the_transaction(db: TestDb) {
        let (world, streamed) = with_outbox(&db).await;
        for (nth, is_dropped) in [(10, false), (20, true)] {
            let outer = streamed.begin().await.unwrap();
            with_key(nth, "outer").insert(&outer).await.unwrap();
            let first = outer.begin().await.unwrap();
            with_key(nth + 1, "first").insert(&first).await.unwrap();
            let second = outer.begin().await.unwrap();
            with_key(nth + 2, "second").insert(&second).await.unwrap();
            if is_dropped { drop(first) } else { first.rollback().await.unwrap() }
            all_is_refused(&second).await;
            is_ended(&second.commit().await.unwrap_err());
            is_ended(&outer.commit().await.unwrap_err());
        }
        nothing_stays(&world, &streamed).await;
    }

    async fn two_savepoints_side_by_side_that_are_released_are_announced(db: TestDb) {
        let world = World::new(&db).await;
        let outer = world.db.begin().await.unwrap();
        let first = outer.begin().await.unwrap();
        with_key(1, "first").insert(&first).await.unwrap();
        let second = outer.begin().await.unwrap();
        with_key(2, "second").insert(&second).await.unwrap();
        first.commit().await.unwrap();
        second.commit().await.unwrap();
        outer.commit().await.unwrap();
        assert_eq!(world.main().await, ids([1, 2]));
        assert_eq!(keys(&world).await, [1, 2]);
    }
}

#[tokio::test]
async fn what_follows_a_nested_begin_that_failed_is_refused() {
    for backend in [Backend::Postgres, Backend::MariaDb] {
        let db = TestDb::new(backend).await;
        let (world, streamed) = with_outbox(&db).await;
        for is_committed in [true, false] {
            let txn = streamed.begin().await.unwrap();
            with_key(1, "before").insert(&txn).await.unwrap();
            if backend == Backend::Postgres {
                txn.execute_unprepared("SELECT 1 / 0").await.unwrap_err();
                txn.begin().await.unwrap_err();
            } else {
                // MariaDB sets it for the next transaction, and there is such a transaction.
                txn.begin_with_config(Some(IsolationLevel::ReadCommitted), None).await.unwrap_err();
            }
            all_is_refused(&txn).await;
            if is_committed {
                is_ended(&txn.commit().await.unwrap_err());
            } else {
                txn.rollback().await.unwrap();
            }
            assert_eq!((keys(&world).await, outbox_keys(&world).await), (vec![], vec![]), "{backend}");
        }
        works(&streamed, &world).await;
    }
}
