//! An application that is converted by one `use` line per file keeps its functions, and its changes are tracked.

use redstream_seaorm::drop_in::{
    AccessMode, ActiveModelTrait, ConnectionTrait, DatabaseExecutor, DbErr, EntityTrait, IntoDatabaseExecutor,
    IsolationLevel, TransactionError, TransactionTrait,
};

use super::city::{self, named};
use super::world::{World, id, ids};
use crate::support::Backend;

/// A file of an application. Except for its first line it uses SeaORM.
mod application {
    use redstream_seaorm::drop_in as sea_orm;

    use sea_orm::{
        DatabaseConnection, DatabaseTransaction, IntoDatabaseExecutor, TransactionTrait, entity::prelude::*,
    };

    use super::super::city;

    pub(super) struct State {
        pub(super) db: DatabaseConnection,
    }

    pub(super) async fn found(db: &DbConn, name: &str) -> Result<city::Model, DbErr> {
        city::named(name).insert(db).await
    }

    pub(super) async fn found_within(txn: &DatabaseTransaction, name: &str) -> Result<city::Model, DbErr> {
        city::named(name).insert(txn).await
    }

    pub(super) async fn found_either_way(db: impl IntoDatabaseExecutor<'_>, name: &str) -> Result<city::Model, DbErr> {
        city::named(name).insert(&db.into_database_executor()).await
    }

    pub(super) async fn found_together(db: impl IntoDatabaseExecutor<'_>, name: &str) -> Result<city::Model, DbErr> {
        let txn = db.into_database_executor().begin().await?;
        let city = found_within(&txn, name).await?;
        txn.commit().await?;
        Ok(city)
    }
}

on_each_database! {
    async fn changes_are_followed_through_every_type_that_functions_take(db: TestDb) {
        let world = World::new(&db).await;
        let state = application::State { db: world.db.clone() };
        application::found(&state.db, "Rome").await.unwrap();
        let txn = state.db.begin().await.unwrap();
        application::found_within(&txn, "Oslo").await.unwrap();
        application::found_either_way(&txn, "Bonn").await.unwrap();
        application::found_together(&txn, "Lima").await.unwrap();
        assert_eq!(world.main().await, [id(1)], "nothing of the transaction before its commit");
        txn.commit().await.unwrap();
        application::found_either_way(&state.db, "Kiel").await.unwrap();
        application::found_together(&state.db, "Cork").await.unwrap();
        world.announced(&ids(1..=6)).await;
        world.insured(&ids(1..=6)).await;
    }

    async fn an_executor_that_owns_its_transaction_takes_it_along(db: TestDb) {
        let world = World::new(&db).await;
        let executor = world.db.begin().await.unwrap().into_database_executor();
        assert!(executor.is_transaction());
        assert_eq!(executor.get_database_backend(), world.plain.get_database_backend());
        assert_eq!(executor.support_returning(), world.plain.support_returning());
        named("Rome").insert(&executor).await.unwrap();
        drop(executor);
        world.nothing_is_announced().await;
        assert_eq!(world.count().await, 0);

        let executor = world.db.begin().await.unwrap().into_database_executor();
        let kept = named("Oslo").insert(&executor).await.unwrap();
        let DatabaseExecutor::OwnedTransaction(txn) = executor else { panic!("it was one") };
        txn.commit().await.unwrap();
        assert_eq!(world.main().await.last(), Some(&id(kept.id)));
        assert!(!DatabaseExecutor::from(&world.db).is_transaction());
    }

    async fn closures_commit_where_they_succeed_and_roll_back_where_they_fail(db: TestDb) {
        let world = World::new(&db).await;
        let kept = world.db.transaction_async(async |txn| named("Rome").insert(txn).await).await.unwrap();
        world.announced(&[id(kept.id)]).await;

        let failed = world.db.transaction_async(async |txn| {
            named("Oslo").insert(txn).await?;
            Err::<(), _>(DbErr::Custom("second thoughts".to_owned()))
        });
        let failed = failed.await.unwrap_err();
        assert!(matches!(&failed, TransactionError::Transaction(DbErr::Custom(why)) if why == "second thoughts"));
        world.nothing_is_announced_but([kept.id]).await;
        assert_eq!(world.count().await, 1);
    }

    async fn closures_go_through_executors_and_nest(db: TestDb) {
        let world = World::new(&db).await;
        let executor = DatabaseExecutor::from(&world.db);
        let found = executor.transaction_async(async |txn| {
            let outer = named("Rome").insert(txn).await?;
            let within = DatabaseExecutor::from(txn);
            let inner = within.transaction_async(async |txn| named("Oslo").insert(txn).await).await;
            let undone = within.transaction::<_, (), _>(|txn| {
                Box::pin(async move {
                    named("Bonn").insert(txn).await?;
                    Err(DbErr::Custom("second thoughts".to_owned()))
                })
            });
            assert!(undone.await.is_err());
            Ok::<_, DbErr>([outer.id, inner.map_err(|error| DbErr::Custom(error.to_string()))?.id])
        });
        let found = found.await.unwrap();
        world.nothing_is_announced_but(found).await;
        assert_eq!(world.count().await, 2);
    }

    async fn closures_take_an_isolation_level_and_an_access_mode(db: TestDb) {
        let world = World::new(&db).await;
        let level = Some(IsolationLevel::Serializable);
        let insert = async |txn: &_| named("Rome").insert(txn).await;
        let written = world.db.transaction_with_config_async(insert, level, Some(AccessMode::ReadWrite)).await.unwrap();
        world.announced(&[id(written.id)]).await;
        // SQLite has no such mode.
        if db.backend() != Backend::Sqlite {
            let executor = DatabaseExecutor::from(&world.db);
            let refused = executor.transaction_with_config_async(insert, level, Some(AccessMode::ReadOnly)).await;
            assert!(matches!(refused, Err(TransactionError::Transaction(_))), "{refused:?}");
            assert_eq!(world.count().await, 1);
        }
    }

    async fn a_schema_is_built_through_the_connection(db: TestDb) {
        let world = World::new(&db).await;
        world.db.execute_unprepared("DROP TABLE cities").await.unwrap();
        world.db.get_schema_builder().register(city::Entity).apply(&world.db).await.unwrap();
        assert_eq!(city::Entity::find().all(&world.db).await.unwrap(), []);
        let executor = DatabaseExecutor::from(&world.db);
        assert!(executor.get_schema_builder().register(city::Entity).apply(&executor).await.is_err(), "it is there");
    }

    async fn a_connection_is_closed_for_its_clones_too(db: TestDb) {
        let world = World::new(&db).await;
        world.db.ping().await.unwrap();
        world.db.clone().close().await.unwrap();
        assert!(world.db.ping().await.is_err());
        assert!(named("Rome").insert(&world.db).await.is_err());
        world.nothing_is_announced().await;
    }
}
