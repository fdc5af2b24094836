//! Late writes of a former owner are refused by their version.

use redstream_core::{CancellationToken, Error, Progress};

use super::{Carrier, Hold, Stage, within};
use crate::core::SOON;
use crate::support::eventually;

/// Z reads v0 and pauses; v1 is committed, and N writes it; Z writes late. What the sink has in the end.
async fn a_late_write(versioned: bool) -> Option<&'static str> {
    let mut stage = Stage::new(versioned).await;
    stage.primary.commit("v0");
    stage.announce().await;
    let (hold, zombie) = stage.zombie().await;
    stage.take_the_lock_away().await;
    stage.primary.commit("v1");
    let last = stage.announce().await;

    assert_eq!(stage.host(stage.carrier()).await.run_once().await.unwrap(), Progress::Handled(2));
    assert_eq!(stage.sink.value(), Some("v1"));
    hold.go_on.notify_one();
    let error = within(zombie).await.unwrap().unwrap_err();
    if versioned {
        assert!(matches!(error, Error::Handler { .. }), "its write is refused: {error}");
    } else {
        assert!(matches!(error, Error::LockLost { .. }), "only its commit is refused: {error}");
    }
    assert_eq!(stage.offset().await, Some(last));
    stage.sink.value()
}

#[tokio::test]
async fn a_late_write_of_a_former_owner_is_refused_by_its_version() {
    assert_eq!(a_late_write(true).await, Some("v1"));
}

#[tokio::test]
async fn without_versions_a_late_write_leaves_the_sink_stale() {
    assert_eq!(a_late_write(false).await, Some("v0"));
}

#[tokio::test]
async fn a_former_owner_that_was_refused_stands_by_and_takes_over_again() {
    let mut stage = Stage::new(true).await;
    stage.primary.commit("v0");
    stage.announce().await;
    let hold = Hold::default();
    let zombie = stage.host(Carrier { hold: Some(hold.clone()), ..stage.carrier() }).await;
    let shutdown = CancellationToken::new();
    let token = shutdown.clone();
    let running = tokio::spawn(async move { zombie.run(token).await });
    within(hold.reached.notified()).await;
    stage.take_the_lock_away().await;
    stage.primary.commit("v1");
    stage.announce().await;
    stage.host(stage.carrier()).await.run_once().await.unwrap();

    // It continues, is refused, learns that it lost the lock, acquires it again, and finds no work.
    hold.go_on.notify_one();
    stage.primary.commit("v2");
    let last = stage.announce().await;
    eventually(SOON, "the newest row in the sink", async || {
        hold.go_on.notify_one();
        stage.offset().await == Some(last)
    })
    .await;
    assert_eq!(stage.sink.value(), Some("v2"));
    shutdown.cancel();
    within(running).await.unwrap().unwrap();
}

/// Z reads v1 and pauses; the row is deleted, and N writes that; Z writes late. Returns what the sink has in the end.
async fn a_late_upsert_of_a_deleted_row(forgets: bool) -> Option<&'static str> {
    let mut stage = Stage::new(true).await;
    stage.primary.commit("v1");
    stage.announce().await;
    let (hold, zombie) = stage.zombie().await;
    stage.take_the_lock_away().await;
    stage.primary.delete();
    stage.announce().await;
    stage.host(stage.carrier()).await.run_once().await.unwrap();
    assert_eq!(stage.sink.value(), None);
    if forgets {
        stage.sink.forget_tombstones();
    }
    hold.go_on.notify_one();
    within(zombie).await.unwrap().unwrap_err();
    stage.sink.value()
}

#[tokio::test]
async fn a_tombstone_refuses_the_late_upsert_of_a_deleted_row() {
    assert_eq!(a_late_upsert_of_a_deleted_row(false).await, None);
}

/// Documents a limit: a tombstone must outlive the longest pause of a process.
#[tokio::test]
async fn a_sink_that_forgot_its_tombstone_brings_a_deleted_row_back() {
    assert_eq!(a_late_upsert_of_a_deleted_row(true).await, Some("v1"));
}
