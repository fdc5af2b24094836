//! From a saved row to a document.

use redstream_seaorm::{Consumer, Indexer, Progress, StreamedConnection};
use sea_orm::{
    ActiveModelTrait, ConnectionTrait, IntoActiveModel, ModelTrait, Schema as Tables, Set, TransactionTrait,
};

use super::*;
use crate::support::{Logs, TestDb, redstream};

/// A table of cities, and a consumer that writes them to the index.
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
        plain.execute(&Tables::new(backend).create_table_from_entity(city::Entity)).await.unwrap();
        let consumer = redstream.stream("cities").unwrap().consumer("search", Indexer::new(plain.clone(), sink));
        Self { db: StreamedConnection::new(plain, redstream.producer()), consumer, _test: test }
    }

    async fn index(&self) {
        while self.consumer.run_once().await.unwrap() != Progress::Idle {}
    }
}

fn city(name: &str) -> city::ActiveModel {
    city::ActiveModel { name: Set(name.to_owned()), ..Default::default() }
}

#[tokio::test]
async fn rows_become_documents_and_deleted_rows_leave_none() {
    let folder = tempfile::tempdir().unwrap();
    let (schema, name) = schema();
    let index = Index::create_in_dir(folder.path(), schema).unwrap();
    let sink = TantivySink::builder(index).build(move |_, city: &city::Model| Ok(doc!(name => city.name.as_str())));
    let sink = sink.unwrap();
    let place = Place::new(sink.clone()).await;
    let txn = place.db.begin().await.unwrap();
    let ulm = city("Ulm").insert(&txn).await.unwrap();
    let bonn = city("Bonn").insert(&txn).await.unwrap();
    txn.commit().await.unwrap();
    place.index().await;
    assert_eq!(documents(&sink), named(&[(ulm.id, "Ulm"), (bonn.id, "Bonn")]));

    let mut renamed = bonn.clone().into_active_model();
    renamed.name = Set("Bonna".to_owned());
    renamed.update(&place.db).await.unwrap();
    ulm.delete(&place.db).await.unwrap();
    place.index().await;
    assert_eq!(documents(&sink), named(&[(bonn.id, "Bonna")]));
}

#[tokio::test]
async fn a_clock_that_stepped_back_loses_no_change() {
    let sink = sink_on(&Disk::default());
    // In a hundred years, as a clock that was wrong said once.
    sink.write(changes(4_900_000_000_000_000, [(1, "once")], &[2])).await.unwrap();
    let place = Place::new(sink.clone()).await;
    let txn = place.db.begin().await.unwrap();
    for name in ["Ulm", "Bonn"] {
        city(name).insert(&txn).await.unwrap();
    }
    txn.commit().await.unwrap();
    let logs = Logs::capture();
    place.index().await;
    assert_eq!(documents(&sink), named(&[(1, "Ulm"), (2, "Bonn")]));
    assert!(!logs.has(&["WARN", "higher version"]), "{}", logs.text());
}

#[tokio::test]
async fn a_record_that_has_no_document_is_set_aside_and_the_rest_goes_on() {
    let sink = sink_on(&Disk::default());
    let place = Place::new(sink.clone()).await;
    let txn = place.db.begin().await.unwrap();
    for name in ["Ulm", "!", "Bonn"] {
        city(name).insert(&txn).await.unwrap();
    }
    txn.commit().await.unwrap();
    let error = place.consumer.run_once().await.unwrap_err();
    assert!(format!("{error:?}").contains("exclamation mark"), "{error:?}");
    assert_eq!(documents(&sink), named(&[(1, "Ulm"), (3, "Bonn")]));
}
