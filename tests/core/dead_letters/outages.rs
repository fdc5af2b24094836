//! In an outage of the datastore no message is given up.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use redstream_core::{Batch, Handler};

use super::super::SOON;
use super::store::{Store, add, start, start_as_it_is, stop};
use crate::support::{Logs, eventually, redstream};

#[tokio::test]
async fn an_outage_gives_nothing_up_and_work_goes_on_when_it_ends() {
    let redstream = redstream().await;
    let products = redstream.stream("products").unwrap();
    let store = Store::default();
    add(&redstream, &products, 0..10).await;
    let running = start(products.consumer("search", store.clone()).batch_size(4));
    eventually(SOON, "the first messages", async || products.lag("search").await.unwrap() == 0).await;

    let logs = Logs::capture();
    store.down.store(true, Ordering::SeqCst);
    add(&redstream, &products, 10..20).await;
    let before = store.calls();
    eventually(SOON, "far more attempts than two", async || store.calls() > before + 20).await;
    assert_eq!(products.lag("search").await.unwrap(), 10, "nothing is skipped");
    store.down.store(false, Ordering::SeqCst);
    eventually(SOON, "the rest", async || products.lag("search").await.unwrap() == 0).await;
    stop(running).await;
    assert_eq!(store.numbers(), (0..20).collect::<Vec<_>>());
    assert_eq!(products.dead_letters("search").unwrap().count().await.unwrap(), 0);

    // At its beginning and its end, and before it was detected.
    let told = |text: &str| logs.text().lines().filter(|line| line.contains(text) && !line.contains("DEBUG")).count();
    assert_eq!((told("taken for an outage"), told("the datastore answers again")), (1, 1), "{}", logs.text());
    assert!(told("messages failed") <= 2, "{}", logs.text());
}

/// A store that is down for some calls, counted from the first one with a number above zero.
fn flickering(store: &Store, down: &'static [usize]) -> impl Handler {
    let (store, calls) = (store.clone(), Arc::new(AtomicUsize::new(0)));
    move |batch: Batch| {
        let begins = batch.payloads::<i64>().any(|number| number.is_ok_and(|number| number > 0));
        let counts = begins || calls.load(Ordering::SeqCst) > 0;
        let is_down = counts && down.contains(&(calls.fetch_add(1, Ordering::SeqCst) + 1));
        let store = store.clone();
        async move { if is_down { Err("connection refused".into()) } else { store.handle(batch).await } }
    }
}

#[tokio::test]
async fn an_outage_that_ends_after_the_last_try_sets_nothing_aside() {
    let redstream = redstream().await;
    let products = redstream.stream("products").unwrap();
    let store = Store::default();
    add(&redstream, &products, [0]).await;
    let running = start(products.consumer("search", flickering(&store, &[1, 2])));
    eventually(SOON, "the first message", async || products.lag("search").await.unwrap() == 0).await;
    add(&redstream, &products, [1]).await;
    eventually(SOON, "the second", async || products.lag("search").await.unwrap() == 0).await;
    stop(running).await;
    assert_eq!(products.dead_letters("search").unwrap().count().await.unwrap(), 0);
    assert_eq!(store.numbers(), [0, 1]);
}

/// Two attempts at three messages fail, one of them succeeds, and the others fail when they are tried alone.
#[tokio::test]
async fn an_outage_that_comes_and_goes_while_poison_is_looked_for_sets_nothing_aside() {
    for down in [&[1, 2, 4, 5][..], &[1, 2, 5]] {
        let redstream = redstream().await;
        let products = redstream.stream("products").unwrap();
        let store = Store::default();
        add(&redstream, &products, 1..=3).await;
        let running = start(products.consumer("search", flickering(&store, down)));
        eventually(SOON, "all messages", async || products.lag("search").await.unwrap() == 0).await;
        stop(running).await;
        assert_eq!(products.dead_letters("search").unwrap().count().await.unwrap(), 0, "down: {down:?}");
        assert_eq!(store.numbers(), [1, 2, 3], "down: {down:?}");
    }
}

#[tokio::test]
async fn a_datastore_that_was_down_from_the_start_is_an_outage_too() {
    let redstream = redstream().await;
    let products = redstream.stream("products").unwrap();
    let store = Store::default();
    store.down.store(true, Ordering::SeqCst);
    add(&redstream, &products, 0..10).await;
    let running = start(products.consumer("search", store.clone()));
    eventually(SOON, "many attempts", async || store.calls() > 30).await;
    assert_eq!(products.dead_letters("search").unwrap().count().await.unwrap(), 0);
    store.down.store(false, Ordering::SeqCst);
    eventually(SOON, "all", async || products.lag("search").await.unwrap() == 0).await;
    stop(running).await;
    assert_eq!(store.numbers(), (0..10).collect::<Vec<_>>());
}

#[tokio::test]
async fn work_goes_on_soon_after_an_outage_however_long_the_pauses_between_attempts() {
    let redstream = redstream().await;
    let products = redstream.stream("products").unwrap();
    let (down, calls) = (Arc::new(AtomicBool::new(true)), Arc::new(AtomicUsize::new(0)));
    let handler = {
        let (down, calls) = (down.clone(), calls.clone());
        move |_: Batch| {
            calls.fetch_add(1, Ordering::SeqCst);
            let down = down.load(Ordering::SeqCst);
            std::future::ready(if down { Err("down".into()) } else { Ok(()) })
        }
    };
    add(&redstream, &products, 0..100).await;
    let logs = crate::support::Logs::capture();
    let running = start_as_it_is(products.consumer("search", handler).attempts(1).backoff(SOON * 100, SOON * 100));
    eventually(SOON, "the outage", async || logs.has(&["ERROR", "taken for an outage"])).await;
    let before = calls.load(Ordering::SeqCst);
    eventually(SOON, "another attempt", async || calls.load(Ordering::SeqCst) > before).await;
    down.store(false, Ordering::SeqCst);
    eventually(SOON, "all of them", async || products.lag("search").await.unwrap() == 0).await;
    stop(running).await;
    assert_eq!(products.dead_letters("search").unwrap().count().await.unwrap(), 0);
}
