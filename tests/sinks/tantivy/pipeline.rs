//! From a saved row to a document.

use sea_orm::{ActiveModelTrait, ModelTrait, TransactionTrait};

use super::*;
use crate::sinks::city::city;
use crate::sinks::flow::Flow;
use crate::support::Logs;

#[tokio::test]
async fn rows_become_documents_and_deleted_rows_leave_none() {
    let folder = tempfile::tempdir().unwrap();
    let (schema, name) = schema();
    let index = Index::create_in_dir(folder.path(), schema).unwrap();
    let sink = TantivySink::builder(index).build(move |_, city: &city::Model| Ok(doc!(name => city.name.as_str())));
    let sink = sink.unwrap();
    let flow = Flow::new(sink.clone()).await;
    let txn = flow.db.begin().await.unwrap();
    let ulm = city("Ulm").insert(&txn).await.unwrap();
    let bonn = city("Bonn").insert(&txn).await.unwrap();
    txn.commit().await.unwrap();
    flow.run().await;
    assert_eq!(documents(&sink), named(&[(ulm.id, "Ulm"), (bonn.id, "Bonn")]));

    flow.rename(&bonn, "Bonna").await;
    ulm.delete(&flow.db).await.unwrap();
    flow.run().await;
    assert_eq!(documents(&sink), named(&[(bonn.id, "Bonna")]));
}

#[tokio::test]
async fn a_clock_that_stepped_back_loses_no_change() {
    let sink = sink_on(&Disk::default());
    // In a hundred years, as a clock that was wrong said once.
    sink.write(changes(4_900_000_000_000_000, [(1, "once")], &[2])).await.unwrap();
    let flow = Flow::new(sink.clone()).await;
    let txn = flow.db.begin().await.unwrap();
    for name in ["Ulm", "Bonn"] {
        city(name).insert(&txn).await.unwrap();
    }
    txn.commit().await.unwrap();
    let logs = Logs::capture();
    flow.run().await;
    assert_eq!(documents(&sink), named(&[(1, "Ulm"), (2, "Bonn")]));
    assert!(!logs.has(&["WARN", "higher version"]), "{}", logs.text());
}

#[tokio::test]
async fn a_record_that_has_no_document_is_set_aside_and_the_rest_goes_on() {
    let sink = sink_on(&Disk::default());
    let flow = Flow::new(sink.clone()).await;
    let txn = flow.db.begin().await.unwrap();
    for name in ["Ulm", "!", "Bonn"] {
        city(name).insert(&txn).await.unwrap();
    }
    txn.commit().await.unwrap();
    let error = flow.consumer.run_once().await.unwrap_err();
    assert!(format!("{error:?}").contains("exclamation mark"), "{error:?}");
    assert_eq!(documents(&sink), named(&[(1, "Ulm"), (3, "Bonn")]));
}
