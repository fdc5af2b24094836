//! The metrics that the engine records.

mod lock_loss;
mod observer;
mod table;

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use ::metrics::set_default_local_recorder;
use metrics_util::debugging::{DebugValue, DebuggingRecorder, Snapshotter};
use redstream_core::metrics as names;
use redstream_core::{Batch, CancellationToken, Consumer, Progress, Start, Supervisor};

use super::SOON;
use super::panicking_worker::Restless;
use super::recorder::Recorder;
use crate::support::{eventually, namespace, raw_redis, redis_url, redstream_at};

/// Reads the metrics: counters and samples added up, gauges with their current values. By name and the values of the
/// labels.
struct Meter {
    snapshotter: Snapshotter,
    values: HashMap<String, f64>,
}

impl Meter {
    fn new(recorder: &DebuggingRecorder) -> Self {
        Self { snapshotter: recorder.snapshotter(), values: HashMap::new() }
    }

    /// Zero if nothing was recorded; `None` if the metric was never registered.
    fn read(&mut self, name: &str, labels: &str) -> Option<f64> {
        self.update();
        self.seen(name, labels)
    }

    /// The same, as of the last update: a gauge is zero if it is updated again before it is set.
    fn seen(&self, name: &str, labels: &str) -> Option<f64> {
        self.values.get(&format!("{name} {labels}")).copied()
    }

    fn update(&mut self) {
        // Reading resets them.
        for (key, _, _, value) in self.snapshotter.snapshot().into_vec() {
            let labels: Vec<&str> = key.key().labels().map(::metrics::Label::value).collect();
            let total = self.values.entry(format!("{} {}", key.key().name(), labels.join(" "))).or_default();
            match value {
                DebugValue::Counter(more) => *total += f64::from(u32::try_from(more).unwrap()),
                DebugValue::Histogram(samples) => *total += f64::from(u32::try_from(samples.len()).unwrap()),
                DebugValue::Gauge(now) => *total = now.into_inner(),
            }
        }
    }
}

/// The recorder belongs to the test's thread, on which everything runs.
#[tokio::test]
async fn consumers_tell_what_they_handled_and_what_they_could_not() {
    let recorder = DebuggingRecorder::new();
    let (_guard, mut meter) = (set_default_local_recorder(&recorder), Meter::new(&recorder));
    let namespace = namespace();
    let redstream = redstream_at(&redis_url(), &namespace).await;
    let products = redstream.stream("products").unwrap();
    let down = Arc::new(AtomicBool::new(false));
    let handler = {
        let down = down.clone();
        move |batch: Batch| {
            let poison = batch.payloads::<u64>().any(|number| number.is_ok_and(|number| number == 3));
            let failed = down.load(Ordering::SeqCst) || poison;
            std::future::ready(if failed { Err("no".into()) } else { Ok(()) })
        }
    };
    let quick = |consumer: Consumer| {
        consumer.attempts(2).backoff(Duration::from_millis(5), Duration::from_millis(20)).lock_ttl(SOON * 6)
    };
    for number in 0..5 {
        redstream.producer().queue(products.name(), &number).await.unwrap();
    }
    let story = async {
        eventually(SOON, "all messages", async || products.lag("search").await.unwrap() == 0).await;
        assert_eq!(meter.read(names::PRODUCED, "main"), Some(5.0));
        assert_eq!(meter.read(names::HANDLED, "products search"), Some(5.0), "dead letters included");
        assert_eq!(meter.read(names::DEAD, "products search"), Some(1.0));
        assert!(meter.read(names::HANDLER_FAILURES, "products search") >= Some(2.0));
        assert!(meter.read(names::BATCH_SECONDS, "products search") >= Some(3.0), "a sample for each call");

        down.store(true, Ordering::SeqCst);
        redstream.producer().queue(products.name(), &7).await.unwrap();
        eventually(SOON, "the outage", async || meter.read(names::OUTAGE, "products search") == Some(1.0)).await;
        down.store(false, Ordering::SeqCst);
        eventually(SOON, "its end", async || meter.read(names::OUTAGE, "products search") == Some(0.0)).await;
    };
    Supervisor::new().with(quick(products.consumer("search", handler))).run_until(story).await.unwrap();

    // Another host has the lock when the batch is to be committed; and Redis lost the consumer's offset.
    let mut raw = raw_redis(&redis_url()).await;
    let key = |rest: &str| format!("{namespace}:redstream:{rest}");
    let lock = key("lock:consumer:products:thief");
    let thief = {
        let lock = lock.clone();
        move |_: Batch| {
            let lock = lock.clone();
            async move {
                let mut raw = raw_redis(&redis_url()).await;
                redis::cmd("SET").arg(lock).arg("f".repeat(32)).exec_async(&mut raw).await?;
                Ok(())
            }
        }
    };
    quick(products.consumer("thief", thief)).run_once().await.unwrap_err();
    assert_eq!(meter.read(names::LOCKS_LOST, &lock), Some(1.0));

    let forgetful = quick(products.consumer("forgetful", Recorder::default()));
    assert!(matches!(forgetful.run_once().await.unwrap(), Progress::Handled(_)));
    redis::cmd("DEL").arg(key("offset:products:forgetful")).exec_async(&mut raw).await.unwrap();
    forgetful.run_once().await.unwrap();
    assert_eq!(meter.read(names::LOSSES, "products forgetful"), Some(1.0));
}

#[tokio::test]
async fn delayers_and_trimmers_tell_what_they_moved_and_who_holds_them_up() {
    let recorder = DebuggingRecorder::new();
    let (_guard, mut meter) = (set_default_local_recorder(&recorder), Meter::new(&recorder));
    let redstream = redstream_at(&redis_url(), &namespace()).await;
    let products = redstream.stream("products").unwrap();
    for number in 0..3 {
        redstream.producer().delay(products.name(), &number).await.unwrap();
    }
    assert_eq!(meter.read(names::PRODUCED, "delay"), Some(3.0));
    let delayer = products.delayer(Duration::from_millis(1));
    eventually(SOON, "the delay messages to be moved", async || {
        delayer.run_once().await.unwrap();
        products.delay_len().await.unwrap() == 0
    })
    .await;
    assert_eq!(meter.read(names::DELAYED, "products"), Some(3.0));

    products.register("stalled", Start::Earliest).await.unwrap();
    let shutdown = CancellationToken::new();
    let trimming = tokio::spawn({
        let (trimmer, shutdown) = (products.trimmer().interval(Duration::from_millis(10)), shutdown.clone());
        async move { trimmer.run(shutdown).await }
    });
    eventually(SOON, "the stalled consumer to be told of", async || {
        meter.read(names::BEHIND, "products stalled") > Some(0.0)
    })
    .await;
    products.consumer("stalled", Recorder::default()).run_once().await.unwrap();
    eventually(SOON, "the sweep", async || meter.read(names::TRIMMED, "products") == Some(3.0)).await;
    eventually(SOON, "it to have caught up", async || meter.read(names::BEHIND, "products stalled") == Some(0.0)).await;
    shutdown.cancel();
    trimming.await.unwrap().unwrap();

    redstream.producer().queue(products.name(), &1).await.unwrap();
    let expiring = products.trimmer().expire_after(Duration::from_millis(1));
    eventually(SOON, "the message to expire", async || {
        expiring.run_once().await.unwrap();
        products.is_empty().await.unwrap()
    })
    .await;
    assert_eq!(meter.read(names::TRIMMED_UNREAD, "products"), Some(1.0));
}

#[tokio::test]
async fn the_supervisor_tells_whom_it_had_to_restart() {
    let recorder = DebuggingRecorder::new();
    let (_guard, mut meter) = (set_default_local_recorder(&recorder), Meter::new(&recorder));
    let restarted = eventually(SOON, "two restarts", async || meter.read(names::RESTARTS, "restless") >= Some(2.0));
    Supervisor::new().with(Restless).run_until(restarted).await.unwrap();
}
