//! Delayers and trimmers of both languages on one stream.

use redstream_core::{CancellationToken, Trimmed};

use super::{MOMENT, Seen, Stage, key, keys};
use crate::core::SOON;
use crate::support::eventually;

#[tokio::test]
async fn our_delayer_moves_rubys_delay_messages_and_ruby_moves_ours() {
    let mut stage = Stage::new().await;
    let delayer = stage.products.delayer(MOMENT);
    for round in 0..3 {
        let (rubys, ours) = (key(2 * round), key(2 * round + 1));
        stage.gem.delay("products", &rubys).await;
        eventually(SOON, "Ruby's message to be due", async || {
            delayer.run_once().await.unwrap().is_some_and(|moved| moved.queued == 1)
        })
        .await;
        stage.redstream.producer().delay(stage.products.name(), &ours).await.unwrap();
        let gem = &mut stage.gem;
        eventually(SOON, "ours to be due", async || gem.move_due("products", MOMENT).await == Some(1)).await;
        assert_eq!(stage.products.delay_len().await.unwrap(), 0);
    }
    stage.ours().run_once().await.unwrap();
    assert_eq!(stage.seen.all(), keys(0..6), "each once");
}

#[tokio::test]
async fn delayers_of_both_languages_keep_out_of_each_others_way() {
    let mut stage = Stage::new().await;
    stage.gem.delay("products", &key(1)).await;
    let lock = stage.gem.consumer_lock("products.delay", "delayer");
    assert!(stage.gem.acquire(&lock).await);
    let delayer = stage.products.delayer(MOMENT);
    assert_eq!(delayer.run_once().await.unwrap(), None, "Ruby's is at work");

    let shutdown = CancellationToken::new();
    let token = shutdown.clone();
    let standby = tokio::spawn(async move { delayer.run(token).await });
    stage.gem.extend(&lock).await;
    // Ruby dies between the move and the clean-up: the message is moved once more, which is harmless.
    stage.gem.queue("products", &key(1)).await;
    stage.gem.release(&lock).await;
    eventually(SOON, "ours at work", async || stage.products.len().await.unwrap() == 2).await;
    assert_eq!(stage.gem.move_due("products", MOMENT).await, None, "ours is at work");
    shutdown.cancel();
    standby.await.unwrap().unwrap();
    assert_eq!(stage.gem.move_due("products", MOMENT).await, Some(0), "nothing is left");
}

#[tokio::test]
async fn our_trimmer_waits_for_a_ruby_consumer_that_it_was_told_of() {
    let mut stage = Stage::new().await;
    for id in 1..=3 {
        stage.we_queue(id).await;
    }
    stage.ours().run_once().await.unwrap();
    let trimmer = stage.products.trimmer().also("ruby");
    assert_eq!(trimmer.run_once().await.unwrap(), Trimmed::WaitingFor("ruby".to_owned()));

    let read = stage.gem.read("products", "ruby").await;
    stage.gem.commit("products", "ruby", &read[1].0).await;
    assert_eq!(trimmer.run_once().await.unwrap(), Trimmed::Removed(2));
    assert_eq!(stage.gem.consume_once("products", "ruby", &Seen::default()).await, Some(1));
    assert_eq!(trimmer.run_once().await.unwrap(), Trimmed::Removed(1));
}

#[tokio::test]
async fn our_trimmer_stands_by_while_rubys_is_at_work() {
    let mut stage = Stage::new().await;
    stage.we_queue(1).await;
    stage.ours().run_once().await.unwrap();
    let lock = format!("{}:redstream:lock:trimmer:products", stage.namespace);
    assert!(stage.gem.acquire(&lock).await);
    assert_eq!(stage.products.trimmer().run_once().await.unwrap(), Trimmed::Standby);
    stage.gem.release(&lock).await;
    assert_eq!(stage.products.trimmer().run_once().await.unwrap(), Trimmed::Removed(1));
}
