//! Ruby knows no packs: it is given one message per entry.

use redstream_core::{ConnectOptions, NewMessage, Payload, Redstream};

use super::{Seen, Stage, key, keys};
use crate::support::{eventually, redis_url};

fn messages(stage: &Stage, ids: std::ops::Range<u64>) -> Vec<NewMessage> {
    ids.map(|id| NewMessage::new(stage.products.name().clone(), Payload::encode(&key(id)).unwrap())).collect()
}

#[tokio::test]
async fn a_stream_that_ruby_alone_reads_has_one_message_per_entry() {
    let mut stage = Stage::new().await;
    for _ in 0..2 {
        let (ruby, seen) = (Seen::default(), stage.products.len().await.unwrap());
        stage.redstream.producer().queue_all(&messages(&stage, 0..5)).await.unwrap();
        stage.redstream.producer().delay_all(&messages(&stage, 5..10)).await.unwrap();
        assert_eq!(stage.products.len().await.unwrap(), seen + 5);
        assert_eq!(stage.gem.consume_once("products", "search", &ruby).await, Some(5));
        assert_eq!(stage.gem.move_due("products", std::time::Duration::ZERO).await, Some(5));
        assert_eq!(stage.gem.consume_once("products", "search", &ruby).await, Some(5));
        assert_eq!(ruby.all(), keys(0..10));
    }
}

#[tokio::test]
async fn beside_consumers_of_ours_the_switch_keeps_it_so() {
    let mut stage = Stage::new().await;
    stage.ours().run_once().await.unwrap();
    stage.products.delayer(super::SOON * 30).run_once().await.unwrap();
    let options = ConnectOptions::new(redis_url()).namespace(&stage.namespace).packed(false);
    let redstream = Redstream::connect(options).await.unwrap();
    redstream.producer().queue_all(&messages(&stage, 0..5)).await.unwrap();
    redstream.producer().delay_all(&messages(&stage, 5..10)).await.unwrap();
    let delayer = redstream.stream("products").unwrap().delayer(std::time::Duration::from_millis(1));
    eventually(super::SOON, "the delay messages to be moved", async || {
        delayer.run_once().await.unwrap();
        stage.products.delay_len().await.unwrap() == 0
    })
    .await;
    let ruby = Seen::default();
    assert_eq!(stage.gem.consume_once("products", "cache", &ruby).await, Some(10));
    stage.ours().run_once().await.unwrap();
    assert_eq!((ruby.all(), stage.seen.all()), (keys(0..10), keys(0..10)));
}
