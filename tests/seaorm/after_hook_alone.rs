//! Code that calls only the hook after a write, as some frameworks do: the change is insured and announced there.

use redstream_seaorm::{BypassGuard, hooks};
use sea_orm::sea_query::Expr;
use sea_orm::{ColumnTrait, ConnectionTrait, EntityTrait, IntoActiveModel, QueryFilter, TransactionTrait};

use super::city::{self, with_key};
use super::world::{World, id, ids};
use crate::support::Logs;

/// An update by a framework that calls no hook before it.
async fn update<C: ConnectionTrait>(db: &C, key: i64) {
    let rename = city::Entity::update_many().col_expr(city::Column::Name, Expr::value("Roma"));
    rename.filter(city::Column::Id.eq(key)).exec(db).await.unwrap();
    let model = city::Entity::find_by_id(key).one(db).await.unwrap().unwrap();
    hooks::after_save::<city::Entity, _>(&model, db, false).await.unwrap();
}

/// An insert, likewise.
async fn insert<C: ConnectionTrait>(db: &C, key: i64) {
    city::Entity::insert(with_key(key, "Oslo")).exec_without_returning(db).await.unwrap();
    let model = city::Entity::find_by_id(key).one(db).await.unwrap().unwrap();
    hooks::after_save::<city::Entity, _>(&model, db, true).await.unwrap();
}

/// A delete, likewise.
async fn delete<C: ConnectionTrait>(db: &C, key: i64) {
    let model = city::Entity::find_by_id(key).one(db).await.unwrap().unwrap();
    city::Entity::delete_by_id(key).exec(db).await.unwrap();
    hooks::after_delete(&model.into_active_model(), db).await.unwrap();
}

on_each_database! {
    async fn outside_a_transaction_the_change_is_insured_and_announced_late_with_a_warning(test: TestDb) {
        let logs = Logs::capture();
        let world = World::new(&test).await;
        let off = world.db.to_builder().guard(BypassGuard::Off).build();
        for key in 1..=2 {
            world.existing(key, "Rome").await;
        }
        update(&off, 1).await;
        delete(&off, 2).await;
        insert(&off, 3).await;
        assert_eq!((world.delay().await, world.main().await), (ids([1, 2, 3]), ids([1, 2, 3])));
        assert!(logs.has(&["WARN", "without the hook before it", "cities"]), "{}", logs.text());
    }

    async fn in_a_transaction_it_is_insured_before_the_commit_and_announced_after_it(test: TestDb) {
        let world = World::new(&test).await;
        let off = world.db.to_builder().guard(BypassGuard::Off).build();
        for key in 1..=2 {
            world.existing(key, "Rome").await;
        }
        let txn = off.begin().await.unwrap();
        update(&txn, 1).await;
        delete(&txn, 2).await;
        insert(&txn, 3).await;
        txn.commit().await.unwrap();
        assert_eq!((world.delay().await, world.main().await), (ids([1, 2, 3]), ids([1, 2, 3])));
    }

    async fn in_a_scope_it_is_insured_and_announced(test: TestDb) {
        let world = World::new(&test).await;
        for key in 1..=2 {
            world.existing(key, "Rome").await;
        }
        world
            .db
            .scope(async {
                update(&world.plain, 1).await;
                delete(&world.plain, 2).await;
                insert(&world.plain, 3).await;
            })
            .await;
        assert_eq!((world.delay().await, world.main().await), (ids([1, 2, 3]), ids([1, 2, 3])));
    }

    async fn both_hooks_announce_once(test: TestDb) {
        let world = World::new(&test).await;
        let model = world.existing(1, "Rome").await;
        let renamed = city::renamed(&model, "Roma");
        hooks::before_save(&renamed, &world.db, false).await.unwrap();
        let rome = city::Entity::update(renamed).exec(&world.db).await.unwrap();
        hooks::after_save::<city::Entity, _>(&rome, &world.db, false).await.unwrap();
        assert_eq!((world.delay().await, world.main().await), (vec![id(1)], vec![id(1)]));
    }
}
