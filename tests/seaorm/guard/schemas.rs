//! Tables of one name in several schemas: each is a separate table for the guard, and has a stream of its own.

use redstream_seaorm::{BulkExt, BypassGuard, Error, RedstreamExt, StreamedConnection};
use sea_orm::sea_query::Expr;
use sea_orm::{
    ActiveModelTrait, ConnectOptions, ConnectionTrait, Database, DbErr, EntityTrait, ModelTrait, Set, TransactionTrait,
};
use serde_json::Value;
use uuid::Uuid;

use super::super::world::{World, ids};
use crate::support::{Backend, Logs, TestDb, assert_of_the_database};

/// An entity of a table with a key and a name, in a schema of its own.
macro_rules! entity_in_schema {
    ($name:ident, $schema:literal, $table:literal) => {
        mod $name {
            use redstream_seaorm::Streamed;
            use sea_orm::entity::prelude::*;

            #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel, Streamed)]
            #[sea_orm(schema_name = $schema, table_name = $table)]
            pub(crate) struct Model {
                #[sea_orm(primary_key, auto_increment = false)]
                pub(crate) id: i64,
                pub(crate) name: String,
            }

            #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
            pub(crate) enum Relation {}
        }
    };
}

entity_in_schema!(first, "redstream_first", "dwellers");
entity_in_schema!(second, "redstream_second", "dwellers");
// A name that only one schema has.
entity_in_schema!(hermit, "redstream_first", "hermits");

const TABLES: [&str; 3] = ["redstream_first.dwellers", "redstream_second.dwellers", "redstream_first.hermits"];

/// Two schemas with their tables, and a connection to them that denies bypasses.
struct Schemas {
    world: World,
    db: StreamedConnection,
    /// A key that no other test uses: schemas of MariaDB are global to the server.
    key: i64,
}

impl Schemas {
    async fn new(db: &TestDb) -> Self {
        let world = World::new(db).await;
        let mut plain = world.plain.clone();
        if db.backend() == Backend::Sqlite {
            // A database is attached to one connection.
            plain = Database::connect(ConnectOptions::new(db.url()).max_connections(1).to_owned()).await.unwrap();
        }
        for schema in ["redstream_first", "redstream_second"] {
            let made = match db.backend() {
                Backend::Sqlite => format!("ATTACH ':memory:' AS {schema}"),
                _ => format!("CREATE SCHEMA IF NOT EXISTS {schema}"),
            };
            plain.execute_unprepared(&made).await.unwrap();
        }
        for table in TABLES {
            let made = format!("CREATE TABLE IF NOT EXISTS {table} (id BIGINT PRIMARY KEY, name VARCHAR(40) NOT NULL)");
            plain.execute_unprepared(&made).await.unwrap();
        }
        let streamed = StreamedConnection::builder(plain, world.redstream.producer()).guard(BypassGuard::Deny).build();
        let key = i64::from(Uuid::new_v4().as_fields().0);
        Self { world, db: streamed, key }
    }

    fn first(&self) -> first::Model {
        first::Model { id: self.key, name: "Ada".to_owned() }
    }

    async fn insert_first(&self) -> first::Model {
        first::ActiveModel { id: Set(self.key), name: Set("Ada".to_owned()) }.insert(&self.db).await.unwrap()
    }

    /// Runs a text in a bulk operation of the first schema's record.
    async fn bulk_of_first(&self, sql: &str) -> Result<(), DbErr> {
        let records = [self.first()];
        self.db.producer().bulk(&self.db, &records, async |txn| txn.execute_unprepared(sql).await.map(drop)).await
    }

    async fn messages(&self, stream: &str) -> Vec<Value> {
        self.world.payloads(stream).await
    }
}

/// As an update of this table.
fn is_denied(outcome: Result<(), DbErr>, table: &str) {
    let error = outcome.expect_err(table);
    assert_carries!(error, Error::Bypass { table: found, verb: "UPDATE", view: None } if found == table);
}

on_each_database! {
    async fn a_permit_for_one_schema_lets_no_write_to_the_other_pass(db: TestDb) {
        let schemas = Schemas::new(&db).await;
        let of_second = "UPDATE redstream_second.dwellers SET name = 'Eve' WHERE id = 0";
        is_denied(schemas.bulk_of_first(of_second).await, "redstream_second.dwellers");
        let of_first = "UPDATE redstream_first.dwellers SET name = 'Eve' WHERE id = 0";
        schemas.bulk_of_first(of_first).await.unwrap();
        // A hook's permit, which the next statement consumes.
        let txn = schemas.db.begin().await.unwrap();
        redstream_seaorm::hooks::before_delete(&first::ActiveModel::from(schemas.first()), &txn).await.unwrap();
        is_denied(txn.execute_unprepared(of_second).await.map(drop), "redstream_second.dwellers");
        schemas.first().delete(&txn).await.unwrap();
        txn.rollback().await.unwrap();
    }

    async fn a_name_without_schema_is_answered_for_where_one_schema_has_it(db: TestDb) {
        let schemas = Schemas::new(&db).await;
        is_denied(schemas.bulk_of_first("UPDATE dwellers SET name = 'Eve'").await, "dwellers");
        let records = [hermit::Model { id: schemas.key, name: "Ada".to_owned() }];
        let sql = "UPDATE hermits SET name = 'Eve' WHERE id = 0";
        let producer = schemas.db.producer();
        let written: Result<_, DbErr> =
            producer.bulk(&schemas.db, &records, async |txn| txn.execute_unprepared(sql).await).await;
        if db.backend() == Backend::Sqlite {
            written.unwrap();
        } else {
            // No such table in the schema of this connection.
            assert_of_the_database(&written.unwrap_err(), "hermits");
        }
    }

    async fn saves_and_bulk_operations_of_both_are_followed(db: TestDb) {
        let schemas = Schemas::new(&db).await;
        let ada = schemas.insert_first().await;
        let eve = second::ActiveModel { id: Set(schemas.key), name: Set("Eve".to_owned()) };
        let eve = eve.insert(&schemas.db).await.unwrap();
        let records = [ada.clone()];
        let written: Result<_, DbErr> = schemas.db.producer().bulk(&schemas.db, &records, async |txn| {
            use sea_orm::{ColumnTrait, QueryFilter};
            let update = first::Entity::update_many().col_expr(first::Column::Name, Expr::value("Eva"));
            update.filter(first::Column::Id.eq(ada.id)).exec(txn).await
        }).await;
        written.unwrap();
        eve.delete(&schemas.db).await.unwrap();
        ada.delete(&schemas.db).await.unwrap();
    }

    async fn an_entity_that_names_a_schema_has_a_stream_of_that_name(db: TestDb) {
        let schemas = Schemas::new(&db).await;
        let ada = schemas.insert_first().await;
        assert_eq!(schemas.messages("redstream_first.dwellers").await, ids([ada.id]));
        assert_eq!(schemas.messages("redstream_second.dwellers").await, ids([]));
        assert_eq!(schemas.messages("dwellers").await, ids([]));
        let stream = schemas.world.redstream.of::<second::Entity>().unwrap();
        assert_eq!(stream.streams()[0].name().as_str(), "redstream_second.dwellers");
        ada.delete(&schemas.db).await.unwrap();
    }

    async fn the_warning_names_the_schema(db: TestDb) {
        let logs = Logs::capture();
        let schemas = Schemas::new(&db).await;
        let warning = schemas.db.to_builder().guard(BypassGuard::Warn).build();
        warning.execute_unprepared("DELETE FROM redstream_second.dwellers WHERE id = 0").await.unwrap();
        assert!(logs.has(&["WARN", "DELETE of `redstream_second.dwellers`"]), "{}", logs.text());
    }

    async fn a_streamed_connection_below_is_told_the_schema(db: TestDb) {
        let schemas = Schemas::new(&db).await;
        let above = StreamedConnection::new(schemas.db.clone(), schemas.db.producer().clone());
        let above = above.to_builder().guard(BypassGuard::Deny).build();
        let ada = first::ActiveModel { id: Set(schemas.key), name: Set("Ada".to_owned()) }.insert(&above).await.unwrap();
        ada.delete(&above).await.unwrap();
    }
}
