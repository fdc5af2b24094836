//! The samples that are taken every few seconds.

use std::time::Duration;

use anyhow::Context as _;
use redstream_seaorm::{Redstream, Stream};
use sea_orm::{ConnectionTrait as _, DatabaseConnection, Statement};

use crate::crew::{Crew, Member};
use crate::site::{CONSUMERS, STREAM, Site};

/// The load at one moment.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Sample {
    /// Messages that the slower consumer has not committed.
    pub(crate) lag: u64,
    /// The age of the oldest of them.
    pub(crate) lag_time: Duration,
    /// Messages in the stream and in its delay stream.
    pub(crate) messages: u64,
    /// Resident memory of the larger host of workers, in bytes.
    pub(crate) host_memory: u64,
    /// Resident memory of the larger writer, in bytes.
    pub(crate) writer_memory: u64,
    /// What Redis counts as its data, in bytes.
    pub(crate) redis_memory: u64,
    /// Clients of Redis, including the sampler's.
    pub(crate) redis_connections: u64,
    /// Connections to PostgreSQL, including the sampler's.
    pub(crate) database_connections: u64,
}

/// Takes samples.
pub(crate) struct Sampler {
    redis: redis::Client,
    redstream: Redstream,
    database: DatabaseConnection,
}

impl Sampler {
    pub(crate) async fn connect(site: &Site) -> anyhow::Result<Self> {
        let redis = redis::Client::open(site.redis_url.as_str())?;
        Ok(Self { redis, redstream: site.redstream().await?, database: site.database().await? })
    }

    pub(crate) fn items(&self) -> anyhow::Result<Stream> {
        Ok(self.redstream.stream(STREAM)?)
    }

    /// Messages that the slower consumer has not committed.
    pub(crate) async fn lag(&self) -> anyhow::Result<u64> {
        let items = self.items()?;
        let mut most = 0;
        for consumer in CONSUMERS {
            most = most.max(items.lag(consumer).await?);
        }
        Ok(most)
    }

    pub(crate) async fn take(&self, crew: &Crew) -> anyhow::Result<Sample> {
        let items = self.items()?;
        let mut lag_time = Duration::ZERO;
        for consumer in CONSUMERS {
            lag_time = lag_time.max(items.lag_time(consumer).await?);
        }
        let info = self.info().await?;
        let connections = Statement::from_string(
            self.database.get_database_backend(),
            "SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend'",
        );
        let connections =
            self.database.query_one_raw(connections).await?.context("PostgreSQL counts no connections")?;
        Ok(Sample {
            lag: self.lag().await?,
            lag_time,
            messages: items.len().await? + items.delay_len().await?,
            host_memory: largest(&crew.hosts),
            writer_memory: largest(&crew.writers),
            redis_memory: number(&info, "used_memory")?,
            redis_connections: number(&info, "connected_clients")?,
            database_connections: u64::try_from(connections.try_get_by_index::<i64>(0)?)?,
        })
    }

    async fn info(&self) -> anyhow::Result<String> {
        // A new connection each time: Redis may have been restarted.
        let mut connection = self.redis.get_multiplexed_async_connection().await?;
        Ok(redis::cmd("INFO").query_async(&mut connection).await?)
    }
}

fn number(info: &str, name: &str) -> anyhow::Result<u64> {
    let line = info.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
    line.and_then(|number| number.trim().parse().ok()).with_context(|| format!("Redis does not tell its {name}"))
}

fn largest(members: &[Member]) -> u64 {
    members.iter().filter_map(|member| resident(member.pid()?)).max().unwrap_or_default()
}

/// The resident memory of a process, if the system has it in `/proc`.
fn resident(pid: u32) -> Option<u64> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let kib = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?.trim().strip_suffix(" kB")?;
    kib.trim().parse::<u64>().ok().map(|kib| kib * 1024)
}
