//! A version is issued after its batch arrived, by the owner only, and never goes back.

use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use redstream_core::{Batch, CancellationToken, Error, Progress};

use super::{Carrier, Hold, Stage, Versions, clock, within};
use crate::core::SOON;
use crate::core::recorder::Recorder;
use crate::support::eventually;

/// N holds the lock and waits for messages. A rival that does not know that it lost it writes v1 meanwhile, with a
/// version of that moment. v2 is committed, and N carries it. What the sink has in the end.
async fn a_rival_while_the_owner_waits(early: bool) -> Option<&'static str> {
    let mut stage = Stage::new(true).await;
    stage.primary.commit("v0");
    stage.announce().await;
    let versions = if early { Versions::Early(clock(&mut stage.raw).await) } else { Versions::Batch };
    let owner = stage.host(Carrier { versions, ..stage.carrier() }).await;
    let shutdown = CancellationToken::new();
    let token = shutdown.clone();
    let running = tokio::spawn(async move { owner.run(token).await });
    // It has handled one batch, whose commit brought a version; that one is too old for the next batch.
    eventually(SOON, "the owner to wait", async || stage.products.lag("search").await.unwrap() == 0).await;

    stage.primary.commit("v1");
    let rival = clock(&mut stage.raw).await;
    assert!(stage.sink.write(rival, stage.primary.read()));
    stage.primary.commit("v2");
    stage.announce().await;
    if early {
        // For as long as it keeps its version.
        eventually(SOON, "the owner to be refused", async || stage.sink.refused.load(Ordering::SeqCst) > 1).await;
    } else {
        eventually(SOON, "the second message", async || stage.products.lag("search").await.unwrap() == 0).await;
    }
    shutdown.cancel();
    within(running).await.unwrap().unwrap();
    stage.sink.value()
}

#[tokio::test]
async fn a_version_is_newer_than_what_a_rival_wrote_before_the_batch_arrived() {
    assert_eq!(a_rival_while_the_owner_waits(false).await, Some("v2"));
}

#[tokio::test]
async fn a_version_from_before_the_batch_arrived_would_lose_to_the_rival() {
    assert_eq!(a_rival_while_the_owner_waits(true).await, Some("v1"));
}

/// The owner writes; the clock of Redis steps back by an hour; the next row comes. What the sink has in the end.
async fn a_clock_that_steps_back(by_the_clock_alone: bool) -> Option<&'static str> {
    let mut stage = Stage::new(true).await;
    // For the scripts a version of the future is the same as a clock that was set back.
    let hour = Duration::from_secs(3600).as_micros().try_into().unwrap_or(u64::MAX);
    let ahead = clock(&mut stage.raw).await + hour;
    let key = stage.key("version:products:search");
    let () = redis::cmd("SET").arg(key).arg(ahead).query_async(&mut stage.raw).await.unwrap();
    stage.primary.commit("v1");
    stage.announce().await;
    stage.host(stage.carrier()).await.run_once().await.unwrap();
    assert_eq!(stage.sink.value(), Some("v1"));
    assert!(!stage.sink.write(ahead, None), "its version is ahead of the clock");

    stage.primary.commit("v2");
    stage.announce().await;
    let versions = if by_the_clock_alone { Versions::Clock(stage.raw.clone()) } else { Versions::Batch };
    let outcome = stage.host(Carrier { versions, ..stage.carrier() }).await.run_once().await;
    assert_eq!(outcome.is_err(), by_the_clock_alone, "{outcome:?}");
    stage.sink.value()
}

#[tokio::test]
async fn the_row_after_a_step_back_of_the_clock_is_accepted() {
    assert_eq!(a_clock_that_steps_back(false).await, Some("v2"));
}

#[tokio::test]
async fn by_the_clock_alone_the_row_after_a_step_back_would_be_refused() {
    assert_eq!(a_clock_that_steps_back(true).await, Some("v1"));
}

#[tokio::test]
async fn a_version_asked_for_after_the_lock_was_lost_is_refused() {
    let mut stage = Stage::new(true).await;
    stage.announce().await;
    let hold = Hold::default();
    let told = Arc::new(Mutex::new(None));
    let handler = {
        let (hold, told) = (hold.clone(), told.clone());
        move |batch: Batch| {
            let (hold, told) = (hold.clone(), told.clone());
            async move {
                hold.reached.notify_one();
                hold.go_on.notified().await;
                let version = batch.version().await;
                *told.lock().unwrap() = Some(matches!(version, Err(Error::LockLost { .. })));
                version?;
                Ok(())
            }
        }
    };
    let zombie = stage.host(handler).await;
    let running = tokio::spawn(async move { zombie.run_once().await });
    within(hold.reached.notified()).await;
    stage.take_the_lock_away().await;
    let owner = stage.host(Recorder::default()).await;
    assert_eq!(owner.run_once().await.unwrap(), Progress::Handled(1));

    hold.go_on.notify_one();
    within(running).await.unwrap().unwrap_err();
    assert_eq!(*told.lock().unwrap(), Some(true), "LockLost");
}
