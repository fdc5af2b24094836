//! A handler that fails: its batch is retried, after a pause.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use redstream_core::{Batch, Error};
use tokio::sync::Notify;

use super::{add, quick, start, stop};
use crate::core::SOON;
use crate::support::{Logs, eventually, redstream};

#[tokio::test]
async fn a_handler_that_panics_is_a_handler_that_failed() {
    let redstream = redstream().await;
    let products = redstream.stream("products").unwrap();
    add(&redstream, &products, 0..1).await;
    let attempts = Arc::new(AtomicUsize::new(0));
    let handler = {
        let attempts = attempts.clone();
        move |_: Batch| {
            let attempt = attempts.fetch_add(1, Ordering::SeqCst);
            async move {
                assert!(attempt >= 2, "attempt {attempt} fails");
                Ok(())
            }
        }
    };
    let error = products.consumer("search", handler.clone()).run_once().await.unwrap_err();
    assert!(
        matches!(&error, Error::Handler { source, .. } if source.to_string().contains("attempt 0 fails")),
        "{error:?}"
    );

    let running = start(quick(products.consumer("search", handler)));
    eventually(SOON, "the commit", async || products.lag("search").await.unwrap() == 0).await;
    stop(running).await;
}

#[tokio::test]
async fn shutdown_interrupts_the_pause_after_a_failure_and_commits_nothing() {
    let redstream = redstream().await;
    let products = redstream.stream("products").unwrap();
    add(&redstream, &products, 0..1).await;
    let failed = Arc::new(Notify::new());
    let handler = {
        let failed = failed.clone();
        move |_: Batch| {
            failed.notify_one();
            async { Err("no".into()) }
        }
    };
    let pause = Duration::from_secs(3600);
    let running = start(products.consumer("search", handler).backoff(pause, pause));
    failed.notified().await;
    stop(running).await;
    assert_eq!(products.lag("search").await.unwrap(), 1);
    assert!(
        products.lock("search", Duration::from_secs(5)).unwrap().try_acquire().await.unwrap().is_some(),
        "released"
    );
}

#[tokio::test]
async fn pauses_double_up_to_the_longest_and_are_spread_by_chance() {
    let redstream = redstream().await;
    let products = redstream.stream("products").unwrap();
    add(&redstream, &products, 0..1).await;
    let (min, max) = (Duration::from_millis(10), Duration::from_millis(80));
    let logs = Logs::capture();
    let failing = |_: Batch| std::future::ready(Err("the index is on fire".into()));
    let running = start(products.consumer("search", failing).attempts(1000).backoff(min, max));
    let pauses = eventually(SOON, "eight pauses", async || {
        let text = logs.text();
        let told = text.lines().filter_map(|line| line.split_once("pause=")?.1.split(' ').next());
        let pauses: Vec<Duration> = told.map(milliseconds).collect();
        (pauses.len() >= 8).then_some(pauses)
    })
    .await;
    stop(running).await;
    for (pause, doubled) in pauses.iter().zip([10, 20, 40, 80, 80, 80, 80, 80].map(Duration::from_millis)) {
        // Doubling rounds down by a nanosecond.
        assert!((doubled..=doubled * 2).contains(&(*pause + Duration::from_nanos(10))), "{pauses:?}");
    }
    let longest: std::collections::HashSet<_> = pauses[3..8].iter().collect();
    assert!(longest.len() > 1, "all alike: {pauses:?}");
}

/// A duration as shown in logs: `12.34ms`.
fn milliseconds(text: &str) -> Duration {
    let number = text.trim().strip_suffix("ms").unwrap_or_else(|| panic!("{text} is not in milliseconds"));
    Duration::from_secs_f64(number.parse::<f64>().unwrap() / 1000.0)
}
