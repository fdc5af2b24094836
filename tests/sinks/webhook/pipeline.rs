//! From a saved row to a message.

use sea_orm::{ActiveModelTrait, ModelTrait, TransactionTrait};

use super::*;
use crate::sinks::city::city;
use crate::sinks::flow::Flow;

#[tokio::test]
async fn rows_become_messages_and_deleted_rows_too() {
    let receiver = Receiver::any().await;
    let flow = Flow::new(sink_for(&receiver)).await;
    let txn = flow.db.begin().await.unwrap();
    let ulm = city("Ulm").insert(&txn).await.unwrap();
    let bonn = city("Bonn").insert(&txn).await.unwrap();
    txn.commit().await.unwrap();
    flow.run().await;
    assert_eq!(receiver.names(), named(&[(ulm.id, "Ulm"), (bonn.id, "Bonn")]));

    flow.rename(&bonn, "Bonna").await;
    ulm.delete(&flow.db).await.unwrap();
    flow.run().await;
    assert_eq!(receiver.names(), named(&[(bonn.id, "Bonna")]));
}

#[tokio::test]
async fn a_receiver_that_is_gone_keeps_the_consumer_where_it_is() {
    let receiver = Receiver::first(&[Reply::Status(410, None)]).await;
    let sink = sink_for(&receiver);
    let flow = Flow::new(sink.clone()).await;
    city("Ulm").insert(&flow.db).await.unwrap();
    for _ in 0..3 {
        let error = flow.consumer.run_once().await.unwrap_err();
        assert!(format!("{error:?}").contains("Gone"), "{error:?}");
    }
    sink.enable();
    flow.run().await;
    assert_eq!(receiver.names(), named(&[(1, "Ulm")]));
}
