//! Writes whose future is dropped while their statement runs, as a timeout or a `select!` does.

use std::sync::Arc;

use redstream_seaorm::{BypassGuard, Error, StreamedConnection};
use sea_orm::{
    ActiveModelTrait, ConnectionTrait, DatabaseConnection, EntityTrait, PaginatorTrait, Set, TransactionTrait,
};
use serde_json::json;

use super::city::{named, renamed, with_key};
use super::world::{World, id, ids};
use super::wrappers::{Interference, Interfering, Swallowing};
use crate::support::{Backend, TestDb};

/// Its key is a text that the database generates.
mod ticket {
    use redstream_seaorm::Streamed;
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel, Streamed)]
    #[sea_orm(table_name = "tickets")]
    pub(crate) struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub(crate) id: String,
        pub(crate) name: String,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub(crate) enum Relation {}
}

fn swallowing_below(world: &World) -> (Arc<Swallowing>, StreamedConnection<Interfering<DatabaseConnection>>) {
    let swallowing = Arc::<Swallowing>::default();
    (swallowing.clone(), world.interfered(swallowing))
}

on_each_database! {
    async fn an_insert_that_was_cut_off_is_not_committed_without_being_insured(db: TestDb) {
        let world = World::new(&db).await;
        let (swallowing, connection) = swallowing_below(&world);
        let txn = connection.begin().await.unwrap();
        with_key(100, "Oslo").insert(&txn).await.unwrap();
        swallowing.cut_off(named("Rome").insert(&txn)).await;
        assert_carries!(txn.commit().await.unwrap_err(), Error::InsertCutOff);
        assert_eq!(world.count().await, 0);
        world.nothing_is_announced().await;
    }

    async fn it_goes_with_its_savepoint(db: TestDb) {
        let world = World::new(&db).await;
        let (swallowing, connection) = swallowing_below(&world);
        let outer = connection.begin().await.unwrap();
        with_key(100, "Oslo").insert(&outer).await.unwrap();
        let inner = outer.begin().await.unwrap();
        swallowing.cut_off(named("Rome").insert(&inner)).await;
        inner.rollback().await.unwrap();
        outer.commit().await.unwrap();
        assert_eq!((world.main().await, world.count().await), (ids([100]), 1));
    }

    async fn or_is_released_with_it_and_refused_by_the_outer_commit(db: TestDb) {
        let world = World::new(&db).await;
        let (swallowing, connection) = swallowing_below(&world);
        let outer = connection.begin().await.unwrap();
        with_key(100, "Oslo").insert(&outer).await.unwrap();
        let inner = outer.begin().await.unwrap();
        swallowing.cut_off(named("Rome").insert(&inner)).await;
        inner.commit().await.unwrap();
        assert_carries!(outer.commit().await.unwrap_err(), Error::InsertCutOff);
        assert_eq!(world.count().await, 0);
    }

    async fn what_was_insured_before_its_statement_may_be_cut_off(db: TestDb) {
        let world = World::new(&db).await;
        let city = world.existing(100, "Rom").await;
        let (swallowing, connection) = swallowing_below(&world);
        let txn = connection.begin().await.unwrap();
        // A generated key that was returned does not block the commit.
        let lima = named("Lima").insert(&txn).await.unwrap();
        swallowing.cut_off(with_key(1000, "Oslo").insert(&txn)).await;
        swallowing.cut_off(renamed(&city, "Rome").update(&txn)).await;
        txn.commit().await.unwrap();
        assert_eq!(world.count().await, 3);
        let delay = world.delay().await;
        for key in [100, lima.id, 1000] {
            assert!(delay.contains(&id(key)), "{key}: {delay:?}");
        }
    }

    async fn a_refused_insert_keeps_no_other_waiting(db: TestDb) {
        let world = World::new(&db).await;
        let index = "CREATE UNIQUE INDEX one_of_a_name ON cities (name)";
        world.plain.execute_unprepared(index).await.unwrap();
        let txn = world.db.begin().await.unwrap();
        let inner = txn.begin().await.unwrap();
        named("Rome").insert(&inner).await.unwrap();
        named("Rome").insert(&inner).await.unwrap_err();
        inner.rollback().await.unwrap();
        let rome = named("Rome").insert(&txn).await.unwrap();
        txn.commit().await.unwrap();
        assert_eq!(world.main().await, ids([rome.id]));
    }

    async fn a_generated_key_that_is_no_number_is_insured_where_the_database_tells_it(db: TestDb) {
        let mut world = World::new(&db).await;
        let made = match db.backend() {
            Backend::Sqlite => "(lower(hex(randomblob(8))))",
            Backend::Postgres => "md5(random()::text)",
            Backend::MariaDb => "(uuid())",
        };
        let table = format!("CREATE TABLE tickets (id VARCHAR(64) PRIMARY KEY DEFAULT {made}, name TEXT NOT NULL)");
        world.plain.execute_unprepared(&table).await.unwrap();
        let ticket = || ticket::ActiveModel { name: Set("Rome".to_owned()), ..Default::default() };
        let count = async |world: &World| ticket::Entity::find().count(&world.plain).await.unwrap();
        if world.plain.support_returning() {
            let ticket = ticket().insert(&world.db).await.unwrap();
            assert_eq!(world.payloads("tickets").await, [json!({ "id": ticket.id })]);
            assert_eq!(world.payloads("tickets.delay").await, [json!({ "id": ticket.id })]);
            assert_eq!(count(&world).await, 1);
            return;
        }
        world.db = world.db.to_builder().guard(BypassGuard::Off).build();
        let error = ticket().insert(&world.db).await.unwrap_err();
        assert_carries!(error, Error::GeneratedKey { table } if table == "tickets");
        let txn = world.db.begin().await.unwrap();
        let error = ticket().insert(&txn).await.unwrap_err();
        assert_carries!(error, Error::GeneratedKey { table } if table == "tickets");
        // A caller that continues anyway cannot commit.
        assert_carries!(txn.commit().await.unwrap_err(), Error::InsertCutOff);
        assert_eq!(count(&world).await, 0);
    }
}

/// As with SeaORM's feature `mariadb-use-returning`.
#[derive(Debug)]
struct Returning;

impl Interference for Returning {
    fn support_returning(&self) -> Option<bool> {
        Some(true)
    }
}

/// `SeaQuery` leaves RETURNING out for `MariaDB`, so SeaORM inserts a row and finds none in the answer.
#[tokio::test]
async fn an_insert_whose_row_does_not_come_back_is_not_committed() {
    let db = TestDb::new(Backend::MariaDb).await;
    let world = World::new(&db).await;
    let connection = world.interfered(Arc::new(Returning));
    let error = named("Rome").insert(&connection).await.unwrap_err();
    assert_carries!(error, Error::GeneratedKey { table } if table == "cities");
    let txn = connection.begin().await.unwrap();
    let error = named("Rome").insert(&txn).await.unwrap_err();
    assert_carries!(error, Error::GeneratedKey { table } if table == "cities");
    assert_carries!(txn.commit().await.unwrap_err(), Error::InsertCutOff);
    assert_eq!(world.count().await, 0);

    let rewritten = "CREATE TABLE tickets (id VARCHAR(64) PRIMARY KEY, name TEXT NOT NULL); \
                     CREATE TRIGGER longer BEFORE INSERT ON tickets FOR EACH ROW SET NEW.id = CONCAT(NEW.id, '-x')";
    world.plain.execute_unprepared(rewritten).await.unwrap();
    let ticket = || ticket::ActiveModel { id: Set("a".to_owned()), name: Set("Rome".to_owned()) };
    let error = ticket().insert(&connection).await.unwrap_err();
    assert_carries!(error, Error::KeyRewritten { table } if table == "tickets");
    let txn = connection.begin().await.unwrap();
    let error = ticket().insert(&txn).await.unwrap_err();
    assert_carries!(error, Error::KeyRewritten { table } if table == "tickets");
    assert_carries!(txn.commit().await.unwrap_err(), Error::InsertCutOff);
    assert_eq!(ticket::Entity::find().count(&world.plain).await.unwrap(), 0);
    world.nothing_is_announced().await;
}
