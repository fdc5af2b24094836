//! Reading entries with several messages: their ids, their order, and how they are counted.

use redstream_core::{Message, MessageId, Progress, Start};

use super::super::SOON;
use super::super::recorder::Recorder;
use super::{Stage, lines, start, stop};
use crate::support::eventually;

/// Singles and packs, by turns: 1,000 entries.
async fn mixed(stage: &mut Stage) -> u64 {
    let mut adding = redis::pipe();
    let mut next = 0;
    for entry in 0..1000 {
        let len = if entry % 7 == 0 { 100 } else { entry % 3 + 1 };
        let (field, value) =
            if len == 1 { ("payload", next.to_string()) } else { ("payloads", lines(next..next + len)) };
        adding.cmd("XADD").arg(stage.key("products")).arg("*").arg(field).arg(value).ignore();
        next += len;
    }
    adding.exec_async(&mut stage.raw).await.unwrap();
    next
}

#[tokio::test]
async fn messages_have_the_id_of_their_entry_and_a_position_unless_they_are_its_last() {
    let mut stage = Stage::new().await;
    stage.add("5-1", "payload", "1").await;
    stage.add("5-2", "payloads", "2\n3\n4").await;
    stage.add("5-3", "payloads", "5").await;
    let seen = Recorder::default();
    let consumer = stage.products.consumer("search", seen.clone());

    assert_eq!(consumer.run_once().await.unwrap(), Progress::Handled(5));

    assert_eq!(seen.payloads(), [1, 2, 3, 4, 5]);
    let ids: Vec<_> = seen.ids().iter().map(ToString::to_string).collect();
    assert_eq!(ids, ["5-1", "5-2-0", "5-2-1", "5-2", "5-3"]);
    assert!(seen.ids().is_sorted());
    assert_eq!(stage.offset().await, Some(MessageId::new(5, 3)));
    // The same by the looks of an operator.
    let messages = stage.products.messages(MessageId::MIN, 10).await.unwrap();
    assert_eq!(messages, seen.batches()[0]);
    for after in 0..5 {
        let rest = stage.products.messages(messages[after].id(), 2).await.unwrap();
        assert_eq!(rest, messages.iter().skip(after + 1).take(2).cloned().collect::<Vec<Message>>());
    }
}

#[tokio::test]
async fn messages_are_counted_from_any_of_them_and_again_from_where_the_count_ended() {
    let mut stage = Stage::new().await;
    let empty = stage.products.count_after(MessageId::MIN, 10).await.unwrap();
    assert_eq!((empty.messages, empty.last, empty.is_all), (0, MessageId::MIN, true));
    let count = mixed(&mut stage).await;
    let all = stage.products.count_after(MessageId::MIN, u64::MAX).await.unwrap();
    assert_eq!((all.messages, all.last, all.is_all), (count, stage.products.last_id().await.unwrap(), true));

    stage.pack(count..count + 40).await;
    let new = stage.products.count_after(all.last, 1).await.unwrap();
    assert_eq!((new.messages, new.is_all), (40, true), "a step is counted to its end");
    let within: MessageId = format!("{}-7", new.last).parse().unwrap();
    assert_eq!(stage.products.count_after(within, 100).await.unwrap().messages, 40, "an entry counts as a whole");
    assert_eq!(stage.products.count_after(MessageId::MAX, 100).await.unwrap().messages, 0);
}

#[tokio::test]
async fn batches_have_as_many_messages_as_they_may_in_stream_order() {
    let mut stage = Stage::new().await;
    let count = mixed(&mut stage).await;
    let seen = Recorder::default();
    let running = start(stage.products.consumer("search", seen.clone()).batch_size(250));
    eventually(SOON, "all messages", async || seen.len() as u64 == count).await;
    eventually(SOON, "the commit", async || stage.products.lag("search").await.unwrap() == 0).await;
    // And as they come.
    stage.pack(count..count + 600).await;
    stage.pack(count + 600..count + 603).await;
    eventually(SOON, "what comes later", async || seen.len() as u64 == count + 603).await;
    eventually(SOON, "the commit", async || stage.products.lag("search").await.unwrap() == 0).await;
    stop(running).await;

    assert_eq!(seen.payloads(), (0..count + 603).collect::<Vec<_>>());
    let sizes: Vec<_> = seen.batches().iter().map(Vec::len).collect();
    assert!(sizes.iter().all(|size| *size <= 250), "{sizes:?}");
    assert!(sizes.iter().filter(|size| **size > 100).count() as u64 > count / 250 - 2, "mostly full: {sizes:?}");
}

#[tokio::test]
async fn a_batch_at_a_time_is_the_same() {
    let mut stage = Stage::new().await;
    let count = mixed(&mut stage).await;
    let seen = Recorder::default();
    let consumer = stage.products.consumer("search", seen.clone()).batch_size(250);
    while consumer.run_once().await.unwrap() != Progress::Idle {}
    assert_eq!(seen.payloads(), (0..count).collect::<Vec<_>>());
    assert!(seen.batches().iter().all(|batch| batch.len() <= 250));
}

#[tokio::test]
async fn a_lag_counts_messages_and_the_length_counts_entries() {
    let mut stage = Stage::new().await;
    stage.pack(0..3).await;
    let second = stage.pack(3..103).await;
    stage.add("*", "payload", "103").await;
    assert_eq!((stage.products.len().await.unwrap(), stage.products.lag("search").await.unwrap()), (3, 104));
    stage.products.register("search", Start::After(second)).await.unwrap();
    assert_eq!(stage.products.lag("search").await.unwrap(), 1);
}

#[tokio::test]
async fn a_start_inside_an_entry_is_the_start_of_that_entry() {
    let mut stage = Stage::new().await;
    stage.add("1-1", "payload", "0").await;
    stage.add("1-2", "payloads", "1\n2\n3").await;
    let inside = "1-2-1".parse().unwrap();
    stage.products.register("search", Start::After(inside)).await.unwrap();
    assert_eq!(stage.products.rewind("search", Start::After(inside)).await.unwrap(), MessageId::new(1, 1));
    let seen = Recorder::default();
    stage.products.consumer("search", seen.clone()).run_once().await.unwrap();
    assert_eq!(seen.payloads(), [1, 2, 3]);
}

#[tokio::test]
async fn an_offset_that_is_set_by_hand_does_not_pass_the_rest_of_an_entry() {
    let mut stage = Stage::new().await;
    stage.add("1-1", "payload", "0").await;
    stage.add("1-2", "payloads", "1\n2\n3").await;
    let guard = stage.products.lock("search", SOON).unwrap().try_acquire().await.unwrap().unwrap();
    let messages = stage.products.messages(MessageId::MIN, 3).await.unwrap();
    stage.products.offsets().commit(&guard, messages[2].id()).await.unwrap();
    assert_eq!(stage.offset().await, Some(MessageId::new(1, 1)));
    stage.products.offsets().commit(&guard, MessageId::new(1, 2)).await.unwrap();
    assert_eq!(stage.offset().await, Some(MessageId::new(1, 2)));
}

#[tokio::test]
async fn what_no_producer_writes_is_read_as_it_stands() {
    let mut stage = Stage::new().await;
    stage.add("*", "payloads", "").await;
    stage.add("*", "payloads", "1\n\n2\n").await;
    stage.add("*", "other", "3").await;
    let seen = Recorder::default();
    stage.products.consumer("search", seen.clone()).run_once().await.unwrap();
    let raw: Vec<_> = seen.batches()[0].iter().map(|message| message.raw().to_vec()).collect();
    assert_eq!(raw, [&b""[..], b"1", b"", b"2", b"", b""]);
}
