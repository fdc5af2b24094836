//! Waiting for a message that shares its entry.

use std::time::Duration;

use redstream_core::{Batch, Error, Message, MessageId, SyncToken};

use super::super::SOON;
use super::super::waiting_handler::Held;
use super::{Stage, start, stop};
use crate::support::eventually;

const SHORT: Duration = Duration::from_millis(50);

#[tokio::test]
async fn a_message_is_synced_when_its_entry_is_committed() {
    let stage = Stage::new().await;
    stage.readers().await;
    let messages = stage.messages(0..5);
    let ids = stage.redstream.producer().queue_all(&messages).await.unwrap();
    assert_eq!(ids[1].index(), Some(1));
    let mut token = SyncToken::new();
    token.add(messages[1].clone(), Some(ids[1]));
    let held = Held::default();
    let running = start(stage.products.consumer("search", held.clone()).batch_size(2));
    held.begun().await;
    held.go_on();
    held.begun().await;
    // It is handled, and its entry is not committed.
    let early = stage.redstream.wait_until_synced("search", &token, SHORT).await;
    assert!(matches!(early, Err(Error::NotSynced { wanted, .. }) if wanted == ids[1]), "{early:?}");
    held.go_on();
    held.begun().await;
    held.go_on();
    stage.redstream.wait_until_synced("search", &token, SOON).await.unwrap();
    stop(running).await;
}

#[tokio::test]
async fn a_message_that_became_a_dead_letter_is_no_success_and_its_neighbours_are() {
    let stage = Stage::new().await;
    stage.readers().await;
    let messages = stage.messages(0..3);
    let ids = stage.redstream.producer().queue_all(&messages).await.unwrap();
    let handler = async |batch: Batch| {
        let bad = batch.messages().iter().find(|message| message.raw() == b"1").map(Message::id);
        bad.map_or(Ok(()), |bad| Err(redstream_core::HandlerError::permanent(bad, "one is bad")))
    };
    let running = start(stage.products.consumer("search", handler));
    eventually(SOON, "the commit", async || stage.offset().await >= Some(ids[2])).await;
    stop(running).await;
    for (message, id) in messages.into_iter().zip(ids) {
        let mut token = SyncToken::new();
        token.add(message, Some(id));
        let synced = stage.redstream.wait_until_synced("search", &token, SOON).await;
        match id.index() {
            Some(1) => {
                assert!(matches!(synced, Err(Error::DeadLettered { message, .. }) if message == id), "{synced:?}");
            }
            _ => synced.unwrap(),
        }
    }
    assert_eq!(stage.products.dead_letters("search").unwrap().list(MessageId::MIN, 9).await.unwrap().len(), 1);
}
