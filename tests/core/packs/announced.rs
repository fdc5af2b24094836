//! Main messages that remove or mark their delay messages, of which several share an entry.

use redstream_core::{Message, MessageId, NewMessage};

use super::super::recorder::Recorder;
use super::Stage;

/// Adds delay messages of these numbers; each with its id.
async fn insured(stage: &Stage, numbers: std::ops::Range<u64>) -> Vec<(NewMessage, Vec<MessageId>)> {
    let messages = stage.messages(numbers);
    let ids = stage.redstream.producer().delay_all(&messages).await.unwrap();
    messages.into_iter().zip(ids).map(|(message, id)| (message, vec![id])).collect()
}

#[tokio::test]
async fn an_entry_of_delay_messages_goes_with_the_last_of_them() {
    let mut stage = Stage::new().await;
    stage.readers().await;
    // Of the first entry some are announced by the first script, and some by the second.
    let mut insured = insured(&stage, 0..300).await;
    insured.reverse();
    let ids = stage.redstream.producer().announce_and_remove_delays(&insured).await.unwrap();

    assert_eq!((stage.sizes("products").await, stage.sizes("products.delay").await), (vec![100, 100, 50, 50], vec![]));
    let found = stage.products.messages(MessageId::MIN, 1000).await.unwrap();
    assert_eq!(found.iter().map(Message::id).collect::<Vec<_>>(), ids);
    assert_eq!(stage.numbers().await, (0..300).rev().collect::<Vec<_>>());
}

#[tokio::test]
async fn an_entry_stays_as_long_as_it_insures_a_message_that_is_not_announced() {
    let mut stage = Stage::new().await;
    stage.readers().await;
    let insured = insured(&stage, 0..3).await;
    let producer = stage.redstream.producer();
    for all_but in 0..3 {
        let mut some = insured.clone();
        some.remove(all_but);
        producer.announce_and_remove_delays(&some).await.unwrap();
        producer.announce_and_remove_delays(&some[..1]).await.unwrap();
        assert_eq!(stage.sizes("products.delay").await, [3]);
    }
    producer.announce_and_remove_delays(&insured).await.unwrap();
    assert_eq!(stage.sizes("products.delay").await, [0; 0]);
    // One that is announced twice counts once.
    let insured = self::insured(&stage, 0..2).await;
    let twice = (insured[0].0.clone(), [insured[0].1.clone(), insured[0].1.clone()].concat());
    producer.announce_and_remove_delays(&[twice]).await.unwrap();
    assert_eq!(stage.sizes("products.delay").await, [2]);
}

#[tokio::test]
async fn messages_of_an_entry_are_marked_one_by_one_if_only_some_consumers_skip_repeats() {
    let mut stage = Stage::new().await;
    stage.readers().await;
    stage.products.consumer("skips", Recorder::default()).skip_repeats(true).run_once().await.unwrap();
    let mut insured = insured(&stage, 0..300).await;
    insured.reverse();
    stage.redstream.producer().announce_as_wanted(&insured).await.unwrap();

    assert_eq!(stage.sizes("products.delay").await, [100, 100, 50, 50]);
    let waiting = stage.products.delay_messages(MessageId::MIN, 1000).await.unwrap();
    assert!(waiting.iter().all(Message::is_repeat));
    let numbers: Vec<u64> = waiting.iter().map(|message| message.payload().unwrap()).collect();
    assert_eq!(numbers, (0..300).rev().collect::<Vec<_>>());
}

#[tokio::test]
async fn a_script_that_adds_messages_gives_no_packs_to_an_earlier_version() {
    let mut stage = Stage::new().await;
    stage.readers().await;
    stage.products.consumer("skips", Recorder::default()).skip_repeats(true).run_once().await.unwrap();
    let insured = insured(&stage, 0..3).await;
    stage.older_reader("products", "old").await;
    stage.older_reader("products.delay", "delayer").await;
    let ids = stage.redstream.producer().announce_as_wanted(&insured).await.unwrap();
    assert_eq!((stage.sizes("products").await, stage.sizes("products.delay").await), (vec![0; 3], vec![0; 3]));
    assert!(ids.len() == 3 && ids.iter().all(|id| id.index().is_none()));
    assert_eq!(stage.entries("products.delay").await[0], ["payload", "\t \t0"]);
}
