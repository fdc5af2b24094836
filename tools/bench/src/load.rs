//! The CPU load of Redis.

use anyhow::{Context, Result};
use redis::aio::MultiplexedConnection;
use std::time::Instant;

/// The share of one core that Redis has used since this value was created.
pub(crate) struct Load {
    raw: MultiplexedConnection,
    seconds: f64,
    since: Instant,
}

impl Load {
    pub(crate) async fn watch(mut raw: MultiplexedConnection) -> Result<Self> {
        let seconds = seconds(&mut raw).await?;
        Ok(Self { raw, seconds, since: Instant::now() })
    }

    pub(crate) async fn share(mut self) -> Result<f64> {
        let took = self.since.elapsed().as_secs_f64();
        Ok((seconds(&mut self.raw).await? - self.seconds) / took)
    }
}

async fn seconds(raw: &mut MultiplexedConnection) -> Result<f64> {
    let info: String = redis::cmd("INFO").arg("cpu").query_async(raw).await?;
    let of = |name: &str| info.lines().find_map(|line| line.strip_prefix(name)?.trim().parse::<f64>().ok());
    Ok(of("used_cpu_user:").context("INFO has no CPU")? + of("used_cpu_sys:").context("INFO has no CPU")?)
}
