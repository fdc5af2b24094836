//! The delayer and entries of several delay messages.

use std::time::Duration;

use redstream_core::{MessageId, Moved};

use super::super::SOON;
use super::super::recorder::Recorder;
use super::{Stage, lines, message};
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
    stage.redstream.producer().delay_all(&[message(&stage.products, 4)]).await.unwrap();
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

#[tokio::test]
async fn what_is_moved_shares_entries_if_its_consumers_read_them() {
    let mut stage = Stage::new().await;
    stage.readers().await;
    stage.add_to("products.delay", "1-0", "payloads", &lines(0..150)).await;
    stage.add_to("products.delay", "1-1", "payload", "[\n]").await;
    stage.add_to("products.delay", "1-2", "payloads", &lines(140..152)).await;
    let moved = stage.products.delayer(MOMENT).run_once().await.unwrap().unwrap();
    assert_eq!((moved.due, moved.queued), (163, 153));
    assert_eq!(stage.sizes("products").await, [100, 50, 0, 2]);

    stage.older_reader("products", "old").await;
    stage.add_to("products.delay", "2-0", "payloads", &lines(200..203)).await;
    stage.products.delayer(MOMENT).run_once().await.unwrap().unwrap();
    assert_eq!(stage.entries("products").await[4..], ["200", "201", "202"].map(|number| ["payload", number]));
}

#[tokio::test]
async fn what_is_moved_is_alone_if_packs_are_switched_off() {
    let mut stage = Stage::new().await;
    stage.readers().await;
    stage.add_to("products.delay", "1-0", "payloads", &lines(0..3)).await;
    let alone = stage.writer(|options| options.packed(false)).await.stream("products").unwrap();
    alone.delayer(MOMENT).run_once().await.unwrap().unwrap();
    assert_eq!(stage.sizes("products").await, [0, 0, 0]);
}
