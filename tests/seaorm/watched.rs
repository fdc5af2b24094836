//! `db.watched()`: SeaORM's own connection reports which of its statements are missed.

use redstream_seaorm::{Bulk, BypassGuard};
use sea_orm::sea_query::Expr;
use sea_orm::{
    ActiveModelTrait, ColumnTrait, ConnectionTrait, EntityTrait, ModelTrait, QueryFilter, Statement, TransactionTrait,
};

use super::city::{self, named, renamed, with_key};
use super::world::World;
use crate::support::Logs;

/// An entity whose own behaviour calls no hook.
mod forgetful {
    use redstream_seaorm::Streamed;
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, DeriveEntityModel, Streamed)]
    #[sea_orm(table_name = "forgetful")]
    #[streamed(manual)]
    pub(super) struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub(super) id: i64,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub(super) enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

const MISSED: &str = "no hook told of it before";

fn missed(logs: &Logs) -> usize {
    logs.text().matches(MISSED).count()
}

on_each_database! {
    async fn a_statement_that_no_hook_told_of_is_warned_of_once_for_each_text(db: TestDb) {
        let logs = Logs::capture();
        let world = World::new(&db).await;
        let plain = world.db.to_builder().guard(BypassGuard::Warn).build().watched();
        for name in ["Rome", "Oslo"] {
            city::Entity::insert_many([named(name)]).exec(&plain).await.unwrap();
        }
        assert_eq!(missed(&logs), 1, "the second has the same text: {}", logs.text());
        assert!(logs.has(&["WARN", MISSED, "cities", "INSERT"]), "{}", logs.text());
        let rename = || city::Entity::update_many().col_expr(city::Column::Name, Expr::value("Roma"));
        rename().exec(&plain).await.unwrap();
        assert!(logs.has(&["WARN", MISSED, "cities", "UPDATE"]), "{}", logs.text());
        let txn = plain.begin().await.unwrap();
        city::Entity::delete_many().filter(city::Column::Id.gt(0)).exec(&txn).await.unwrap();
        txn.commit().await.unwrap();
        assert!(logs.has(&["WARN", MISSED, "cities", "DELETE"]), "{}", logs.text());
        let raw = Statement::from_string(plain.get_database_backend(), "UPDATE cities SET name = 'X' WHERE id = 1");
        plain.execute_raw(raw).await.unwrap();
        assert_eq!(missed(&logs), 4, "{}", logs.text());
        // Not in a scope either.
        world.db.scope(rename().filter(city::Column::Id.eq(7)).exec(&plain)).await.unwrap();
        assert_eq!(missed(&logs), 5, "{}", logs.text());
    }

    async fn reads_and_tables_that_are_not_streamed_say_nothing(db: TestDb) {
        let logs = Logs::capture();
        let world = World::new(&db).await;
        let plain = world.db.watched();
        city::Entity::find().all(&plain).await.unwrap();
        for sql in ["CREATE TABLE elsewhere (id INT)", "INSERT INTO elsewhere VALUES (1)"] {
            plain.execute_raw(Statement::from_string(plain.get_database_backend(), sql)).await.unwrap();
        }
        assert_eq!(missed(&logs), 0, "{}", logs.text());
    }

    async fn saves_in_a_scope_were_told_of(db: TestDb) {
        let logs = Logs::capture();
        let world = World::new(&db).await;
        let plain = world.db.watched();
        let write = async {
            let rome = with_key(1, "Rome").insert(&plain).await.unwrap();
            renamed(&rome, "Roma").update(&plain).await.unwrap().delete(&plain).await.unwrap();
            let txn = plain.begin().await.unwrap();
            named("Oslo").insert(&txn).await.unwrap();
            txn.commit().await.unwrap();
        };
        world.db.scope(write).await;
        assert_eq!(missed(&logs), 0, "{}", logs.text());
        // A hook announces one statement and not the next.
        let next = async {
            with_key(102, "Lima").insert(&plain).await.unwrap();
            city::Entity::insert(with_key(103, "Lima")).exec_without_returning(&plain).await.unwrap();
        };
        world.db.scope(next).await;
        assert_eq!(missed(&logs), 1, "{}", logs.text());
    }

    async fn an_entity_whose_behaviour_calls_no_hook_is_warned_of(db: TestDb) {
        let logs = Logs::capture();
        let world = World::new(&db).await;
        world.create(forgetful::Entity).await;
        let plain = world.db.watched();
        let row = |id| forgetful::ActiveModel { id: sea_orm::Set(id) };
        row(1).insert(&plain).await.unwrap();
        world.db.scope(row(2).insert(&plain)).await.unwrap();
        assert_eq!(missed(&logs), 2, "{}", logs.text());
        assert!(logs.has(&["ERROR", MISSED, "forgetful"]), "the guard denies, so each is an error: {}", logs.text());
    }

    async fn the_streamed_connection_on_the_same_pool_and_a_guard_that_is_off_say_nothing(db: TestDb) {
        let logs = Logs::capture();
        let world = World::new(&db).await;
        let _watched = world.db.watched();
        with_key(1, "Rome").insert(&world.db).await.unwrap();
        Bulk::<city::Entity>::new().delete_many(&world.db).await.unwrap();
        let off = world.db.to_builder().guard(BypassGuard::Off).build().watched();
        city::Entity::insert(with_key(3, "Lima")).exec_without_returning(&off).await.unwrap();
        assert_eq!(missed(&logs), 0, "{}", logs.text());
    }

    async fn a_statement_that_failed_wrote_nothing(db: TestDb) {
        let logs = Logs::capture();
        let world = World::new(&db).await;
        world.existing(1, "Rome").await;
        let plain = world.db.watched();
        city::Entity::insert(with_key(1, "Again")).exec_without_returning(&plain).await.unwrap_err();
        assert_eq!(missed(&logs), 0, "{}", logs.text());
    }
}
