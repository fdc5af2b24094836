//! A rewind and a pause take effect against an active owner.

use std::time::Duration;

use redstream_core::{Error, MessageId, Progress, Start, Trimmed};

use super::{Stage, within};
use crate::core::SOON;
use crate::core::recorder::Recorder;

/// A has handled two messages and not committed yet; an operator rewinds to the beginning; A then commits; the
/// trimmer sweeps. How many messages are left to be handled again.
async fn a_rewind_under_an_owner(plain: bool) -> u64 {
    let mut stage = Stage::new(true).await;
    stage.primary.commit("v1");
    stage.announce().await;
    stage.announce().await;
    let (hold, owner) = stage.zombie().await;
    if plain {
        let key = stage.key("offset:products:search");
        let () = redis::cmd("SET").arg(key).arg("0-0").query_async(&mut stage.raw).await.unwrap();
    } else {
        assert_eq!(stage.products.rewind("search", Start::Earliest).await.unwrap(), MessageId::MIN);
    }
    hold.go_on.notify_one();
    let outcome = within(owner).await.unwrap();
    if plain {
        assert_eq!(outcome.unwrap(), Progress::Handled(2));
    } else {
        assert!(matches!(outcome, Err(Error::LockLost { .. })), "{outcome:?}");
    }
    let trimmed = stage.products.trimmer().run_once().await.unwrap();
    assert_eq!(trimmed, Trimmed::Removed(if plain { 2 } else { 0 }));
    stage.products.lag("search").await.unwrap()
}

#[tokio::test]
async fn a_rewind_is_not_undone_by_the_owner_at_work() {
    assert_eq!(a_rewind_under_an_owner(false).await, 2);
}

#[tokio::test]
async fn a_rewind_that_only_set_the_offset_would_be_undone_and_trimmed() {
    assert_eq!(a_rewind_under_an_owner(true).await, 0);
}

#[tokio::test]
async fn a_pause_that_comes_after_the_look_and_before_the_lock_still_holds() {
    let mut stage = Stage::new(true).await;
    stage.announce().await;
    stage.products.register("search", Start::Earliest).await.unwrap();
    assert!(!stage.products.is_paused("search").await.unwrap(), "what a client would have seen");
    assert!(stage.products.pause("search", SOON).await.unwrap(), "complete: the lock is free");

    let seen = Recorder::default();
    let error = stage.host(seen.clone()).await.run_once().await.unwrap_err();
    assert!(matches!(error, Error::Paused { .. }), "{error}");
    assert_eq!(seen.len(), 0);

    // The rule left out: a client that trusts its own check and acquires the lock is at work during the pause.
    let lock = stage.key("lock:consumer:products:search");
    let set = redis::cmd("SET").arg(lock).arg("f".repeat(32)).arg("NX").arg("PX").arg(60_000).to_owned();
    let taken: Option<String> = set.query_async(&mut stage.raw).await.unwrap();
    assert_eq!(taken.as_deref(), Some("OK"));
}

#[tokio::test]
async fn a_pause_while_a_batch_is_at_work_refuses_its_commit_and_the_batch_comes_again() {
    let stage = Stage::new(true).await;
    stage.primary.commit("v1");
    stage.announce().await;
    let (hold, owner) = stage.zombie().await;
    assert!(!stage.products.pause("search", Duration::from_millis(1)).await.unwrap(), "not at rest yet");
    hold.go_on.notify_one();
    let error = within(owner).await.unwrap().unwrap_err();
    assert!(matches!(error, Error::Paused { .. }), "{error}");
    assert!(stage.products.pause("search", SOON).await.unwrap(), "at rest");
    assert_eq!(stage.offset().await, None);

    stage.products.resume("search").await.unwrap();
    assert_eq!(stage.host(stage.carrier()).await.run_once().await.unwrap(), Progress::Handled(1));
}
