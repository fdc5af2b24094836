//! The delayer and entries of several delay messages.

use std::time::Duration;

use redstream_core::{MessageId, Moved, NewMessage, Payload};

use super::super::SOON;
use super::super::recorder::Recorder;
use super::{Stage, lines};
use crate::support::eventually;

const MOMENT: Duration = Duration::from_millis(1);

#[tokio::test]
async fn an_entry_is_moved_as_a_whole_each_payload_once() {
    let mut stage = Stage::new().await;
    stage.add_to("products.delay", "1-0", "payloads", &lines(0..5)).await;
    stage.add_to("products.delay", "1-1", "payload", "3").await;
    stage.add_to("products.delay", "2-0", "payloads", &lines(2..8)).await;
    let delayer = stage.products.delayer(MOMENT).batch_size(3);

    let moved = delayer.run_once().await.unwrap().unwrap();
    assert_eq!((moved.due, moved.queued), (5, 5), "the entry that has more messages than a batch");
    let moved = delayer.run_once().await.unwrap().unwrap();
    assert_eq!((moved.due, moved.queued), (1, 1));
    let moved = delayer.run_once().await.unwrap().unwrap();
    assert_eq!(moved, Moved { due: 6, queued: 6, next: None });
    let seen = Recorder::default();
    stage.products.consumer("search", seen.clone()).run_once().await.unwrap();
    assert_eq!(seen.payloads(), [0, 1, 2, 3, 4, 3, 2, 3, 4, 5, 6, 7]);
    assert_eq!(stage.products.delay_len().await.unwrap(), 0);
}

#[tokio::test]
async fn doubles_in_one_move_are_queued_once_over_entries() {
    let mut stage = Stage::new().await;
    stage.add_to("products.delay", "1-0", "payloads", &lines(0..5)).await;
    stage.add_to("products.delay", "1-1", "payload", "3").await;
    stage.add_to("products.delay", "2-0", "payloads", &lines(2..8)).await;
    let moved = stage.products.delayer(MOMENT).run_once().await.unwrap().unwrap();
    assert_eq!(moved, Moved { due: 12, queued: 8, next: None });
    let messages = stage.products.messages(MessageId::MIN, 20).await.unwrap();
    assert_eq!(
        messages.iter().map(|message| message.payload::<u64>().unwrap()).collect::<Vec<_>>(),
        (0..8).collect::<Vec<_>>()
    );
}

#[tokio::test]
async fn an_entry_without_a_payload_is_no_obstacle() {
    let mut stage = Stage::new().await;
    stage.add_to("products.delay", "1-0", "payloads", "1\n2").await;
    stage.add_to("products.delay", "1-1", "other", "3").await;
    stage.redstream.producer().delay_all(&[message(&stage, 4)]).await.unwrap();
    let delayer = stage.products.delayer(MOMENT);
    eventually(SOON, "the last one", async || {
        delayer.run_once().await.unwrap();
        stage.products.delay_len().await.unwrap() == 0
    })
    .await;
    assert_eq!(stage.products.delayer_dead_letters().count().await.unwrap(), 1);
    let messages = stage.products.messages(MessageId::MIN, 20).await.unwrap();
    assert_eq!(messages.iter().map(|message| message.raw().to_vec()).collect::<Vec<_>>(), [b"1", b"2", b"4"]);
}

fn message(stage: &Stage, number: u64) -> NewMessage {
    NewMessage::new(stage.products.name().clone(), Payload::encode(&number).unwrap())
}
