//! The harness's own connections to a schedule's Redis.

use std::time::Duration;

use anyhow::{Context as _, Result};
use redis::aio::MultiplexedConnection;
use tokio::time::{Instant, sleep};

/// How long Redis may take to restart, and how long it may take to answer. Many schedules share the machine.
const BOUND: Duration = Duration::from_secs(20);

/// A connection to the Redis at that port, which may be restarting.
pub(crate) async fn connected(port: u16) -> Result<MultiplexedConnection> {
    let redis = redis::Client::open(format!("redis://127.0.0.1:{port}/"))?;
    let config = redis::AsyncConnectionConfig::new()
        .set_connection_timeout(Some(Duration::from_secs(5)))
        .set_response_timeout(Some(BOUND));
    let deadline = Instant::now() + BOUND;
    loop {
        let error = match redis.get_multiplexed_async_connection_with_config(&config).await {
            Ok(connection) => return Ok(connection),
            Err(error) => error,
        };
        if Instant::now() > deadline {
            return Err(error).context("Redis did not come back");
        }
        sleep(Duration::from_millis(20)).await;
    }
}
