//! The place of the measurement: private servers of this machine.

mod tls;

use self::tls::Certificates;
use anyhow::{Context, Result};
use redis::aio::MultiplexedConnection;
use redstream_core::{ConnectOptions, Redstream};
use redstream_servers::{Postgres, Redis, RedisEdition, RedisOptions};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::OnceCell;

/// A Redis without persistence, and, once it is asked for, a PostgreSQL. Clones share them.
#[derive(Clone)]
pub(crate) struct Place {
    redis: Arc<Redis>,
    /// Those of the Redis, if it is reached by TLS.
    tls: Option<Arc<Certificates>>,
    redis_rs_only: bool,
    postgres: Arc<OnceCell<Postgres>>,
    quick: bool,
}

impl Place {
    /// `quick`: fewer rounds of less work, to check that all works and roughly how fast.
    pub(crate) fn start(quick: bool) -> Result<Self> {
        let redis = Arc::new(Redis::start()?);
        Ok(Self { redis, tls: None, redis_rs_only: false, postgres: Arc::default(), quick })
    }

    /// The same with another server.
    pub(crate) async fn with_edition(&self, edition: RedisEdition) -> Result<Self> {
        let redis = tokio::task::spawn_blocking(move || RedisOptions::new().edition(edition).start()).await??;
        Ok(Self { redis: Arc::new(redis), tls: None, ..self.clone() })
    }

    /// The same with another server of the same edition, which is reached by TLS.
    pub(crate) async fn with_tls(&self) -> Result<Self> {
        let certificates = Certificates::new()?;
        let options = certificates.serve(RedisOptions::new())?;
        let redis = tokio::task::spawn_blocking(move || options.start()).await??;
        Ok(Self { redis: Arc::new(redis), tls: Some(Arc::new(certificates)), ..self.clone() })
    }

    /// The same, where redis-rs speaks the protocol.
    pub(crate) fn by_redis_rs(&self) -> Self {
        Self { redis_rs_only: true, ..self.clone() }
    }

    /// A handle on the Redis, which is empty.
    pub(crate) async fn fresh(&self) -> Result<Redstream> {
        self.flush().await?;
        self.connect().await
    }

    /// Another handle on the Redis.
    pub(crate) async fn connect(&self) -> Result<Redstream> {
        Ok(Redstream::connect(self.options()).await?)
    }

    fn options(&self) -> ConnectOptions {
        let options = match &self.tls {
            Some(tls) => ConnectOptions::new(tls.url()).root_certificate(tls.root()),
            None => ConnectOptions::new(self.redis_url()),
        };
        options.redis_rs_only(self.redis_rs_only)
    }

    /// Without TLS, which the Redis accepts in any case.
    pub(crate) fn redis_url(&self) -> String {
        self.redis.url()
    }

    pub(crate) fn redis_port(&self) -> u16 {
        self.redis.port()
    }

    /// A plain connection, without TLS.
    pub(crate) async fn raw(&self) -> Result<MultiplexedConnection> {
        plain(&self.redis_url()).await
    }

    /// A plain connection that is as safe as ours.
    pub(crate) async fn raw_like_ours(&self) -> Result<MultiplexedConnection> {
        let Some(tls) = &self.tls else { return self.raw().await };
        let root_cert = Some(tls.root());
        let client = redis::Client::build_with_tls(tls.url(), redis::TlsCertificates { client_tls: None, root_cert })?;
        Ok(client.get_multiplexed_async_connection_with_config(&patient()).await?)
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
    Ok(redis::Client::open(url)?.get_multiplexed_async_connection_with_config(&patient()).await?)
}

fn patient() -> redis::AsyncConnectionConfig {
    redis::AsyncConnectionConfig::new().set_response_timeout(Some(Duration::from_secs(60)))
}
