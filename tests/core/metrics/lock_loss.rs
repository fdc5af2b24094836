//! Gauges of a process that lost a lock: another process has later values.

use std::time::Duration;

use ::metrics::set_default_local_recorder;
use metrics_util::debugging::DebuggingRecorder;
use redstream_core::metrics as names;
use redstream_core::{Batch, HandlerError, Start, Supervisor};

use super::Meter;
use crate::core::SOON;
use crate::support::{eventually, namespace, raw_redis, redis_url, redstream_at};

/// Takes a lock as another process does, for longer than the test.
async fn steal(key: &str) {
    let set = redis::cmd("SET").arg(key).arg("f".repeat(32)).arg("PX").arg(600_000).to_owned();
    set.exec_async(&mut raw_redis(&redis_url()).await).await.unwrap();
}

#[tokio::test]
async fn a_trimmer_that_lost_its_lock_tells_no_longer_how_far_consumers_are_behind() {
    let recorder = DebuggingRecorder::new();
    let (_guard, mut meter) = (set_default_local_recorder(&recorder), Meter::new(&recorder));
    let own = namespace();
    let redstream = redstream_at(&redis_url(), &own).await;
    let products = redstream.stream("products").unwrap();
    redstream.producer().queue(products.name(), &1).await.unwrap();
    for name in ["search", "retired"] {
        products.register(name, Start::Earliest).await.unwrap();
    }
    let trimmer = products.trimmer().interval(Duration::from_millis(10)).lock_ttl(Duration::from_millis(300));
    let story = async {
        for labels in ["products search", "products retired"] {
            eventually(SOON, "the gauge", async || meter.read(names::BEHIND, labels) > Some(0.0)).await;
        }
        products.forget("retired").await.unwrap();
        let is_over = |value: Option<f64>| value.is_some_and(f64::is_nan);
        eventually(SOON, "its end", async || is_over(meter.read(names::BEHIND, "products retired"))).await;
        eventually(SOON, "the other", async || meter.read(names::BEHIND, "products search") > Some(0.0)).await;

        steal(&format!("{own}:redstream:lock:trimmer:products")).await;
        eventually(SOON, "the end", async || is_over(meter.read(names::BEHIND, "products search"))).await;
    };
    Supervisor::new().with(trimmer).run_until(story).await.unwrap();
}

#[tokio::test]
async fn a_consumer_that_lost_its_lock_has_no_outage() {
    let recorder = DebuggingRecorder::new();
    let (_guard, mut meter) = (set_default_local_recorder(&recorder), Meter::new(&recorder));
    let own = namespace();
    let redstream = redstream_at(&redis_url(), &own).await;
    let products = redstream.stream("products").unwrap();
    redstream.producer().queue(products.name(), &1).await.unwrap();
    let down = products.consumer("search", async |_: Batch| Err::<(), HandlerError>("no".into()));
    let down = down.attempts(1).backoff(Duration::from_millis(5), Duration::from_millis(20));
    let story = async {
        eventually(SOON, "the outage", async || meter.read(names::OUTAGE, "products search") == Some(1.0)).await;
        steal(&format!("{own}:redstream:lock:consumer:products:search")).await;
        eventually(SOON, "its end", async || meter.read(names::OUTAGE, "products search") == Some(0.0)).await;
    };
    Supervisor::new().with(down.lock_ttl(Duration::from_millis(300))).run_until(story).await.unwrap();
}
