//! A lock that expired under an owner and that no other process acquired: the owner's batch is committed. Any other
//! event in between still makes it be refused.

use redstream_core::{Error, Progress, Start};

use super::{Stage, within};
use crate::core::SOON;

/// An event between the lock's expiry and the late commit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Between {
    Nothing,
    /// Another owner acquires the lock and releases it.
    AnotherOwner,
    Rewind,
    Pause,
    Forget,
}

/// The owner's outcome, and whether its lock was free afterwards, for as long as it had not ended.
async fn a_late_commit(between: Between) -> redstream_core::Result<Progress> {
    let mut stage = Stage::new(true).await;
    stage.primary.commit("v1");
    let last = stage.announce().await;
    let (hold, owner) = stage.zombie().await;
    stage.take_the_lock_away().await;
    match between {
        Between::Nothing => {}
        Between::AnotherOwner => {
            let lock = stage.products.lock("search", super::TTL).unwrap();
            lock.try_acquire().await.unwrap().expect("free").release().await.unwrap();
        }
        Between::Rewind => _ = stage.products.rewind("search", Start::Earliest).await.unwrap(),
        Between::Pause => assert!(stage.products.pause("search", SOON).await.unwrap(), "at rest: the lock is free"),
        Between::Forget => stage.products.forget("search").await.unwrap(),
    }
    hold.go_on.notify_one();
    let outcome = within(owner).await.unwrap();
    let committed = (between == Between::Nothing).then_some(last);
    let nothing = (between == Between::Rewind).then_some(redstream_core::MessageId::MIN);
    assert_eq!(stage.offset().await, committed.or(nothing), "{between:?}");
    outcome
}

#[tokio::test]
async fn a_batch_whose_lock_expired_and_was_not_taken_is_committed() {
    assert_eq!(a_late_commit(Between::Nothing).await.unwrap(), Progress::Handled(1));
}

#[tokio::test]
async fn whatever_came_between_refuses_it() {
    for between in [Between::AnotherOwner, Between::Rewind, Between::Pause, Between::Forget] {
        let error = a_late_commit(between).await.unwrap_err();
        assert!(matches!(error, Error::LockLost { .. }), "{between:?}: {error}");
    }
}
