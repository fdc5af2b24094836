//! Messages, their ids and their signatures.

use std::collections::HashSet;

use super::*;

#[tokio::test]
async fn each_change_is_a_signed_message() {
    let receiver = Receiver::any().await;
    let sink = sink_for(&receiver);
    write(&sink, changes(7, [(1, "Ulm"), (2, "Bonn")], &[3])).await.unwrap();
    assert_eq!(receiver.names(), named(&[(1, "Ulm"), (2, "Bonn")]));
    let messages = receiver.messages();
    assert_eq!(messages.len(), 3);
    let (_, ulm) = messages.iter().find(|(_, message)| message["data"]["key"]["id"] == 1).unwrap();
    assert_eq!(ulm["type"], "city.upserted");
    assert_eq!(ulm["data"], json!({ "key": { "id": 1 }, "version": 7, "record": { "name": "Ulm" } }));
    let (_, deleted) = messages.iter().find(|(_, message)| message["type"] == "city.deleted").unwrap();
    assert_eq!(deleted["data"], json!({ "key": { "id": 3 }, "version": 7 }));
}

#[tokio::test]
async fn a_receiver_with_another_secret_gets_no_message_and_nothing_is_given_up() {
    let receiver = Receiver::any().await;
    let other = WebhookSink::<city::Entity>::builder(receiver.url()).secret(SECRETS[0]).build().unwrap();
    let error = error_of(write(&other, changes(1, [(1, "Ulm")], &[])).await);
    assert!(matches!(error, Error::Misconfigured { status: 401, .. }), "{error:?}");
    assert!(receiver.messages().is_empty());
}

#[tokio::test]
async fn the_id_of_a_message_is_the_same_in_each_attempt_and_of_no_other() {
    let receiver = Receiver::first(&[Reply::Status(503, None), Reply::Status(429, None)]).await;
    let sink = sink_for(&receiver);
    write(&sink, changes(1, [(1, "Ulm")], &[])).await.unwrap();
    let ids: Vec<_> = receiver.messages().into_iter().map(|(id, _)| id).collect();
    assert_eq!(ids, vec![ids[0].clone(); 3]);
    // The consumer repeats the batch.
    write(&sink, changes(1, [(1, "Ulm")], &[])).await.unwrap();
    write(&sink, changes(2, [(1, "Ulm"), (2, "Ulm")], &[])).await.unwrap();
    let ids: HashSet<_> = receiver.messages().into_iter().map(|(id, _)| id).collect();
    assert_eq!(ids.len(), 3);
}

#[tokio::test]
async fn a_batch_is_one_message_and_is_halved_if_it_is_refused() {
    let receiver = Receiver::start(|message| {
        let text = message.to_string();
        if text.contains("bad") { Reply::Status(422, None) } else { Reply::Ok }
    });
    let receiver = receiver.await;
    let sink = builder(&receiver).batch(4).build().unwrap();
    write(&sink, changes(1, [(1, "Ulm"), (2, "Bonn"), (3, "Trier")], &[4, 5])).await.unwrap();
    let messages = receiver.messages();
    assert_eq!(messages.len(), 2);
    assert!(messages.iter().all(|(_, message)| message["type"] == "city.changed"));
    let (failed, first) =
        failures_of(write(&sink, changes(2, [(1, "Ulm 2"), (2, "bad"), (3, "Trier 2"), (4, "Mainz")], &[])).await);
    assert_eq!(failed, "the record {\"id\":2} was not written");
    assert!(first.ends_with("refuses the change of `2` (422): no"), "{first}");
    assert_eq!(receiver.names(), named(&[(1, "Ulm 2"), (2, "Bonn"), (3, "Trier 2"), (4, "Mainz")]));
}

#[tokio::test]
async fn no_more_requests_are_in_flight_than_the_limit() {
    let receiver = Receiver::start(|_| Reply::Late(Duration::from_millis(20))).await;
    let sink = builder(&receiver).max_concurrency(3).build().unwrap();
    let names: Vec<_> = (0..12).map(|id| (id, "Ulm")).collect();
    write(&sink, changes(1, names, &[])).await.unwrap();
    assert_eq!((receiver.names().len(), receiver.most_in_flight()), (12, 3));
}

#[test]
fn what_cannot_work_is_refused_and_no_secret_is_shown() {
    let builder = || WebhookSink::<city::Entity>::builder("https://partner.example/hook");
    for (builder, expected) in [
        (builder(), "no secret"),
        (builder().secret("whsec_c2VjcmV0"), "24 to 64 bytes"),
        (builder().secret(SECRETS[0]).header("a b", "c"), "the header `a b`"),
        (builder().secret(SECRETS[0]).root_certificates("none"), "no certificate"),
        (WebhookSink::builder("ftp://partner.example").secret(SECRETS[0]), "https://host/path"),
        (WebhookSink::builder("partner.example/hook").secret(SECRETS[0]), "https://host/path"),
    ] {
        let error = builder.build().unwrap_err().to_string();
        assert!(error.contains(expected) && !error.contains("c2VjcmV0"), "{error}");
    }
    let built = builder().secret(SECRETS[0]).header("authorization", "secret").build().unwrap();
    assert!(!format!("{built:?}").contains("secret") && !format!("{built:?}").contains("/hook"), "{built:?}");
}
