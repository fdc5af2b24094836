//! Another transaction gives a row another spelling of its key while a write of it waits.

use redstream_seaorm::{BulkExt, Producer, StreamedConnection};
use sea_orm::{ConnectionTrait, DbErr, EntityTrait, ModelTrait, QueryFilter, Statement, TransactionTrait};

use super::{index, names, town};
use crate::seaorm::world::{SOON, World};
use crate::support::{Backend, TestDb, eventually};

#[derive(Clone, Copy, Debug)]
enum Way {
    Alone,
    InTransaction,
    InBulk,
}

/// Deletes the town by a spelling that the row never has.
async fn delete(way: Way, db: StreamedConnection, producer: Producer) -> Result<(), DbErr> {
    let town = town::Model { name: "ada".to_owned(), size: 1 };
    match way {
        Way::Alone => _ = town.delete(&db).await?,
        Way::InTransaction => {
            let txn = db.begin().await?;
            town.delete(&txn).await?;
            txn.commit().await?;
        }
        Way::InBulk => {
            let named = [town];
            let by_name = sea_orm::ColumnTrait::eq(&town::Column::Name, "ada");
            producer.bulk(&db, &named, async |txn| town::Entity::delete_many().filter(by_name).exec(txn).await).await?;
        }
    }
    Ok(())
}

/// Whether a statement on this database waits for a lock.
async fn is_waiting(world: &World) -> bool {
    let backend = world.plain.get_database_backend();
    let waiting = match backend {
        sea_orm::DatabaseBackend::Postgres => {
            "SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
        }
        _ => {
            "SELECT id FROM information_schema.PROCESSLIST WHERE db = DATABASE() AND id <> CONNECTION_ID() \
             AND info LIKE '%towns%' AND time_ms > 50"
        }
    };
    world.plain.query_one_raw(Statement::from_string(backend, waiting)).await.unwrap().is_some()
}

/// What the sink has to delete, if these statements were committed while the delete waited.
async fn deleted_after(backend: Backend, way: Way, statements: &[&str]) -> Vec<String> {
    let db = TestDb::new(backend).await;
    let world = World::of_towns(&db).await;
    world.town("Ada").await;
    let other = world.plain.begin().await.unwrap();
    for statement in statements {
        other.execute_unprepared(statement).await.unwrap();
    }
    let deleting = tokio::spawn(delete(way, world.db.clone(), world.redstream.producer()));
    eventually(SOON, "the delete to wait", async || is_waiting(&world).await).await;
    other.commit().await.unwrap();
    deleting.await.unwrap().unwrap();
    assert_eq!(world.town_names().await, names(&[]), "{backend} {way:?}");
    index(&world).await.deletes
}

#[tokio::test]
async fn a_delete_announces_the_spelling_that_the_row_had_in_the_end() {
    let renamed: &[&str] = &["UPDATE towns SET name = 'ADA' WHERE name = 'Ada'"];
    let replaced: &[&str] =
        &["DELETE FROM towns WHERE name = 'Ada'", "INSERT INTO towns (name, size) VALUES ('ADA', 2)"];
    for backend in [Backend::Postgres, Backend::MariaDb] {
        for way in [Way::Alone, Way::InTransaction, Way::InBulk] {
            for statements in [renamed, replaced] {
                let deleted = deleted_after(backend, way, statements).await;
                assert!(deleted.contains(&"ADA".to_owned()), "{backend} {way:?} {statements:?}: {deleted:?}");
            }
        }
    }
}
