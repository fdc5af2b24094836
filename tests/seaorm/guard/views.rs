//! Views of streamed tables: a write through one is a write of the table behind it.

use redstream_seaorm::{BulkExt, BypassGuard, Error};
use sea_orm::sea_query::Expr;
use sea_orm::{
    ActiveModelTrait, ColumnTrait, ConnectionTrait, DbErr, EntityTrait, ModelTrait, QueryFilter, Set, Statement,
    StreamTrait, TransactionTrait,
};

use super::super::city;
use super::super::world::World;
use crate::support::{Backend, Logs, TestDb, assert_of_the_database};

/// An entity of a view, which is not streamed itself.
mod glimpse {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "glimpses")]
    pub(crate) struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub(crate) id: i64,
        pub(crate) name: String,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub(crate) enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

/// What makes `view` a view of `of`, through which both can be written.
fn view(backend: Backend, view: &str, of: &str) -> String {
    let mut texts = vec![format!("CREATE VIEW {view} AS SELECT id, name FROM {of}")];
    if backend == Backend::Sqlite {
        let on = |event: &str, body: &str| {
            format!("CREATE TRIGGER {view}_{event} INSTEAD OF {event} ON {view} BEGIN {body}; END")
        };
        texts.push(on("INSERT", &format!("INSERT INTO {of} (id, name) VALUES (new.id, new.name)")));
        texts.push(on("UPDATE", &format!("UPDATE {of} SET name = new.name WHERE id = old.id")));
        texts.push(on("DELETE", &format!("DELETE FROM {of} WHERE id = old.id")));
    }
    // In one text, on one connection: another connection that has seen the view without its triggers would continue to
    // report that it cannot be written.
    texts.join("; ")
}

async fn create(db: &impl ConnectionTrait, text: String) {
    db.execute_unprepared(&text).await.unwrap();
}

/// A city, and a view of it that exists before anything is written.
async fn with_view(db: &TestDb) -> World {
    let world = World::new(db).await;
    world.existing(1, "Rome").await;
    create(&world.plain, view(db.backend(), "glimpses", "cities")).await;
    world
}

fn is_denied<T>(outcome: Result<T, DbErr>, verb: &str) {
    let error = outcome.err().unwrap_or_else(|| panic!("the {verb} went through"));
    let Some(Error::Bypass { table, verb: found, view }) = Error::of(&error) else { panic!("{error:?}") };
    // The database also returns the schema of the table.
    let table = table.rsplit('.').next();
    assert_eq!((table, *found, view.as_deref()), (Some("cities"), verb, Some("glimpses")), "{error:?}");
}

async fn every_way_is_denied<C: ConnectionTrait + StreamTrait>(db: &C) {
    let rome = glimpse::Model { id: 1, name: "Rome".to_owned() };
    let roma = || glimpse::ActiveModel { name: Set("Roma".to_owned()), ..rome.clone().into() };
    let oslo = || glimpse::ActiveModel { id: Set(2), name: Set("Oslo".to_owned()) };
    is_denied(oslo().insert(db).await, "INSERT");
    is_denied(glimpse::Entity::insert(oslo()).exec_without_returning(db).await, "INSERT");
    is_denied(roma().update(db).await, "UPDATE");
    is_denied(roma().update_without_returning(db).await, "UPDATE");
    is_denied(rome.clone().delete(db).await, "DELETE");
    let every = glimpse::Entity::update_many().col_expr(glimpse::Column::Name, Expr::value("Roma"));
    is_denied(every.exec(db).await, "UPDATE");
    is_denied(glimpse::Entity::delete_many().filter(glimpse::Column::Id.eq(1)).exec(db).await, "DELETE");
    is_denied(db.execute_unprepared("DELETE FROM glimpses").await, "DELETE");
    let raw = Statement::from_string(ConnectionTrait::get_database_backend(db), "DELETE FROM glimpses");
    is_denied(db.stream_raw(raw.clone()).await.map(drop), "DELETE");
    is_denied(db.query_all_raw(raw.clone()).await, "DELETE");
    is_denied(db.query_one_raw(raw).await, "DELETE");
}

on_each_database! {
    async fn a_write_through_a_view_of_a_streamed_table_is_denied_before_it_runs(db: TestDb) {
        let world = with_view(&db).await;
        every_way_is_denied(&world.db).await;
        let txn = world.db.clone().begin().await.unwrap();
        every_way_is_denied(&txn).await;
        txn.rollback().await.unwrap();
        assert_eq!(world.name(1).await.unwrap(), "Rome");
    }

    async fn in_a_transaction_the_first_of_all_statements_is_seen(db: TestDb) {
        let world = with_view(&db).await;
        let txn = world.db.begin().await.unwrap();
        is_denied(txn.execute_unprepared("UPDATE glimpses SET name = 'Roma'").await, "UPDATE");
        city::with_key(2, "Oslo").insert(&txn).await.unwrap();
        txn.commit().await.unwrap();
        assert_eq!(world.count().await, 2);
    }

    async fn a_view_of_a_view_is_one_of_the_table(db: TestDb) {
        let world = World::new(&db).await;
        world.existing(1, "Rome").await;
        create(&world.plain, view(db.backend(), "peeks", "cities")).await;
        create(&world.plain, view(db.backend(), "glimpses", "peeks")).await;
        is_denied(world.db.execute_unprepared("UPDATE glimpses SET name = 'Roma'").await, "UPDATE");
        assert_eq!(world.name(1).await.unwrap(), "Rome");
    }

    async fn a_bulk_operation_of_the_table_answers_for_a_view_of_it(db: TestDb) {
        let world = with_view(&db).await;
        let records = [city::Model { id: 1, name: "Rome".to_owned() }];
        let written: Result<_, DbErr> = world.db.producer().bulk(&world.db, &records, async |txn| {
            glimpse::Entity::update_many().col_expr(glimpse::Column::Name, Expr::value("Roma")).exec(txn).await
        }).await;
        written.unwrap();
        assert_eq!(world.name(1).await.unwrap(), "Roma");
    }

    async fn a_view_that_is_made_after_the_first_look_is_seen(db: TestDb) {
        let world = World::new(&db).await;
        world.existing(1, "Rome").await;
        let write = "UPDATE glimpses SET name = 'Roma'";
        assert_of_the_database(&world.db.execute_unprepared(write).await.unwrap_err(), "glimpses");
        create(&world.db, view(db.backend(), "glimpses", "cities")).await;
        is_denied(world.db.execute_unprepared(write).await, "UPDATE");
    }

    async fn a_table_that_is_renamed_to_a_views_name_is_no_view(db: TestDb) {
        let world = with_view(&db).await;
        is_denied(world.db.execute_unprepared("DELETE FROM glimpses").await, "DELETE");
        world.db.execute_unprepared("DROP VIEW glimpses").await.unwrap();
        world.db.execute_unprepared("CREATE TABLE leftovers (id INT)").await.unwrap();
        world.db.execute_unprepared("ALTER TABLE leftovers RENAME TO glimpses").await.unwrap();
        world.db.execute_unprepared("DELETE FROM glimpses").await.unwrap();
    }

    async fn the_database_is_asked_once_for_each_name(db: TestDb) {
        let logs = Logs::capture();
        let world = World::new(&db).await;
        world.plain.execute_unprepared("CREATE TABLE elsewhere (id INT)").await.unwrap();
        for _ in 0..3 {
            world.db.execute_unprepared("INSERT INTO elsewhere VALUES (1)").await.unwrap();
        }
        city::named("Oslo").insert(&world.db).await.unwrap();
        assert_eq!(logs.text().matches("asked what is behind").count(), 1, "{}", logs.text());
        let off = world.db.to_builder().guard(BypassGuard::Off).build();
        off.execute_unprepared("INSERT INTO elsewhere VALUES (1)").await.unwrap();
        assert_eq!(logs.text().matches("asked what is behind").count(), 1, "{}", logs.text());
    }

    async fn a_warning_names_the_table_behind_the_view(db: TestDb) {
        let logs = Logs::capture();
        let world = with_view(&db).await;
        let warning = world.db.to_builder().guard(BypassGuard::Warn).build();
        warning.execute_unprepared("UPDATE glimpses SET name = 'Roma'").await.unwrap();
        assert!(logs.has(&["WARN", "UPDATE of `", "cities` through `glimpses` goes round the hooks"]), "{}", logs.text());
        assert_eq!(world.name(1).await.unwrap(), "Roma");
    }
}

#[tokio::test]
async fn a_write_of_a_partition_is_one_of_its_table() {
    let db = TestDb::new(Backend::Postgres).await;
    let world = World::new(&db).await;
    for text in [
        "DROP TABLE cities",
        "CREATE TABLE cities (id BIGINT PRIMARY KEY, name VARCHAR NOT NULL) PARTITION BY RANGE (id)",
        "CREATE TABLE glimpses PARTITION OF cities FOR VALUES FROM (0) TO (1000)",
    ] {
        world.plain.execute_unprepared(text).await.unwrap();
    }
    world.existing(1, "Rome").await;
    is_denied(world.db.execute_unprepared("UPDATE glimpses SET name = 'Roma'").await, "UPDATE");
}

/// MariaDB commits before it makes a view, so that it is refused in a transaction; on SQLite a second connection would
/// wait for the transaction.
#[tokio::test]
async fn a_view_that_an_open_transaction_makes_is_seen_after_its_commit() {
    let db = TestDb::new(Backend::Postgres).await;
    let world = World::new(&db).await;
    world.existing(1, "Rome").await;
    let write = "UPDATE glimpses SET name = 'Roma'";
    let txn = world.db.begin().await.unwrap();
    create(&txn, view(db.backend(), "glimpses", "cities")).await;
    let _ = world.db.execute_unprepared(write).await;
    txn.commit().await.unwrap();
    is_denied(world.db.execute_unprepared(write).await, "UPDATE");
}
