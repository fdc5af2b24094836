//! The place of the measurement: private servers of this machine.

use anyhow::{Context, Result};
use redis::aio::MultiplexedConnection;
use redstream_core::Redstream;
use redstream_servers::{Postgres, Redis};
use tokio::sync::OnceCell;

/// A Redis without persistence, and, once it is asked for, a PostgreSQL.
pub(crate) struct Place {
    redis: Redis,
    postgres: OnceCell<Postgres>,
    quick: bool,
}

impl Place {
    /// `quick`: fewer rounds of less work, to check that all works and roughly how fast.
    pub(crate) fn start(quick: bool) -> Result<Self> {
        Ok(Self { redis: Redis::start()?, postgres: OnceCell::new(), quick })
    }

    /// A handle on the Redis, which is empty.
    pub(crate) async fn fresh(&self) -> Result<Redstream> {
        self.flush().await?;
        Ok(Redstream::connect(self.redis_url()).await?)
    }

    pub(crate) fn redis_url(&self) -> String {
        self.redis.url()
    }

    pub(crate) fn redis_port(&self) -> u16 {
        self.redis.port()
    }

    /// A plain connection.
    pub(crate) async fn raw(&self) -> Result<MultiplexedConnection> {
        plain(&self.redis_url()).await
    }

    /// Empties Redis.
    pub(crate) async fn flush(&self) -> Result<()> {
        Ok(redis::cmd("FLUSHALL").exec_async(&mut self.raw().await?).await?)
    }

    pub(crate) async fn postgres(&self) -> Result<&Postgres> {
        let start = async || tokio::task::spawn_blocking(Postgres::start).await?.context("no PostgreSQL");
        self.postgres.get_or_try_init(start).await
    }

    pub(crate) fn is_quick(&self) -> bool {
        self.quick
    }

    /// How often each path is measured.
    pub(crate) fn rounds(&self) -> usize {
        if self.quick { 2 } else { 5 }
    }

    /// The same for short paths: otherwise a machine whose cores alternate between two speeds would determine the
    /// median.
    pub(crate) fn many_rounds(&self) -> usize {
        3 * self.rounds()
    }

    /// The same for paths that take many seconds.
    pub(crate) fn few_rounds(&self) -> usize {
        if self.quick { 1 } else { 3 }
    }

    /// This many, or a tenth of it.
    pub(crate) fn scaled(&self, many: usize) -> usize {
        if self.quick { many.div_ceil(10) } else { many }
    }
}

/// A plain connection that waits longer than redis-rs does by default.
pub(crate) async fn plain(url: &str) -> Result<MultiplexedConnection> {
    let patient = redis::AsyncConnectionConfig::new().set_response_timeout(Some(std::time::Duration::from_secs(60)));
    Ok(redis::Client::open(url)?.get_multiplexed_async_connection_with_config(&patient).await?)
}
