//! The bypass guard: statements that write a streamed table and bypass the hooks are detected before they run.

mod fixture;
mod grammar;
mod hidden;
mod names;
mod operands;
mod schemas;
mod texts;
mod unread;
mod views;
mod writes;

use futures_util::TryStreamExt;
use redstream_seaorm::{BulkExt, BypassGuard, Error};
use sea_orm::sea_query::{Asterisk, CommonTableExpression, Expr, OnConflict, Query};
use sea_orm::{
    ActiveModelTrait, ColumnTrait, ConnectionTrait, DbErr, EntityTrait, IntoActiveModel, ModelTrait, QueryFilter,
    Statement, StreamTrait, TransactionTrait,
};

use super::city::{self, named, renamed, with_key};
use super::world::{World, ids};
use crate::support::{Backend, Logs};

/// A table whose entity is derived elsewhere in this program and was never saved.
mod village {
    use redstream_seaorm::Streamed;
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel, Streamed)]
    #[sea_orm(table_name = "villages")]
    pub(crate) struct Model {
        #[sea_orm(primary_key)]
        pub(crate) id: i64,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub(crate) enum Relation {}
}

/// The error of a denied statement.
fn is_denied<T>(outcome: Result<T, DbErr>, verb: &str, instead: &str) {
    let error = outcome.err().unwrap_or_else(|| panic!("the {verb} went through"));
    assert_carries!(error, Error::Bypass { table, verb: found, view: None } if table == "cities" && *found == verb);
    for piece in [instead, "producer.bulk"] {
        assert!(error.to_string().contains(piece), "{piece}: {error}");
    }
}

/// Every way of SeaORM to bypass the hooks, each refused, on a connection or a transaction.
async fn every_way_is_denied<C: ConnectionTrait + StreamTrait>(world: &World, db: &C) {
    let city = world.existing(100, "Rome").await;
    is_denied(city::Entity::insert(named("Oslo")).exec(db).await, "INSERT", "Bulk::insert_many");
    is_denied(city::Entity::insert(with_key(7, "Oslo")).exec_without_returning(db).await, "INSERT", "ActiveModel");
    is_denied(city::Entity::insert(named("Oslo")).exec_with_returning(db).await, "INSERT", "ActiveModel");
    is_denied(city::Entity::insert_many([named("Oslo"), named("Lima")]).exec(db).await, "INSERT", "insert_many");
    let upsert = OnConflict::column(city::Column::Id).update_column(city::Column::Name).to_owned();
    is_denied(city::Entity::insert(with_key(100, "Roma")).on_conflict(upsert).exec(db).await, "INSERT", "upsert_many");
    is_denied(city::Entity::update(renamed(&city, "Roma")).exec(db).await, "UPDATE", "ActiveModel");
    let every = || city::Entity::update_many().col_expr(city::Column::Name, Expr::value("Roma"));
    is_denied(every().exec(db).await, "UPDATE", "Bulk::update_many");
    if db.support_returning() {
        is_denied(every().exec_with_returning(db).await, "UPDATE", "Bulk::update_many");
        is_denied(city::Entity::delete_many().exec_with_returning(db).await, "DELETE", "Bulk::delete_many");
    }
    is_denied(city::Entity::delete(city.clone().into_active_model()).exec(db).await, "DELETE", "delete by a model");
    is_denied(city::Entity::delete_by_id(100).exec(db).await, "DELETE", "Bulk::delete_many");
    is_denied(city::Entity::delete_many().filter(city::Column::Id.eq(100)).exec(db).await, "DELETE", "Bulk");
    let backend = ConnectionTrait::get_database_backend(db);
    let raw = |sql: &str| Statement::from_string(backend, sql);
    is_denied(db.execute_raw(raw("DELETE FROM cities")).await, "DELETE", "Bulk");
    is_denied(db.execute_unprepared("SELECT 1; DELETE FROM cities").await, "DELETE", "Bulk");
    is_denied(db.query_one_raw(raw("UPDATE cities SET name = 'Roma'")).await, "UPDATE", "Bulk");
    is_denied(db.query_all_raw(raw("INSERT INTO cities (name) VALUES ('Oslo')")).await, "INSERT", "Bulk");
    is_denied(db.stream_raw(raw("DELETE FROM cities")).await.map(drop), "DELETE", "Bulk");
    assert_eq!((world.count().await, world.name(100).await.unwrap()), (1, "Rome".to_owned()));
}

on_each_database! {
    async fn every_way_round_the_hooks_is_denied_before_it_runs(db: TestDb) {
        let world = World::new(&db).await;
        every_way_is_denied(&world, &world.db).await;
        city::Entity::delete_many().exec(&world.plain).await.unwrap();
        let txn = world.db.begin().await.unwrap();
        if db.backend() == Backend::Sqlite {
            // A query from outside would wait for the transaction.
            txn.rollback().await.unwrap();
            return;
        }
        every_way_is_denied(&world, &txn).await;
        // They were refused before they ran, so the transaction is not affected.
        named("Oslo").insert(&txn).await.unwrap();
        txn.commit().await.unwrap();
        assert_eq!(world.count().await, 2);
    }

    async fn saves_and_bulk_operations_and_reads_are_not(db: TestDb) {
        let world = World::new(&db).await;
        let rome = named("Rom").insert(&world.db).await.unwrap();
        renamed(&rome, "Rome").update(&world.db).await.unwrap();
        let txn = world.db.begin().await.unwrap();
        let oslo = named("Oslo").insert(&txn).await.unwrap();
        renamed(&oslo, "Christiania").update_without_returning(&txn).await.unwrap();
        let inner = txn.begin().await.unwrap();
        oslo.clone().delete(&inner).await.unwrap();
        inner.commit().await.unwrap();
        txn.commit().await.unwrap();
        let producer = world.db.producer();
        let written: Result<_, DbErr> = producer
            .bulk(&world.db, std::slice::from_ref(&rome), async |txn| {
                let statement = "UPDATE cities SET name = 'Roma'; ";
                txn.execute_unprepared(statement).await?;
                let deeper = txn.begin().await?;
                city::Entity::update_many().col_expr(city::Column::Name, Expr::value("Rome")).exec(&deeper).await?;
                sea_orm::TransactionSession::commit(deeper).await
            })
            .await;
        written.unwrap();
        let found: Vec<_> = city::Entity::find().stream(&world.db).await.unwrap().try_collect().await.unwrap();
        assert_eq!(found.len(), 1);
        rome.delete(&world.db).await.unwrap();
        world.db.execute_unprepared("CREATE TABLE elsewhere (id INT); INSERT INTO elsewhere VALUES (1)").await.unwrap();
    }

    async fn a_bypass_is_warned_of_once_for_each_text_and_runs(db: TestDb) {
        let logs = Logs::capture();
        let world = World::new(&db).await;
        let warning = world.db.to_builder().guard(BypassGuard::default()).build();
        for name in ["Oslo", "Lima"] {
            city::Entity::insert(named(name)).exec(&warning).await.unwrap();
        }
        assert_eq!(world.count().await, 2);
        let warnings = logs.text().matches("goes round the hooks").count();
        assert_eq!(warnings, 1, "the second has the same text: {}", logs.text());
        assert!(logs.has(&["WARN", "INSERT of `cities`", "Bulk::insert_many", "insert"]), "{}", logs.text());
        warning.execute_unprepared("DELETE FROM cities").await.unwrap();
        assert!(logs.has(&["WARN", "DELETE of `cities`", "Bulk::delete_many"]), "{}", logs.text());
        assert_eq!(world.count().await, 0);
        assert_eq!((world.delay().await, world.main().await), (ids([]), ids([])));
    }

    async fn where_it_is_off_nothing_is_said_and_saves_are_followed_all_the_same(db: TestDb) {
        let logs = Logs::capture();
        let world = World::new(&db).await;
        let off = world.db.to_builder().guard(BypassGuard::Off).build();
        city::Entity::insert(with_key(100, "Oslo")).exec(&off).await.unwrap();
        let lima = named("Lima").insert(&off).await.unwrap();
        assert!(!logs.text().contains("goes round the hooks"), "{}", logs.text());
        assert_eq!((world.delay().await, world.main().await), (ids([lima.id]), ids([lima.id])));
    }

    async fn a_select_whose_common_table_expression_writes_is_denied(db: TestDb) {
        let world = World::new(&db).await;
        world.existing(100, "Rome").await;
        let gone = Query::delete().from_table(city::Entity).returning_all().to_owned();
        let gone = CommonTableExpression::new().query(gone).table_name("gone").to_owned();
        let select = Query::select().column(Asterisk).from("gone").with_cte(gone).to_owned();
        if db.backend() == Backend::Postgres {
            is_denied(world.db.query_all(&select).await, "DELETE", "Bulk::delete_many");
            is_denied(world.db.query_one(&select).await, "DELETE", "Bulk::delete_many");
            is_denied(world.db.stream(&select).await.map(drop), "DELETE", "Bulk::delete_many");
            let txn = world.db.begin().await.unwrap();
            is_denied(txn.query_all(&select).await, "DELETE", "Bulk::delete_many");
        } else {
            world.db.query_all(&select).await.expect_err("no such statement on this database");
        }
        assert_eq!(world.count().await, 1);
    }

    async fn a_table_is_known_before_anything_was_saved(db: TestDb) {
        let world = World::new(&db).await;
        world.create(village::Entity).await;
        let error = world.db.execute_unprepared("INSERT INTO villages (id) VALUES (1)").await.unwrap_err();
        assert_carries!(error, Error::Bypass { table, verb: "INSERT", view: None } if table == "villages");
    }

    async fn a_hook_answers_for_one_statement_only(db: TestDb) {
        let world = World::new(&db).await;
        let txn = world.db.begin().await.unwrap();
        named("Oslo").insert(&txn).await.unwrap();
        is_denied(city::Entity::insert(named("Lima")).exec(&txn).await, "INSERT", "Bulk::insert_many");
        txn.rollback().await.unwrap();
        named("Oslo").insert(&world.db).await.unwrap();
        is_denied(city::Entity::insert(named("Lima")).exec(&world.db).await, "INSERT", "Bulk::insert_many");
        assert_eq!(world.count().await, 1);
    }
}
