//! The limit as measured by `redis-benchmark`.

use crate::place::Place;
use anyhow::{Context, Result, ensure};
use std::time::Duration;
use tokio::process::Command;

/// The key that it writes to.
pub(crate) const KEY: &str = "yardstick";

/// The longest that a run of it may take.
const BOUND: Duration = Duration::from_secs(120);

/// Runs `redis-benchmark -n REQUESTS OPTIONS… COMMAND…` there and returns requests per second.
pub(crate) async fn redis_benchmark(place: &Place, requests: usize, options: &[&str], command: &[&str]) -> Result<f64> {
    let mut benchmark = Command::new("redis-benchmark");
    benchmark
        // Without TLS, whatever the place: that of Redis 7.0 does not end if it has to pipeline by TLS.
        .args(["--csv", "-p", &place.redis_port().to_string(), "-n", &requests.to_string()])
        .args(options)
        .args(command)
        .kill_on_drop(true);
    let output = tokio::time::timeout(BOUND, benchmark.output())
        .await
        .with_context(|| format!("redis-benchmark was not done within {} s", BOUND.as_secs()))?
        .context("could not run redis-benchmark: it is in Debian's package redis-tools")?;
    let text = String::from_utf8_lossy(&output.stdout);
    ensure!(output.status.success(), "redis-benchmark failed: {text}{}", String::from_utf8_lossy(&output.stderr));
    rate(&text).with_context(|| format!("redis-benchmark printed no rate: {text}"))
}

/// The command, which may contain quotes itself, then the rate and six latencies.
fn rate(csv: &str) -> Option<f64> {
    let fields: Vec<&str> = csv.lines().last()?.split("\",\"").collect();
    fields.get(fields.len().checked_sub(7)?)?.parse().ok()
}

/// `XADD` as our messages are added, with this many in a pipeline, by `redis-benchmark`'s 50 clients unless told
/// otherwise.
pub(crate) async fn xadd(place: &Place, requests: usize, options: &[&str], payload: &str) -> Result<f64> {
    redis_benchmark(place, requests, options, &["XADD", KEY, "*", "payload", payload]).await
}
