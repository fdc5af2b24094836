//! From a saved row to a message.

use redstream_seaorm::{Consumer, Indexer, Progress, StreamedConnection};
use sea_orm::{ActiveModelTrait, ConnectionTrait, IntoActiveModel, ModelTrait, Schema, Set, TransactionTrait};

use super::*;
use crate::support::{TestDb, redstream};

/// A table of cities, and a consumer that sends them to the receiver.
struct Place {
    db: StreamedConnection,
    consumer: Consumer,
    _test: TestDb,
}

impl Place {
    async fn new(sink: Cities) -> Self {
        let (test, redstream) = (TestDb::sqlite().await, redstream().await);
        let plain = test.connection();
        let backend = ConnectionTrait::get_database_backend(&plain);
        plain.execute(&Schema::new(backend).create_table_from_entity(city::Entity)).await.unwrap();
        let consumer = redstream.stream("cities").unwrap().consumer("partner", Indexer::new(plain.clone(), sink));
        Self { db: StreamedConnection::new(plain, redstream.producer()), consumer, _test: test }
    }

    async fn run(&self) {
        while self.consumer.run_once().await.unwrap() != Progress::Idle {}
    }
}

fn city(name: &str) -> city::ActiveModel {
    city::ActiveModel { name: Set(name.to_owned()), ..Default::default() }
}

#[tokio::test]
async fn rows_become_messages_and_deleted_rows_too() {
    let receiver = Receiver::any().await;
    let place = Place::new(sink_for(&receiver)).await;
    let txn = place.db.begin().await.unwrap();
    let ulm = city("Ulm").insert(&txn).await.unwrap();
    let bonn = city("Bonn").insert(&txn).await.unwrap();
    txn.commit().await.unwrap();
    place.run().await;
    assert_eq!(receiver.names(), named(&[(ulm.id, "Ulm"), (bonn.id, "Bonn")]));

    let mut renamed = bonn.clone().into_active_model();
    renamed.name = Set("Bonna".to_owned());
    renamed.update(&place.db).await.unwrap();
    ulm.delete(&place.db).await.unwrap();
    place.run().await;
    assert_eq!(receiver.names(), named(&[(bonn.id, "Bonna")]));
}

#[tokio::test]
async fn a_receiver_that_is_gone_keeps_the_consumer_where_it_is() {
    let receiver = Receiver::first(&[Reply::Status(410, None)]).await;
    let sink = sink_for(&receiver);
    let place = Place::new(sink.clone()).await;
    city("Ulm").insert(&place.db).await.unwrap();
    for _ in 0..3 {
        let error = place.consumer.run_once().await.unwrap_err();
        assert!(format!("{error:?}").contains("Gone"), "{error:?}");
    }
    sink.enable();
    place.run().await;
    assert_eq!(receiver.names(), named(&[(1, "Ulm")]));
}
