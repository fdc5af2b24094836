//! From a saved row to a sink.

use redstream_seaorm::{Consumer, Handler, Indexer, Progress, Sink, StreamedConnection};
use sea_orm::{ActiveModelTrait, ConnectionTrait, DatabaseConnection, IntoActiveModel, Schema, Set};

use super::city;
use crate::support::{TestDb, redstream};

/// A table of cities, and a consumer of them.
pub(crate) struct Flow {
    pub(crate) db: StreamedConnection,
    pub(crate) consumer: Consumer,
    _test: TestDb,
}

impl Flow {
    /// To this sink.
    pub(crate) async fn new(sink: impl Sink<city::Entity>) -> Self {
        Self::with(|db| Indexer::new(db, sink)).await
    }

    /// To a handler that reads from this connection.
    pub(crate) async fn with<H: Handler>(handler: impl FnOnce(DatabaseConnection) -> H) -> Self {
        let (test, redstream) = (TestDb::sqlite().await, redstream().await);
        let plain = test.connection();
        let backend = ConnectionTrait::get_database_backend(&plain);
        plain.execute(&Schema::new(backend).create_table_from_entity(city::Entity)).await.unwrap();
        let consumer = redstream.stream("cities").unwrap().consumer("search", handler(plain.clone()));
        Self { db: StreamedConnection::new(plain, redstream.producer()), consumer, _test: test }
    }

    /// Until nothing is left.
    pub(crate) async fn run(&self) {
        while self.consumer.run_once().await.unwrap() != Progress::Idle {}
    }

    pub(crate) async fn save(&self, name: &str) -> city::Model {
        city::city(name).insert(&self.db).await.unwrap()
    }

    pub(crate) async fn rename(&self, city: &city::Model, name: &str) {
        let renamed = city::ActiveModel { name: Set(name.to_owned()), ..city.clone().into_active_model() };
        renamed.update(&self.db).await.unwrap();
    }
}
