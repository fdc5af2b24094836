//! Within SeaORM's role based access control: permitted writes of a user are tracked, others are refused.

use redstream_seaorm::{Bulk, BulkExt, Error};
use sea_orm::rbac::{RbacContext, RbacUserId, schema};
use sea_orm::sea_query::Expr;
use sea_orm::{
    ActiveModelTrait, ColumnTrait, ConnectionTrait, DbErr, EntityTrait, ModelTrait, QueryFilter, TransactionTrait,
};

use super::city::{self, named, renamed, with_key};
use super::world::{World, id, ids};
use crate::support::TestDb;

const MAYOR: RbacUserId = RbacUserId(1);
const GUEST: RbacUserId = RbacUserId(2);

/// A world with rules: the mayor may do anything to cities, the guest may read them.
async fn ruled(db: &TestDb) -> World {
    let world = World::new(db).await;
    let plain = &world.plain;
    schema::create_tables(plain, schema::RbacCreateTablesParams::default()).await.unwrap();
    let mut rules = RbacContext::load(plain).await.unwrap();
    rules.add_tables(plain, &["cities"]).await.unwrap();
    rules.add_crud_permissions(plain).await.unwrap();
    rules.add_roles(plain, &["mayor", "guest"]).await.unwrap();
    rules.assign_user_role(plain, &[(MAYOR.0, "mayor"), (GUEST.0, "guest")]).await.unwrap();
    rules.add_role_permissions(plain, "guest", &["select"], &["cities"]).await.unwrap();
    let all = ["select", "insert", "update", "delete"];
    rules.add_role_permissions(plain, "mayor", &all, &["cities"]).await.unwrap();
    world.db.load_rbac().await.unwrap();
    world
}

fn is_refused<T: std::fmt::Debug>(outcome: Result<T, DbErr>) {
    let error = outcome.unwrap_err();
    assert!(matches!(error, DbErr::AccessDenied { .. }), "{error}");
}

on_each_database! {
    async fn what_a_user_may_write_is_followed(db: TestDb) {
        let world = ruled(&db).await;
        let mayor = world.db.restricted_for(MAYOR).unwrap();
        let rome = named("Rom").insert(&mayor).await.unwrap();
        renamed(&rome, "Rome").update(&mayor).await.unwrap();
        rome.delete(&mayor).await.unwrap();
        world.announced(&ids([1, 1, 1])).await;
        world.insured(&ids([1, 1, 1])).await;

        let txn = mayor.begin().await.unwrap();
        with_key(2, "Oslo").insert(&txn).await.unwrap();
        let undone = txn.begin().await.unwrap();
        with_key(3, "Lima").insert(&undone).await.unwrap();
        undone.rollback().await.unwrap();
        assert_eq!(world.main().await, ids([1, 1, 1]), "nothing of the transaction before its commit");
        txn.commit().await.unwrap();
        assert_eq!(world.main().await.split_off(3), [id(2)]);

        let rename = |update: sea_orm::UpdateMany<city::Entity>| update.col_expr(city::Column::Name, Expr::value("Bonn"));
        assert_eq!(Bulk::<city::Entity>::new().update_many(&mayor, rename).await.unwrap(), 1);
        assert_eq!(world.main().await.split_off(4), [id(2)]);
        assert_eq!(world.name(2).await.unwrap(), "Bonn");
    }

    async fn what_a_user_may_not_write_is_refused_before_it_runs_and_is_not_announced(db: TestDb) {
        let world = ruled(&db).await;
        let rome = world.existing(1, "Rome").await;
        let guest = world.db.restricted_for(GUEST).unwrap();
        assert_eq!(city::Entity::find().one(&guest).await.unwrap(), Some(rome.clone()));
        is_refused(named("Oslo").insert(&guest).await);
        is_refused(renamed(&rome, "Roma").update(&guest).await);
        is_refused(rome.clone().delete(&guest).await);
        is_refused(Bulk::<city::Entity>::new().delete_many(&guest).await);
        let closure = world.db.producer().bulk(&guest, std::slice::from_ref(&rome), async |txn| {
            city::Entity::delete_many().filter(city::Column::Id.eq(1)).exec(txn).await
        });
        is_refused(closure.await);

        let txn = guest.begin().await.unwrap();
        is_refused(named("Oslo").insert(&txn).await);
        is_refused(rome.clone().delete(&txn).await);
        txn.commit().await.unwrap();
        world.nothing_is_announced().await;
        assert_eq!((world.count().await, world.name(1).await.unwrap()), (1, "Rome".to_owned()));
    }

    async fn a_bypass_of_a_user_who_may_write_is_denied_and_raw_sql_is_refused(db: TestDb) {
        let world = ruled(&db).await;
        world.existing(1, "Rome").await;
        let mayor = world.db.restricted_for(MAYOR).unwrap();
        let denied = city::Entity::delete_by_id(1).exec(&mayor).await.unwrap_err();
        assert_carries!(denied, Error::Bypass { table, verb: "DELETE", view: None } if table == "cities");
        let refused = mayor.execute_unprepared("SELECT 1").await;
        assert!(matches!(refused, Err(DbErr::RbacError(_))), "{refused:?}");
        assert_eq!(world.count().await, 1);
    }
}
