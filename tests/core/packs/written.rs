//! Writing: messages of one stream that are written together share entries.

use std::time::Duration;

use redstream_core::{Message, MessageId, NewMessage, Payload};
use serde_json::json;

use super::super::recorder::Recorder;
use super::{Stage, lines, message};

#[tokio::test]
async fn a_hundred_messages_share_an_entry_and_one_has_its_own_as_ever() {
    let mut stage = Stage::new().await;
    stage.readers().await;
    let producer = stage.redstream.producer();

    let ids = producer.queue_all(&stage.messages(0..250)).await.unwrap();
    let alone = producer.queue(stage.products.name(), &json!({"id": 250})).await.unwrap();
    let one = producer.queue_all(&stage.messages(251..252)).await.unwrap();

    let payloads = [lines(0..100), lines(100..200), lines(200..250)].map(|lines| vec!["payloads".to_owned(), lines]);
    let single = |text: &str| vec!["payload".to_owned(), text.to_owned()];
    let expected = [payloads.to_vec(), vec![single(r#"{"id":250}"#), single("251")]].concat();
    assert_eq!(stage.entries("products").await, expected);
    let seen = Recorder::default();
    stage.products.consumer("search", seen.clone()).run_once().await.unwrap();
    assert_eq!(seen.ids(), [ids, vec![alone], one].concat(), "the ids that a consumer sees");
    assert_eq!((seen.ids()[0].index(), seen.ids()[99].index()), (Some(0), None));
}

#[tokio::test]
async fn delay_messages_share_entries_too() {
    let mut stage = Stage::new().await;
    stage.readers().await;
    let ids = stage.redstream.producer().delay_all(&stage.messages(0..120)).await.unwrap();
    assert_eq!(stage.sizes("products.delay").await, [100, 20]);
    let waiting = stage.products.delay_messages(MessageId::MIN, 200).await.unwrap();
    assert_eq!(waiting.iter().map(Message::id).collect::<Vec<_>>(), ids);
}

#[tokio::test]
async fn an_entry_has_sixteen_kibibytes_and_what_is_longer_is_alone() {
    let mut stage = Stage::new().await;
    stage.readers().await;
    let text = |bytes: usize| json!("x".repeat(bytes - 2));
    let payloads = [text(8 << 10), text(8 << 10), text(16 << 10), text(17 << 10), json!(1), json!(2)];
    let messages: Vec<_> = payloads.iter().map(|payload| message(&stage.products, payload.clone())).collect();
    stage.redstream.producer().queue_all(&messages).await.unwrap();
    assert_eq!(stage.sizes("products").await, [0, 0, 0, 0, 2]);
    let seen = Recorder::default();
    stage.products.consumer("search", seen.clone()).run_once().await.unwrap();
    assert_eq!(seen.payloads(), payloads);
}

#[tokio::test]
async fn a_payload_with_a_line_break_is_alone() {
    let mut stage = Stage::new().await;
    stage.readers().await;
    let name = stage.products.name().clone();
    let texts = ["1", "2", "[\n]", "3", "\"\\n\""];
    let messages = texts.map(|text| NewMessage::new(name.clone(), Payload::from_json(text).unwrap()));
    stage.redstream.producer().queue_all(&messages).await.unwrap();
    assert_eq!(stage.sizes("products").await, [2, 0, 2]);
    let seen = Recorder::default();
    stage.products.consumer("search", seen.clone()).run_once().await.unwrap();
    assert_eq!(seen.batches()[0].iter().map(Message::raw).collect::<Vec<_>>(), texts.map(str::as_bytes));
}

#[tokio::test]
async fn messages_of_several_streams_are_grouped_and_their_ids_are_not() {
    let mut stage = Stage::new().await;
    let orders = stage.redstream.stream("orders").unwrap();
    stage.readers().await;
    orders.consumer("search", Recorder::default()).run_once().await.unwrap();
    let streams = [&stage.products, &orders, &stage.redstream.stream("unread").unwrap()].map(Clone::clone);
    let messages: Vec<_> = (0..300).map(|number| message(&streams[number % 3], number)).collect();

    let ids = stage.redstream.producer().queue_all(&messages).await.unwrap();

    assert_eq!(stage.sizes("products").await, [100]);
    assert_eq!(stage.sizes("orders").await, [100]);
    assert_eq!(stage.sizes("unread").await, [0; 100]);
    for (nth, stream) in streams.iter().enumerate() {
        let found = stream.messages(MessageId::MIN, 1000).await.unwrap();
        let expected: Vec<_> = (0..100).map(|number| number * 3 + nth).collect();
        assert_eq!(found.iter().map(|message| message.payload::<usize>().unwrap()).collect::<Vec<_>>(), expected);
        let given: Vec<_> = ids.iter().skip(nth).step_by(3).copied().collect();
        assert_eq!(found.iter().map(Message::id).collect::<Vec<_>>(), given);
    }
}

#[tokio::test]
async fn very_many_messages_keep_their_order() {
    let mut stage = Stage::new().await;
    stage.readers().await;
    let ids = stage.redstream.producer().queue_all(&stage.messages(0..50_001)).await.unwrap();
    assert!(ids.is_sorted() && ids.len() == 50_001);
    assert_eq!(stage.sizes("products").await, [vec![100; 500], vec![0]].concat());
    assert_eq!(stage.numbers().await, (0..50_001).collect::<Vec<_>>());
}

#[tokio::test]
async fn the_shared_connection_writes_the_same() {
    let mut stage = Stage::new().await;
    stage.readers().await;
    // With confirmation the connection for one caller is not used.
    let producer = stage.redstream.producer().confirmed_by(0, Duration::from_millis(10));
    let ids = producer.delay_all(&stage.messages(0..2150)).await.unwrap();
    assert_eq!(stage.sizes("products.delay").await, [vec![100; 21], vec![50]].concat());
    let waiting = stage.products.delay_messages(MessageId::MIN, 3000).await.unwrap();
    assert_eq!(waiting.iter().map(Message::id).collect::<Vec<_>>(), ids);
    assert_eq!(waiting[2149].payload::<u64>().unwrap(), 2149);
}

#[tokio::test]
async fn what_is_sent_early_shares_entries_once_it_is_known_that_it_may() {
    let mut stage = Stage::new().await;
    stage.readers().await;
    let producer = stage.redstream.producer();
    let early = async |numbers| {
        let messages = stage.messages(numbers);
        let mut early = producer.delay_early(&messages).expect("no other call uses the connection");
        std::future::poll_fn(|context| early.poll_acknowledged(context)).await.expect("they are acknowledged")
    };
    // Opens the connection.
    producer.queue(stage.products.name(), &0).await.unwrap();
    early(0..3).await;
    // Looks at both streams.
    producer.queue_all(&stage.messages(0..2)).await.unwrap();
    let ids = early(3..6).await;
    assert_eq!(stage.products.delay_messages(ids[0], 9).await.unwrap().len(), 2);
    assert_eq!(stage.sizes("products.delay").await, [0, 0, 0, 3]);
}
