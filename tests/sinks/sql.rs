//! The sink for another SQL database, on each of them.

mod faults;
mod pipeline;
mod properties;
mod scan;
mod spellings;
mod versions;

use std::time::Duration;

use redstream_seaorm::{Changes, HandlerError, Key, Sink};
use redstream_sinks::sql::{self, Error, SqlSink};
use sea_orm::{ConnectionTrait, DatabaseConnection, EntityTrait, QueryOrder, Schema, Set};

use super::city::{self, names as named, rows as changes};
use super::outcome::{self, failures_of};
use crate::support::TestDb;

/// What a city becomes in the other database.
mod place {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
    #[sea_orm(table_name = "places")]
    pub(super) struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub(super) id: i64,
        #[sea_orm(unique, column_type = "String(StringLen::N(20))")]
        pub(super) label: String,
        /// The sink does not set it.
        pub(super) note: Option<String>,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub(super) enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

type Places = SqlSink<city::Entity, place::Entity>;

async fn create<E: EntityTrait>(db: &DatabaseConnection, entity: E) {
    let backend = ConnectionTrait::get_database_backend(db);
    db.execute(&Schema::new(backend).create_table_from_entity(entity)).await.unwrap();
}

/// A name that begins with an exclamation mark has no row; `?` has one of another key.
fn sink_in(db: DatabaseConnection) -> Places {
    SqlSink::new(db, |_, city: &city::Model| {
        if city.name.starts_with('!') {
            return Err("a name must not begin with an exclamation mark".into());
        }
        let id = if city.name == "?" { city.id + 1 } else { city.id };
        Ok(place::ActiveModel { id: Set(id), label: Set(city.name.clone()), ..Default::default() })
    })
}

/// With both tables.
async fn sink_on(test: &TestDb) -> Places {
    let db = test.connection();
    create(&db, place::Entity).await;
    sql::create_table(&db).await.unwrap();
    sink_in(db)
}

async fn places(test: &TestDb) -> Vec<(i64, String)> {
    let places = place::Entity::find().order_by_asc(place::Column::Id).all(&test.connection()).await.unwrap();
    places.into_iter().map(|place| (place.id, place.label)).collect()
}

/// The first number that a statement returns.
async fn number(test: &TestDb, statement: &str) -> i64 {
    let row = test.connection().query_one_raw(raw(test, statement)).await.unwrap().unwrap();
    row.try_get_by_index(0).unwrap()
}

fn raw(test: &TestDb, statement: &str) -> sea_orm::Statement {
    sea_orm::Statement::from_string(ConnectionTrait::get_database_backend(&test.connection()), statement)
}

/// The sink's own error of a write that failed as a whole.
fn error_of(result: Result<(), HandlerError>) -> Error {
    outcome::error_of(result)
}

/// The bound on every wait that should end by itself.
const SOON: Duration = Duration::from_secs(20);
