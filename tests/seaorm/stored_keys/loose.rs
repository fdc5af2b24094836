//! Keys that lose digits or a time zone when stored in the database.

use redstream_seaorm::{Bulk, BulkError, BulkExt, Error, Indexer, Progress, Streamed};
use sea_orm::prelude::{DateTime, Decimal};
use sea_orm::{ActiveModelTrait, DbErr, EntityTrait, PaginatorTrait, Set, TransactionTrait};
use serde_json::{Value, json};

use crate::seaorm::world::World;
use crate::support::*;

mod price {
    use redstream_seaorm::Streamed;
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel, Streamed)]
    #[sea_orm(table_name = "prices")]
    pub(super) struct Model {
        #[sea_orm(primary_key, auto_increment = false, column_type = "Decimal(Some((10, 2)))")]
        pub(super) amount: Decimal,
        pub(super) note: String,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub(super) enum Relation {}
}

mod event {
    use redstream_seaorm::Streamed;
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel, Streamed)]
    #[sea_orm(table_name = "events")]
    pub(super) struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub(super) at: DateTime,
        pub(super) note: String,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub(super) enum Relation {}
}

fn price(amount: &str) -> price::ActiveModel {
    price::ActiveModel { amount: Set(amount.parse::<Decimal>().unwrap()), note: Set("new".to_owned()) }
}

fn event(at: &str) -> event::ActiveModel {
    event::ActiveModel { at: Set(at.parse::<DateTime>().unwrap()), note: Set("new".to_owned()) }
}

async fn of_prices(backend: Backend) -> (TestDb, World) {
    let test = TestDb::new(backend).await;
    let world = World::new(&test).await;
    world.run("CREATE TABLE prices (amount NUMERIC(10, 2) PRIMARY KEY, note VARCHAR(50) NOT NULL)").await;
    world
        .run(match backend {
            Backend::MariaDb => "CREATE TABLE events (at DATETIME PRIMARY KEY, note VARCHAR(50) NOT NULL)",
            _ => "CREATE TABLE events (at TIMESTAMP(0) PRIMARY KEY, note VARCHAR(50) NOT NULL)",
        })
        .await;
    (test, world)
}

fn amounts(amounts: &[&str]) -> Vec<Value> {
    amounts.iter().map(|amount| json!({ "amount": amount })).collect()
}

/// What an indexer finds: how many rows, and how many keys without one.
async fn indexed(world: &World) -> (usize, usize) {
    use std::sync::{Arc, Mutex};
    struct Counted(Arc<Mutex<(usize, usize)>>);
    impl redstream_seaorm::Sink<price::Entity> for Counted {
        async fn write(
            &self,
            changes: redstream_seaorm::Changes<price::Entity>,
        ) -> Result<(), redstream_seaorm::HandlerError> {
            let mut counted = self.0.lock().unwrap();
            counted.0 += changes.upserts.len();
            counted.1 += changes.deletes.len();
            Ok(())
        }
    }
    let counted = Arc::new(Mutex::default());
    let indexer = Indexer::<price::Entity, _, _>::new(world.plain.clone(), Counted(counted.clone()));
    let consumer = world.redstream.stream(price::Entity::stream()).unwrap().consumer("search", indexer);
    while consumer.run_once().await.unwrap() != Progress::Idle {}
    let found = counted.lock().unwrap();
    *found
}

#[tokio::test]
async fn a_decimal_that_is_rounded_is_announced_as_the_database_has_it_on_postgres() {
    let (_test, world) = of_prices(Backend::Postgres).await;
    price("1.005").insert(&world.db).await.unwrap();
    assert_eq!(world.payloads("prices").await, amounts(&["1.01"]));
    assert_eq!(world.payloads("prices.delay").await, amounts(&["1.005", "1.01"]));
    let txn = world.db.begin().await.unwrap();
    price("2.005").insert(&txn).await.unwrap();
    txn.commit().await.unwrap();
    Bulk::<price::Entity>::new().insert_many(&world.db, [price("3.005"), price("4.25")]).await.unwrap();
    assert_eq!(world.payloads("prices").await[1..], amounts(&["2.01", "3.01", "4.25"]));
    assert_eq!(indexed(&world).await, (4, 0));
    let at = event("2026-02-01T12:00:00.7").insert(&world.db).await.unwrap();
    assert_eq!(at.at.to_string(), "2026-02-01 12:00:01");
    assert_eq!(world.payloads("events").await, [json!({ "at": "2026-02-01T12:00:01" })]);
}

#[tokio::test]
async fn a_decimal_that_is_rounded_is_refused_on_mariadb_which_does_not_tell_it() {
    let (_test, world) = of_prices(Backend::MariaDb).await;
    let error = price("1.005").insert(&world.db).await.unwrap_err();
    assert_carries!(error, Error::KeyRewritten { table } if table == "prices");
    let many = Bulk::<price::Entity>::new().insert_many(&world.db, [price("3.005"), price("4.25")]).await;
    assert_carries!(many.unwrap_err(), BulkError::RewrittenKeys { table } if table == "prices");
    let txn = world.db.begin().await.unwrap();
    let error = price("2.005").insert(&txn).await.unwrap_err();
    assert_carries!(error, Error::KeyRewritten { table } if table == "prices");
    assert_carries!(txn.commit().await.unwrap_err(), Error::InsertCutOff);
    let error = event("2026-02-01T12:00:00.7").insert(&world.db).await.unwrap_err();
    assert_carries!(error, Error::KeyRewritten { table } if table == "events");
    assert_eq!(price::Entity::find().count(&world.plain).await.unwrap(), 0);
    assert_eq!(world.payloads("prices").await, amounts(&[]));
    // In the database's form they are accepted.
    price("1.01").insert(&world.db).await.unwrap();
    event("2026-02-01T12:00:01").insert(&world.db).await.unwrap();
    assert_eq!(world.payloads("prices").await, amounts(&["1.01"]));
    assert_eq!(indexed(&world).await, (1, 0));
}

#[tokio::test]
async fn a_rounded_decimal_in_a_bulk_operation_is_refused() {
    for backend in [Backend::Postgres, Backend::MariaDb] {
        let (_test, world) = of_prices(backend).await;
        let record = price::Model { amount: "1.005".parse().unwrap(), note: "new".to_owned() };
        let insert = async |txn: &_| price::Entity::insert_many([price("1.005")]).exec_without_returning(txn).await;
        let refused: Result<_, DbErr> = world.db.producer().bulk(&world.db, &[record], insert).await;
        assert_carries!(
            refused.unwrap_err(),
            BulkError::UnknownRow { table, key } if table == "prices" && key == r#"{"amount":"1.005"}"#,
            "{backend}"
        );
        assert_eq!(price::Entity::find().count(&world.plain).await.unwrap(), 0, "{backend}");
    }
}
