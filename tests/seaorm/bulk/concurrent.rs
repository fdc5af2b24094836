//! Other transactions write while a walk goes on: what it writes is announced, and two of them end.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};

use async_trait::async_trait;
use redstream_seaorm::{Bulk, BypassGuard, StreamedConnection};
use sea_orm::sea_query::Expr;
use sea_orm::{
    ColumnTrait, ConnectOptions, ConnectionTrait, Database, DatabaseConnection, EntityTrait, QueryFilter, QueryOrder,
    UpdateMany,
};
use tokio::sync::Mutex;
use tokio::task::JoinSet;
use tokio::time::timeout;

use super::world_of;
use crate::seaorm::city::{self, with_key};
use crate::seaorm::world::{SOON, World};
use crate::seaorm::wrappers::{Interference, Interfering};
use crate::support::*;

/// The distance between the keys of two rows that are there at the beginning.
const GAP: i64 = 10;

fn to_new(update: UpdateMany<city::Entity>) -> UpdateMany<city::Entity> {
    update.col_expr(city::Column::Name, Expr::value("new"))
}

/// Rows 10, 20, … of the filter, and rows 15, 25, … beside it.
async fn gapped(test: &TestDb, count: i64) -> World {
    let world = World::new(test).await;
    let rows = (1..=count).flat_map(|nth| [with_key(nth * GAP, "old"), with_key(nth * GAP + 5, "other")]);
    city::Entity::insert_many(rows).exec_without_returning(&world.plain).await.unwrap();
    world
}

/// After the first statement of each batch, which reads its page, another connection inserts a row, and brings one into
/// the filter, right behind the first row that no batch has written.
#[derive(Debug)]
struct Intruding {
    plain: DatabaseConnection,
    /// Whether the writes are waited for: else they may have to wait for the batch.
    is_free: bool,
    /// Where it was done.
    done: Mutex<BTreeSet<i64>>,
    waiting: Mutex<JoinSet<()>>,
}

impl Intruding {
    fn new(world: &World, is_free: bool) -> Arc<Self> {
        let plain = world.plain.clone();
        Arc::new(Self { plain, is_free, done: Mutex::default(), waiting: Mutex::default() })
    }

    /// Waits for what is not done yet.
    async fn ended(&self) {
        while self.waiting.lock().await.join_next().await.is_some() {}
    }
}

#[async_trait]
impl Interference for Intruding {
    async fn after_statement_within(&self) {
        let old = city::Entity::find().filter(city::Column::Name.eq("old")).order_by_asc(city::Column::Id);
        let first = old.filter(Expr::cust("id % 10 = 0")).one(&self.plain).await.unwrap();
        let Some(first) = first else { return };
        if !self.done.lock().await.insert(first.id) {
            return;
        }
        let writing = intrude(self.plain.clone(), first.id);
        if self.is_free {
            writing.await;
        } else {
            self.waiting.lock().await.spawn(writing);
        }
    }
}

async fn intrude(plain: DatabaseConnection, first: i64) {
    city::Entity::insert(with_key(first + 1, "old")).exec_without_returning(&plain).await.unwrap();
    let moved = city::Entity::update_many().col_expr(city::Column::Name, Expr::value("old"));
    moved.filter(city::Column::Id.eq(first + 5)).exec(&plain).await.unwrap();
}

/// Another pool, of connections that begin with these settings of PostgreSQL.
async fn with_settings(test: &TestDb, settings: &[&str]) -> DatabaseConnection {
    let plain = test.connection();
    for setting in settings {
        let name = test.url().rsplit_once('/').unwrap().1;
        plain.execute_unprepared(&format!("ALTER DATABASE {name} SET {setting}")).await.unwrap();
    }
    let mut options = ConnectOptions::new(test.url());
    options.max_connections(4).sqlx_logging(false);
    Database::connect(options).await.unwrap()
}

async fn announced(world: &World) -> BTreeSet<i64> {
    world.main().await.iter().map(|payload| payload["id"].as_i64().unwrap()).collect()
}

/// What was written is announced and was insured; each row of the filter was written. Returns how many others were.
async fn nothing_was_missed(world: &World, count: i64) -> usize {
    let written: BTreeSet<i64> = world.keys_of("new").await.into_iter().collect();
    assert_eq!(announced(world).await, written);
    let insured: BTreeSet<i64> = world.delay().await.iter().map(|payload| payload["id"].as_i64().unwrap()).collect();
    assert!(insured.is_superset(&written), "{insured:?} of {written:?}");
    let expected: BTreeSet<i64> = (1..=count).map(|nth| nth * GAP).collect();
    assert!(written.is_superset(&expected), "{written:?}");
    written.len() - expected.len()
}

on_each_database! {
    async fn rows_that_come_into_the_filter_during_a_walk_are_announced_if_they_are_written(test: TestDb) {
        let world = gapped(&test, 30).await;
        let intruding = Intruding::new(&world, test.backend() == Backend::Postgres);
        let db = world.interfered(intruding.clone());
        let bulk = Bulk::<city::Entity>::new().filter(city::Column::Name.eq("old")).batch_size(4);
        let updated = timeout(3 * SOON, bulk.update_many(&db, to_new)).await.expect("it should end").unwrap();
        intruding.ended().await;
        let others = nothing_was_missed(&world, 30).await;
        assert_eq!(updated, 30 + others as u64);
        if test.backend() == Backend::Postgres {
            assert!(others > 0, "none of the rows came between a page and its update");
        }
    }

    async fn rows_that_come_into_the_filter_are_announced_if_they_are_deleted(test: TestDb) {
        let world = gapped(&test, 30).await;
        let intruding = Intruding::new(&world, test.backend() == Backend::Postgres);
        let db = world.interfered(intruding.clone());
        let before: BTreeSet<i64> = (1..=30).map(|nth| nth * GAP).collect();
        let bulk = Bulk::<city::Entity>::new().filter(city::Column::Name.eq("old")).batch_size(4);
        let deleted = timeout(3 * SOON, bulk.delete_many(&db)).await.expect("it should end").unwrap();
        intruding.ended().await;
        let announced = announced(&world).await;
        assert!(announced.is_superset(&before), "{announced:?}");
        assert_eq!(announced.len() as u64, deleted);
        for id in announced {
            let row = world.row(id).await;
            assert!(row.is_none_or(|row| row.name == "old"), "{id} may have been inserted again, behind the walk");
        }
    }

    async fn two_walks_over_rows_that_lie_in_the_opposite_order_end(test: TestDb) {
        const ROWS: i64 = 4000;
        let world = World::new(&test).await;
        for keys in (1..=ROWS).rev().collect::<Vec<_>>().chunks(1000) {
            let rows = keys.iter().map(|key| with_key(*key, "old"));
            city::Entity::insert_many(rows).exec_without_returning(&world.plain).await.unwrap();
        }
        let (ascending, descending) = if test.backend() == Backend::Postgres {
            let by_key = ["enable_bitmapscan = off", "enable_seqscan = off"];
            let ascending = with_settings(&test, &by_key).await;
            let as_they_lie = ["enable_seqscan = on", "enable_indexscan = off", "enable_indexonlyscan = off"];
            (ascending, with_settings(&test, &as_they_lie).await)
        } else {
            (test.connection(), test.connection())
        };
        let run = |plain: DatabaseConnection| {
            let producer = world.redstream.producer();
            let db = StreamedConnection::builder(plain, producer).guard(BypassGuard::Deny).build();
            let bulk = Bulk::<city::Entity>::new().filter(city::Column::Name.ne("other")).batch_size(500);
            tokio::spawn(async move { bulk.update_many(&db, to_new).await })
        };
        for round in 1..=3 {
            let walks = [run(ascending.clone()), run(descending.clone())];
            for walk in walks {
                let updated = timeout(3 * SOON, walk).await.expect("it should end").unwrap();
                assert_eq!(updated.unwrap(), ROWS as u64, "round {round}");
            }
        }
        assert_eq!(announced(&world).await, (1..=ROWS).collect());
        assert_eq!(world.cities().len().await.unwrap(), 6 * ROWS as u64, "each row by each walk, once");
    }
}

#[tokio::test]
async fn rows_are_not_missed_in_a_database_that_repeats_its_reads() {
    let test = TestDb::new(Backend::Postgres).await;
    let world = gapped(&test, 30).await;
    let repeating = with_settings(&test, &["default_transaction_isolation = 'repeatable read'"]).await;
    let below = Interfering::new(repeating, Intruding::new(&world, true));
    let db = StreamedConnection::builder(below, world.redstream.producer()).guard(BypassGuard::Deny).build();
    let bulk = Bulk::<city::Entity>::new().filter(city::Column::Name.eq("old")).batch_size(4);
    bulk.update_many(&db, to_new).await.unwrap();
    nothing_was_missed(&world, 30).await;
}

/// Brings rows into the filter between a page and its update, once.
#[derive(Debug)]
struct BringingIn {
    plain: DatabaseConnection,
    done: AtomicBool,
}

#[async_trait]
impl Interference for BringingIn {
    async fn after_statement_within(&self) {
        if !self.done.swap(true, SeqCst) {
            let moved = city::Entity::update_many().col_expr(city::Column::Name, Expr::value("old"));
            moved.filter(city::Column::Id.eq(2)).exec(&self.plain).await.unwrap();
        }
    }
}

#[tokio::test]
async fn a_row_that_comes_into_the_filter_where_a_trigger_gives_it_a_new_key_is_not_missed() {
    let test = TestDb::new(Backend::Postgres).await;
    let world = world_of(&test, 4).await;
    world.plain.execute_unprepared("UPDATE cities SET name = 'other' WHERE id = 2").await.unwrap();
    let trigger = "CREATE FUNCTION moved() RETURNS trigger LANGUAGE plpgsql AS \
                   $$ BEGIN NEW.id = NEW.id + 100; RETURN NEW; END $$; \
                   CREATE TRIGGER moving BEFORE UPDATE ON cities FOR EACH ROW WHEN (NEW.name = 'new') \
                   EXECUTE FUNCTION moved()";
    world.plain.execute_unprepared(trigger).await.unwrap();
    let db = world.interfered(Arc::new(BringingIn { plain: world.plain.clone(), done: AtomicBool::new(false) }));
    let bulk = Bulk::<city::Entity>::new().filter(city::Column::Name.eq("old"));
    bulk.update_many(&db, to_new).await.unwrap();
    let written = world.keys_of("new").await;
    let expected: BTreeSet<i64> = written.iter().flat_map(|key| [*key, *key - 100]).collect();
    assert_eq!(announced(&world).await, expected);
}
