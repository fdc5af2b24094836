//! The wrappers replace what they wrap: every way of SeaORM to read, write and begin works through them.

use futures_util::TryStreamExt;
use redstream_seaorm::{BypassGuard, Error, StreamedConnection};
use sea_orm::{
    AccessMode, ActiveModelTrait, ConnectionTrait, DbErr, EntityTrait, IsolationLevel, ModelTrait, QueryOrder,
    Statement, StreamTrait, TransactionOptions, TransactionTrait,
};

use super::city::{self, named, renamed, with_key};
use super::world::{World, id, ids};
use super::wrappers::Forwarding;
use crate::support::Backend;

const LEVEL: IsolationLevel = IsolationLevel::Serializable;

on_each_database! {
    async fn selects_are_streamed_through_the_wrappers(db: TestDb) {
        let world = World::new(&db).await;
        for key in 1..=3 {
            world.existing(key, "Rome").await;
        }
        assert_eq!(keys(&world.db).await, [1, 2, 3]);
        let txn = world.db.begin().await.unwrap();
        assert_eq!(keys(&txn).await, [1, 2, 3]);
        txn.commit().await.unwrap();
        let sql = Statement::from_string(db.connection().get_database_backend(), "SELECT name FROM cities");
        let rows: Vec<_> = world.db.stream_raw(sql).await.unwrap().try_collect().await.unwrap();
        assert_eq!(rows.len(), 3);
        assert_eq!(StreamTrait::get_database_backend(&world.db), db.connection().get_database_backend());
    }

    async fn raw_statements_go_through(db: TestDb) {
        let mut world = World::new(&db).await;
        world.db = world.db.to_builder().guard(BypassGuard::Off).build();
        let backend = world.plain.get_database_backend();
        let sql = |sql: &str| Statement::from_string(backend, sql);
        let written = world.db.execute_raw(sql("INSERT INTO cities (id, name) VALUES (1, 'Rome')")).await.unwrap();
        assert_eq!(written.rows_affected(), 1);
        world.db.execute_unprepared("INSERT INTO cities (id, name) VALUES (2, 'Oslo')").await.unwrap();
        let txn = world.db.begin().await.unwrap();
        let row = txn.query_one_raw(sql("SELECT name FROM cities WHERE id = 2")).await.unwrap().unwrap();
        assert_eq!(row.try_get::<String>("", "name").unwrap(), "Oslo");
        assert_eq!(txn.query_all_raw(sql("SELECT * FROM cities")).await.unwrap().len(), 2);
        txn.rollback().await.unwrap();
        assert_eq!(world.db.query_all_raw(sql("SELECT * FROM cities")).await.unwrap().len(), 2);
        assert!(world.db.query_one_raw(sql("SELECT * FROM cities WHERE id = 3")).await.unwrap().is_none());
    }

    async fn the_wrappers_answer_as_the_wrapped_do(db: TestDb) {
        let world = World::new(&db).await;
        let txn = world.db.begin().await.unwrap();
        let plain = &world.plain;
        assert_eq!(world.db.get_database_backend(), plain.get_database_backend());
        assert_eq!(ConnectionTrait::get_database_backend(&txn), plain.get_database_backend());
        assert_eq!(world.db.support_returning(), plain.support_returning());
        assert_eq!(txn.support_returning(), plain.support_returning());
        assert_eq!((world.db.is_mock_connection(), txn.is_mock_connection()), (false, false));
        txn.rollback().await.unwrap();
    }

    async fn begin_with_config_and_options_are_tracked(db: TestDb) {
        let world = World::new(&db).await;
        let (level, mode) = isolation(&db);
        let txn = world.db.begin_with_config(level, mode).await.unwrap();
        assert_eq!(level_of(&db, &txn).await, expected(&db));
        let rome = named("Rome").insert(&txn).await.unwrap();
        txn.commit().await.unwrap();

        let options = TransactionOptions { isolation_level: level, access_mode: mode, ..TransactionOptions::default() };
        let txn = world.db.begin_with_options(options).await.unwrap();
        assert_eq!(level_of(&db, &txn).await, expected(&db));
        let oslo = named("Oslo").insert(&txn).await.unwrap();
        txn.commit().await.unwrap();
        assert_eq!(world.main().await, ids([rome.id, oslo.id]));
        assert_eq!(world.delay().await, ids([rome.id, oslo.id]));
    }

    async fn the_closure_form_with_a_config_is_tracked(db: TestDb) {
        let world = World::new(&db).await;
        let (level, mode) = isolation(&db);
        let insert = |commit: bool| {
            world.db.transaction_with_config::<_, _, DbErr>(
                move |txn| {
                    Box::pin(async move {
                        let city = named("Rome").insert(txn).await?;
                        if commit { Ok(city.id) } else { Err(DbErr::Custom("not now".to_owned())) }
                    })
                },
                level,
                mode,
            )
        };
        insert(false).await.unwrap_err();
        let key = insert(true).await.unwrap();
        assert_eq!(world.main().await, [id(key)]);
        assert_eq!(world.count().await, 1);
    }

    async fn a_read_only_transaction_refuses_the_write_and_announces_nothing(db: TestDb) {
        if db.backend() == Backend::Sqlite {
            // It has no such transactions.
            return;
        }
        let world = World::new(&db).await;
        let txn = world.db.begin_with_config(None, Some(AccessMode::ReadOnly)).await.unwrap();
        named("Rome").insert(&txn).await.unwrap_err();
        txn.rollback().await.unwrap();
        world.nothing_is_announced().await;
    }

    async fn our_wrappers_are_found_below_others(db: TestDb) {
        let world = World::new(&db).await;
        let city = world.existing(100, "Rom").await;
        let around = Forwarding(Forwarding(world.db.clone()));
        renamed(&city, "Rome").update(&around).await.unwrap();
        assert_eq!((world.delay().await, world.main().await), (ids([100]), ids([100])));
        let lima = named("Lima").insert(&around).await.unwrap().id;
        assert_eq!((world.delay().await, world.main().await), (ids([100, lima]), ids([100, lima])));

        let txn = Forwarding(world.db.begin().await.unwrap());
        with_key(1000, "Oslo").insert(&txn).await.unwrap();
        assert_eq!(world.main().await, ids([100, lima]));
        txn.0.commit().await.unwrap();
        assert_eq!(world.main().await, ids([100, lima, 1000]));

        let error = named("Lima").insert(&Forwarding(world.plain.clone())).await.unwrap_err();
        assert_carries!(error, Error::Untracked { table } if table == "cities");
    }

    async fn a_streamed_connection_within_a_streamed_one_tracks_once(db: TestDb) {
        let world = World::new(&db).await;
        let twice = StreamedConnection::builder(world.db.clone(), world.redstream.producer()).guard(BypassGuard::Deny).build();
        let txn = twice.begin().await.unwrap();
        let city = named("Rome").insert(&txn).await.unwrap();
        txn.commit().await.unwrap();
        city.delete(&twice).await.unwrap_or_else(|error| panic!("{error}"));
        assert_eq!(world.main().await.len(), 2);
        assert_eq!(world.delay().await.len(), 2);
    }
}

/// SQLite has only one level, and warns of others.
fn isolation(db: &crate::support::TestDb) -> (Option<IsolationLevel>, Option<AccessMode>) {
    match db.backend() {
        Backend::Sqlite => (None, None),
        Backend::Postgres | Backend::MariaDb => (Some(LEVEL), Some(AccessMode::ReadWrite)),
    }
}

fn expected(db: &crate::support::TestDb) -> Option<String> {
    // MariaDB does not report the level of the current transaction, only of later ones.
    (db.backend() == Backend::Postgres).then(|| "serializable".to_owned())
}

async fn level_of(db: &crate::support::TestDb, txn: &impl ConnectionTrait) -> Option<String> {
    if db.backend() != Backend::Postgres {
        return None;
    }
    let sql = Statement::from_string(txn.get_database_backend(), "SHOW transaction_isolation");
    let row = txn.query_one_raw(sql).await.unwrap().unwrap();
    Some(row.try_get("", "transaction_isolation").unwrap())
}

/// The keys of all cities, streamed.
async fn keys(db: &(impl StreamTrait + ConnectionTrait)) -> Vec<i64> {
    let found = city::Entity::find().order_by_asc(city::Column::Id).stream(db).await.unwrap();
    found.map_ok(|city| city.id).try_collect().await.unwrap()
}
