//! The places of a scenario: the primary database with its cities, the secondary datastore with their copies, and Redis
//! between them. A process finds them by their addresses.

use std::collections::BTreeMap;
use std::time::Duration;

use redstream_core::{ConnectOptions, Redstream, Stream};
use redstream_seaorm::{Streamed, StreamedConnection};
use sea_orm::entity::prelude::*;
use sea_orm::{ActiveValue::Set, Database, DatabaseConnection, Schema};
use serde::{Deserialize, Serialize};

use super::copies::Copies;
use crate::support::{TestDb, namespace, redis_url};

/// The consumer that writes the cities to their copies.
pub(super) const CONSUMER: &str = "copies";
/// Locks last this long: a killed worker's successor waits for that.
pub(super) const LOCK_TTL: Duration = Duration::from_secs(1);

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel, Streamed)]
#[sea_orm(table_name = "cities")]
pub(super) struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub(super) id: i64,
    pub(super) name: String,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub(super) enum Relation {}

/// A city to be inserted.
pub(super) fn city(id: i64, name: &str) -> ActiveModel {
    ActiveModel { id: Set(id), name: Set(name.to_owned()) }
}

/// The addresses of one scenario.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Place {
    redis_url: String,
    namespace: String,
    primary: String,
    secondary: String,
}

impl Place {
    /// Two empty databases, and a namespace on the shared Redis.
    pub(super) async fn new(primary: &TestDb, secondary: &TestDb) -> Self {
        Self::on_redis(&redis_url(), primary, secondary).await
    }

    pub(super) async fn on_redis(redis_url: &str, primary: &TestDb, secondary: &TestDb) -> Self {
        let database = primary.connection();
        let cities = Schema::new(database.get_database_backend()).create_table_from_entity(Entity);
        database.execute(&cities).await.expect("the table of cities can be created");
        Copies::create(&secondary.connection()).await;
        Self {
            redis_url: redis_url.to_owned(),
            namespace: namespace(),
            primary: primary.url().to_owned(),
            secondary: secondary.url().to_owned(),
        }
    }

    pub(super) async fn redstream(&self) -> Redstream {
        let options = ConnectOptions::new(&self.redis_url)
            .namespace(&self.namespace)
            .connect_timeout(Duration::from_millis(300))
            .response_timeout(Duration::from_millis(300))
            .give_up_after(Duration::from_millis(600));
        Redstream::connect(options).await.expect("Redis answers")
    }

    pub(super) async fn stream(&self) -> Stream {
        self.redstream().await.stream("cities").expect("the name is good")
    }

    /// The primary database, as SeaORM has it.
    pub(super) async fn primary(&self) -> DatabaseConnection {
        Database::connect(&self.primary).await.expect("the primary database answers")
    }

    /// The primary database, to be written through Redstream.
    pub(super) async fn streamed(&self) -> StreamedConnection {
        StreamedConnection::new(self.primary().await, self.redstream().await.producer())
    }

    pub(super) async fn copies(&self) -> Copies {
        Copies::open(Database::connect(&self.secondary).await.expect("the secondary datastore answers"))
    }

    /// The cities of the primary database: name by id.
    pub(super) async fn cities(&self) -> BTreeMap<i64, String> {
        let rows = Entity::find().all(&self.primary().await).await.expect("the cities can be read");
        rows.into_iter().map(|city| (city.id, city.name)).collect()
    }
}
