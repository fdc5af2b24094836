//! Insurance by rows of the primary database, and the relay that moves them.

mod outage;
mod relays;
mod set_aside;

use std::time::{Duration, Instant};

use redstream_core::{Payload, StreamName};
use redstream_seaorm::{BulkExt, BypassGuard, Error, Insurance, Relay, outbox};
use redstream_servers::Redis;
use sea_orm::{ActiveModelTrait, ConnectionTrait, DatabaseConnection, DbErr, ModelTrait, Statement, TransactionTrait};

use super::city::{named, renamed, with_key};
use super::world::{GIVE_UP, SOON, World, id, ids};
use crate::support::{TestDb, eventually, private_redis};

/// A world whose connection has that insurance, and the outbox's table.
async fn insured_by(insurance: Insurance, db: &TestDb) -> World {
    with_outbox(World::new(db).await, insurance).await
}

async fn with_outbox(mut world: World, insurance: Insurance) -> World {
    outbox::create_table(&world.plain).await.unwrap();
    world.db = world.db.to_builder().insurance(insurance).build();
    world
}

/// A private Redis that was killed, of a world whose commits wait for it that long.
async fn world_without_redis(insurance: Insurance, db: &TestDb) -> (World, Redis) {
    let mut server = private_redis().await;
    let mut world = with_outbox(World::at(db, &server.url()).await, insurance).await;
    world.db = world.db.to_builder().outbox_after(Duration::from_millis(200)).build();
    server.kill().unwrap();
    (world, server)
}

/// The payloads in the outbox, oldest first.
async fn rows(world: &World) -> Vec<serde_json::Value> {
    let backend = world.plain.get_database_backend();
    let sql = Statement::from_string(backend, "SELECT stream, payload FROM redstream_outbox ORDER BY id");
    let rows = world.plain.query_all_raw(sql).await.unwrap();
    let payload = |row: &sea_orm::QueryResult| {
        assert_eq!(row.try_get::<String>("", "stream").unwrap(), "cities");
        serde_json::from_str(&row.try_get::<String>("", "payload").unwrap()).unwrap()
    };
    rows.iter().map(payload).collect()
}

async fn relayed(relay: &Relay<DatabaseConnection>) {
    while relay.run_once().await.unwrap() > 0 {}
}

on_each_database! {
    async fn an_application_that_starts_without_redis_writes_to_the_outbox_and_the_relay_brings_it_later(db: TestDb) {
        let mut server = private_redis().await;
        server.kill().unwrap();
        let mut world = with_outbox(World::lazily_at(&db, &server.url()).await, Insurance::RedisElseOutbox).await;
        world.db = world.db.to_builder().outbox_after(Duration::from_millis(200)).build();
        let oslo = named("Oslo").insert(&world.db).await.unwrap();
        let txn = world.db.begin().await.unwrap();
        let rome = named("Rome").insert(&txn).await.unwrap();
        txn.commit().await.unwrap();
        assert_eq!(rows(&world).await, ids([oslo.id, rome.id]));
        server.restart().unwrap();
        let relay = world.db.relay();
        eventually(SOON, "the relay to reach Redis", async || relay.run_once().await.is_ok_and(|moved| moved > 0)).await;
        eventually(SOON, "both changes", async || world.main().await == ids([oslo.id, rome.id])).await;
        eventually(SOON, "a save that Redis insures", async || {
            named("Bern").insert(&world.db).await.unwrap();
            !world.delay().await.is_empty()
        })
        .await;
    }

    async fn a_commit_writes_rows_and_no_message_and_the_relay_brings_them(db: TestDb) {
        let world = insured_by(Insurance::Outbox, &db).await;
        let existing = world.existing(100, "Rom").await;
        let txn = world.db.begin().await.unwrap();
        let oslo = named("Oslo").insert(&txn).await.unwrap();
        renamed(&existing, "Roma").update(&txn).await.unwrap();
        renamed(&existing, "Rome").update(&txn).await.unwrap();
        txn.commit().await.unwrap();
        let expected = ids([oslo.id, 100]);
        assert_eq!(rows(&world).await, expected);
        assert_eq!((world.delay().await, world.main().await), (ids([]), ids([])));

        relayed(&world.db.relay()).await;
        assert_eq!(rows(&world).await, ids([]));
        assert_eq!((world.delay().await, world.main().await), (ids([]), expected));
    }

    async fn a_write_outside_a_transaction_and_a_bulk_operation_do_the_same(db: TestDb) {
        let world = insured_by(Insurance::Outbox, &db).await;
        let oslo = named("Oslo").insert(&world.db).await.unwrap();
        renamed(&oslo, "Christiania").update(&world.db).await.unwrap();
        let written: Result<(), DbErr> =
            world.db.producer().bulk(&world.db, std::slice::from_ref(&oslo), async |_| Ok(())).await;
        written.unwrap();
        oslo.clone().delete(&world.db).await.unwrap();
        assert_eq!(rows(&world).await, ids([oslo.id; 4]));
        relayed(&world.db.relay()).await;
        // A key that occurs several times in a batch is announced once.
        assert_eq!(world.main().await, ids([oslo.id]));
    }

    async fn rows_vanish_with_a_rollback_or_a_savepoint(db: TestDb) {
        let world = insured_by(Insurance::Outbox, &db).await;
        let outer = world.db.begin().await.unwrap();
        with_key(1, "Oslo").insert(&outer).await.unwrap();
        let inner = outer.begin().await.unwrap();
        with_key(2, "Lima").insert(&inner).await.unwrap();
        inner.rollback().await.unwrap();
        let inner = outer.begin().await.unwrap();
        with_key(2, "Kyiv").insert(&inner).await.unwrap();
        inner.commit().await.unwrap();
        let inner = outer.begin().await.unwrap();
        with_key(3, "Rome").insert(&inner).await.unwrap();
        drop(inner);
        outer.commit().await.unwrap();
        assert_eq!(rows(&world).await, ids([1, 2]));

        let txn = world.db.begin().await.unwrap();
        with_key(4, "Bonn").insert(&txn).await.unwrap();
        txn.rollback().await.unwrap();
        assert_eq!((rows(&world).await, world.count().await), (ids([1, 2]), 2));
    }

    async fn a_delete_that_was_cut_off_is_insured_by_a_row(db: TestDb) {
        // The hook before the delete ran, the one after it did not.
        let world = insured_by(Insurance::Outbox, &db).await;
        let city = world.existing(100, "Rome").await;
        let txn = world.db.begin().await.unwrap();
        redstream_seaorm::hooks::before_delete(&renamed(&city, "Rome"), &txn).await.unwrap();
        let inner = txn.begin().await.unwrap();
        redstream_seaorm::hooks::before_delete(&with_key(101, "Oslo"), &inner).await.unwrap();
        inner.commit().await.unwrap();
        txn.commit().await.unwrap();
        let mut rows = rows(&world).await;
        rows.sort_by_key(|payload| payload["id"].as_i64());
        assert_eq!(rows, ids([100, 101]));
    }

    async fn with_the_outbox_a_commit_does_not_need_redis(db: TestDb) {
        let (world, mut server) = world_without_redis(Insurance::Outbox, &db).await;
        let started = Instant::now();
        let txn = world.db.begin().await.unwrap();
        with_key(100, "Rome").insert(&txn).await.unwrap();
        txn.commit().await.unwrap();
        assert!(started.elapsed() < GIVE_UP, "it asked no server: {:?}", started.elapsed());
        assert!(world.db.relay().run_once().await.is_err(), "and a relay cannot move it");
        assert_eq!(rows(&world).await, ids([100]));

        server.restart().unwrap();
        let relay = world.db.relay();
        eventually(SOON, "the relay to reach Redis", async || relay.run_once().await.is_ok()).await;
        assert_eq!((rows(&world).await, world.main().await), (ids([]), ids([100])));
    }

    async fn the_outbox_is_used_only_while_redis_does_not_answer(db: TestDb) {
        let (world, mut server) = world_without_redis(Insurance::RedisElseOutbox, &db).await;
        for key in 1..=20 {
            with_key(key, "Rome").insert(&world.db).await.unwrap();
        }
        assert_eq!(rows(&world).await, ids(1..=20));
        server.restart().unwrap();
        let mut key = 100;
        let asked = async || {
            key += 1;
            with_key(key, "Oslo").insert(&world.db).await.unwrap();
            world.main().await.contains(&id(key))
        };
        eventually(SOON, "a commit to find Redis again", asked).await;
        let left = rows(&world).await;
        with_key(1000, "Lima").insert(&world.db).await.unwrap();
        assert_eq!(rows(&world).await, left);
        assert!(world.delay().await.contains(&id(1000)));
    }

    async fn a_commit_waits_for_a_hanging_redis_for_a_while_only(db: TestDb) {
        let server = private_redis().await;
        let mut world = with_outbox(World::at(&db, &server.url()).await, Insurance::RedisElseOutbox).await;
        world.db = world.db.to_builder().outbox_after(Duration::from_millis(50)).build();
        let txn = world.db.begin().await.unwrap();
        server.pause().unwrap();
        with_key(100, "Rome").insert(&txn).await.unwrap();
        txn.commit().await.unwrap();
        assert_eq!(rows(&world).await, ids([100]));
        // Later commits do not wait at all.
        for key in 1..=100 {
            with_key(key + 1000, "Oslo").insert(&world.db).await.unwrap();
        }
        assert_eq!(rows(&world).await.len(), 101);
    }

    async fn connections_with_other_settings_know_of_the_same_outage(db: TestDb) {
        let server = private_redis().await;
        let mut world = with_outbox(World::at(&db, &server.url()).await, Insurance::RedisElseOutbox).await;
        world.db = world.db.to_builder().outbox_after(Duration::from_millis(500)).build();
        let txn = world.db.begin().await.unwrap();
        server.pause().unwrap();
        with_key(100, "Rome").insert(&txn).await.unwrap();
        txn.commit().await.unwrap();
        // One commit a second tries Redis again, and waits for half a second. If each of these did, it would take ten
        // seconds.
        let begun = Instant::now();
        for key in 1..=20 {
            let other = world.db.to_builder().guard(BypassGuard::Deny).build();
            with_key(key, "Oslo").insert(&other).await.unwrap();
        }
        assert!(begun.elapsed() < Duration::from_secs(9), "it took {:?}", begun.elapsed());
        assert_eq!(rows(&world).await.len(), 21);
    }

    async fn without_its_table_nothing_is_written_and_the_error_says_why(db: TestDb) {
        let mut world = World::new(&db).await;
        world.db = world.db.to_builder().insurance(Insurance::Outbox).build();
        for error in [
            with_key(100, "Rome").insert(&world.db).await.unwrap_err(),
            async {
                let txn = world.db.begin().await.unwrap();
                with_key(100, "Rome").insert(&txn).await.unwrap();
                txn.commit().await.unwrap_err()
            }
            .await,
        ] {
            assert_carries!(error, Error::OutboxNotWritten(_));
            let error = error.to_string();
            for piece in ["redstream_outbox", "does the table exist", "redstream_seaorm::outbox"] {
                assert!(error.contains(piece), "{piece}: {error}");
            }
        }
        assert_eq!(world.count().await, 0);
    }

    async fn a_writer_can_wait_for_what_the_relay_will_bring(db: TestDb) {
        let world = insured_by(Insurance::Outbox, &db).await;
        let txn = world.db.begin().await.unwrap();
        with_key(100, "Rome").insert(&txn).await.unwrap();
        let token = txn.commit_with_token().await.unwrap();
        let consumer = world.cities().consumer("search", async |_| Ok(()));
        world.cities().register("search", redstream_seaorm::Start::Earliest).await.unwrap();
        let (waited, ()) = tokio::join!(world.redstream.wait_until_synced("search", &token, SOON), async {
            world.announced(&ids([100])).await;
            consumer.run_once().await.unwrap();
        });
        waited.unwrap();
    }

    async fn the_table_can_be_made_by_sql_and_by_a_migration(db: TestDb) {
        use sea_orm_migration::{MigrationTrait, MigratorTrait};
        struct Migrator;
        impl MigratorTrait for Migrator {
            fn migrations() -> Vec<Box<dyn MigrationTrait>> {
                vec![Box::new(outbox::Migration)]
            }
        }
        let mut world = World::new(&db).await;
        world.db = world.db.to_builder().insurance(Insurance::Outbox).build();
        Migrator::up(&world.plain, None).await.unwrap();
        with_key(1, "Rome").insert(&world.db).await.unwrap();
        assert_eq!(rows(&world).await, ids([1]));
        Migrator::down(&world.plain, None).await.unwrap();
        let sql = outbox::create_table_sql(world.plain.get_database_backend());
        for _ in 0..2 {
            world.plain.execute_unprepared(&sql).await.unwrap();
        }
        with_key(2, "Oslo").insert(&world.db).await.unwrap();
        assert_eq!(rows(&world).await, ids([2]));
    }
}

#[test]
fn json_text_is_taken_as_it_stands() {
    let text = r#"{"b": 1, "a": 2.50}"#;
    assert_eq!(Payload::from_json(text).unwrap().as_str(), text);
    Payload::from_json("{").unwrap_err();
    StreamName::new("a b").unwrap_err();
}
