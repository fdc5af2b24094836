//! Packs are only for readers that know them: an earlier version is given one message per entry.

use redstream_core::{Message, MessageId, NewMessage, Start};

use super::Stage;
use crate::support::Logs;

#[tokio::test]
async fn a_stream_without_consumers_gets_no_packs() {
    let mut stage = Stage::new().await;
    stage.redstream.producer().queue_all(&stage.messages(0..3)).await.unwrap();
    stage.redstream.producer().delay_all(&stage.messages(0..3)).await.unwrap();
    assert_eq!((stage.sizes("products").await, stage.sizes("products.delay").await), (vec![0; 3], vec![0; 3]));
}

#[tokio::test]
async fn nor_does_one_whose_consumer_has_never_run() {
    let mut stage = Stage::new().await;
    stage.readers().await;
    stage.products.register("later", Start::Earliest).await.unwrap();
    stage.redstream.producer().queue_all(&stage.messages(0..3)).await.unwrap();
    assert_eq!(stage.sizes("products").await, [0; 3]);
}

#[tokio::test]
async fn a_switch_keeps_messages_alone_for_readers_that_are_not_registered() {
    let mut stage = Stage::new().await;
    stage.readers().await;
    let writer = stage.writer(|options| options.packed(false)).await;
    writer.producer().queue_all(&stage.messages(0..3)).await.unwrap();
    let delayed = writer.producer().delay_all(&stage.messages(0..3)).await.unwrap();
    assert_eq!((stage.sizes("products").await, stage.sizes("products.delay").await), (vec![0; 3], vec![0; 3]));
    let insured: Vec<(NewMessage, Vec<MessageId>)> =
        stage.messages(0..3).into_iter().zip(delayed).map(|(message, id)| (message, vec![id])).collect();
    writer.producer().announce_and_remove_delays(&insured).await.unwrap();
    assert_eq!((stage.sizes("products").await, stage.sizes("products.delay").await), (vec![0; 6], vec![]));
}

#[tokio::test]
async fn a_consumer_that_joins_before_a_message_is_written_can_read_it() {
    let mut stage = Stage::new().await;
    stage.readers().await;
    let producer = stage.redstream.producer();
    producer.queue_all(&stage.messages(0..3)).await.unwrap();
    assert_eq!(stage.sizes("products").await, [3]);

    // The writer was told a moment ago that there are none such.
    stage.older_reader("products", "old").await;
    let ids = producer.queue_all(&stage.messages(10..13)).await.unwrap();

    let entries = stage.entries("products").await;
    assert_eq!(entries.len(), 5, "the entry that it cannot read, and the messages again");
    assert_eq!(entries[2..], ["10", "11", "12"].map(|number| ["payload", number]));
    assert!(ids.iter().all(|id| id.index().is_none()), "the ids are those that it reads");
    let last = stage.products.messages(MessageId::MIN, 100).await.unwrap();
    assert_eq!(last[6..].iter().map(Message::id).collect::<Vec<_>>(), ids);
    producer.queue_all(&stage.messages(20..22)).await.unwrap();
    assert_eq!(stage.sizes("products").await[5..], [0, 0], "the next ones are known not to be read");
}

#[tokio::test]
async fn so_can_one_of_the_connection_that_all_share_and_of_what_is_sent_early() {
    let mut stage = Stage::new().await;
    stage.readers().await;
    let producer = stage.redstream.producer();
    producer.queue_all(&stage.messages(0..2)).await.unwrap();
    stage.older_reader("products.delay", "delayer").await;
    let messages = stage.messages(10..13);
    let mut early = producer.delay_early(&messages).expect("no other call uses the connection");
    let ids = std::future::poll_fn(|context| early.poll_acknowledged(context)).await;
    assert_eq!(ids, None, "they count as not sent");
    drop(early);
    producer.delay_all(&messages).await.unwrap();
    assert_eq!(stage.sizes("products.delay").await, [3, 0, 0, 0]);

    stage.readers().await;
    let writer = stage.writer(|options| options).await;
    let producer = writer.producer().confirmed_by(0, super::SOON / 100);
    producer.delay_all(&stage.messages(20..22)).await.unwrap();
    stage.older_reader("products.delay", "delayer").await;
    producer.delay_all(&stage.messages(30..32)).await.unwrap();
    assert_eq!(stage.sizes("products.delay").await[4..], [2, 2, 0, 0]);
}

#[tokio::test]
async fn a_host_of_an_earlier_version_that_takes_a_consumer_over_counts() {
    let mut stage = Stage::new().await;
    stage.readers().await;
    // It merges its note into the one that stands there, which still says that packs are read.
    let script = "local note = cjson.decode(redis.call('HGET', KEYS[1], 'search')) note.owner = 'bbbb/5000' \
                  redis.call('HSET', KEYS[1], 'search', cjson.encode(note)) return cjson.encode(note)";
    let eval = redis::cmd("EVAL").arg(script).arg(1).arg(stage.registry("products")).to_owned();
    let note: String = eval.query_async(&mut stage.raw).await.unwrap();
    assert!(note.contains(r#""packs":1"#), "{note}");
    stage.redstream.producer().queue_all(&stage.messages(0..2)).await.unwrap();
    assert_eq!(stage.sizes("products").await, [0, 0]);

    // And no more when one of this version works again.
    stage.readers().await;
    stage.writer(|options| options).await.producer().queue_all(&stage.messages(2..4)).await.unwrap();
    assert_eq!(stage.sizes("products").await, [0, 0, 2]);
}

#[tokio::test]
async fn a_listed_consumer_that_writers_cannot_know_of_is_warned_of() {
    let stage = Stage::new().await;
    stage.readers().await;
    let warned = async |packed: bool| {
        let logs = Logs::capture();
        let products = stage.writer(|options| options.packed(packed)).await.stream("products").unwrap();
        let trimmer = products.trimmer().also("ruby");
        for _ in 0..2 {
            trimmer.run_once().await.unwrap();
        }
        logs.text().matches("ConnectOptions::packed(false)").count()
    };
    assert_eq!((warned(true).await, warned(false).await), (1, 0));
}
