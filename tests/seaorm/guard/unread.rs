//! Statements whose text does not say what they write.

use redstream_seaorm::{BulkExt, BypassGuard, Error, StreamedConnection, hooks};
use sea_orm::{ConnectionTrait, DbErr, TransactionTrait};

use super::super::world::{World, id};
use crate::support::{Backend, Logs};

/// A statement that empties the table of cities, without saying so. SQLite has no such statement, and returns its own
/// error.
fn hidden_delete(backend: Backend) -> &'static str {
    match backend {
        Backend::Postgres => "DO $$ BEGIN DELETE FROM cities; END $$",
        Backend::MariaDb => "EXECUTE IMMEDIATE CONCAT('DELETE FROM ', 'cities')",
        Backend::Sqlite => "EXECUTE q",
    }
}

/// Runs it, and returns whether the guard permitted it.
async fn passes(db: &impl ConnectionTrait, statement: &str) -> bool {
    match db.execute_unprepared(statement).await {
        Ok(_) => true,
        Err(error) => !matches!(Error::of(&error), Some(Error::Unread { .. })),
    }
}

on_each_database! {
    async fn one_that_is_allowed_passes_and_the_next_is_refused(db: TestDb) {
        let world = World::new(&db).await;
        let statement = hidden_delete(db.backend());
        hooks::allow_unread(&world.db);
        assert!(passes(&world.db, statement).await);
        assert!(!passes(&world.db, statement).await, "the permission was for one");
        let txn = world.db.begin().await.unwrap();
        let savepoint = txn.begin().await.unwrap();
        hooks::allow_unread(&txn);
        assert!(!passes(&world.db, statement).await, "the permission was for the transaction");
        assert!(passes(&savepoint, statement).await);
        savepoint.rollback().await.unwrap();
        txn.rollback().await.unwrap();
    }

    async fn a_permission_is_for_its_task(db: TestDb) {
        let world = World::new(&db).await;
        let statement = hidden_delete(db.backend());
        hooks::allow_unread(&world.db);
        let elsewhere = world.db.clone();
        assert!(!tokio::spawn(async move { passes(&elsewhere, statement).await }).await.unwrap());
        assert!(passes(&world.db, statement).await);
    }

    async fn a_permission_reaches_a_streamed_connection_below(db: TestDb) {
        let world = World::new(&db).await;
        let above = StreamedConnection::builder(world.db.clone(), world.db.producer().clone()).guard(BypassGuard::Deny).build();
        let statement = hidden_delete(db.backend());
        hooks::allow_unread(&above);
        assert!(passes(&above, statement).await);
        assert!(!passes(&above, statement).await);
    }

    async fn a_bulk_operation_answers_for_all_that_is_written_within(db: TestDb) {
        let world = World::new(&db).await;
        let records = [world.existing(1, "Rome").await];
        let statement = hidden_delete(db.backend());
        let written: Result<_, DbErr> = world.db.producer().bulk(&world.db, &records, async |txn| {
            assert!(passes(txn, statement).await);
            Ok(())
        }).await;
        written.unwrap();
        assert_eq!(world.main().await, [id(1)]);
        assert!(!passes(&world.db, statement).await);
    }

    async fn it_is_warned_of_once_by_default_and_never_where_the_guard_is_off(db: TestDb) {
        let logs = Logs::capture();
        let world = World::new(&db).await;
        let statement = hidden_delete(db.backend());
        assert!(passes(&world.db.to_builder().guard(BypassGuard::Off).build(), statement).await);
        assert!(!logs.text().contains("does not tell"), "{}", logs.text());
        let warning = world.db.to_builder().guard(BypassGuard::Warn).build();
        for _ in 0..2 {
            assert!(passes(&warning, statement).await);
        }
        assert_eq!(logs.text().matches("does not tell").count(), 1, "{}", logs.text());
        assert!(logs.has(&["WARN", "hooks::allow_unread"]), "{}", logs.text());
    }

    async fn what_no_text_tells_is_refused_where_bypasses_are_denied(db: TestDb) {
        let world = World::new(&db).await;
        world.existing(1, "Rome").await;
        let statement = hidden_delete(db.backend());
        let error = world.db.execute_unprepared(statement).await.unwrap_err();
        let head = statement.split(' ').next().unwrap();
        assert_carries!(error, Error::Unread { statement } if statement == head);
        for piece in [head, "hooks::allow_unread", "producer.bulk"] {
            assert!(error.to_string().contains(piece), "{piece}: {error}");
        }
        let txn = world.db.begin().await.unwrap();
        let error = txn.execute_unprepared(statement).await.unwrap_err();
        assert_carries!(error, Error::Unread { statement } if statement == head);
        txn.rollback().await.unwrap();
        assert_eq!(world.count().await, 1);
    }
}
