//! A Redis that keeps its data in a file; later its replica, and a Sentinel that monitors both.

use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use redis::aio::MultiplexedConnection;
use redstream_seaorm::{ConnectOptions, Redstream};
use redstream_servers::{Redis, RedisOptions};

/// The longest that a server may take for one step.
const PATIENCE: Duration = Duration::from_secs(300);
/// How often it is asked whether it is done.
const LOOK: Duration = Duration::from_millis(100);
const MASTER: &str = "main";

pub(super) struct Servers {
    master: Redis,
    replica: Option<Redis>,
    sentinel: Option<Redis>,
}

impl Servers {
    pub(super) async fn start() -> anyhow::Result<Self> {
        let master = started(RedisOptions::new().append_only(true)).await?;
        Ok(Self { master, replica: None, sentinel: None })
    }

    /// A handle on the master: by the Sentinel, if there is one.
    pub(super) async fn redstream(&self) -> anyhow::Result<Redstream> {
        let options = match &self.sentinel {
            Some(sentinel) => ConnectOptions::sentinel([sentinel.url()], MASTER),
            None => ConnectOptions::new(self.master.url()),
        };
        Ok(Redstream::connect(super::options(options)).await?)
    }

    /// Does it, and says how long it took.
    pub(super) async fn step(
        &mut self,
        name: &str,
        work: impl AsyncFnOnce(&mut Self) -> anyhow::Result<()>,
    ) -> anyhow::Result<()> {
        let begun = Instant::now();
        work(self).await.with_context(|| format!("{name}: failed"))?;
        println!("{name} ({:.1} s)", begun.elapsed().as_secs_f64());
        Ok(())
    }

    /// The bytes that the master uses.
    pub(super) async fn memory(&self) -> anyhow::Result<u64> {
        let mut raw = raw(&self.master).await?;
        number(&mut raw, "memory", "used_memory").await
    }

    pub(super) fn restart(&mut self) -> anyhow::Result<()> {
        // It blocks until Redis has read its file; there is nothing else to do.
        Ok(tokio::task::block_in_place(|| self.master.restart())?)
    }

    pub(super) async fn rewrite(&mut self) -> anyhow::Result<()> {
        let mut raw = raw(&self.master).await?;
        // Redis may have begun it by itself, because of the restart.
        match redis::cmd("BGREWRITEAOF").exec_async(&mut raw).await {
            Err(error) if error.to_string().contains("already in progress") => {}
            begun => begun?,
        }
        until("the file to be rewritten", async || {
            let is_running = number(&mut raw, "persistence", "aof_rewrite_in_progress").await? == 1
                || number(&mut raw, "persistence", "aof_rewrite_scheduled").await? == 1;
            Ok(!is_running)
        })
        .await?;
        let outcome = field(&mut raw, "persistence", "aof_last_bgrewrite_status").await?;
        if outcome == "ok" { Ok(()) } else { bail!("Redis says: {outcome}") }
    }

    /// Starts a replica, and waits until it has all.
    pub(super) async fn synchronise(&mut self) -> anyhow::Result<()> {
        let options = RedisOptions::new().append_only(true).arg("--replicaof").arg("127.0.0.1");
        let replica = started(options.arg(self.master.port().to_string())).await?;
        let (mut of_master, mut of_replica) = (raw(&self.master).await?, raw(&replica).await?);
        until("the replica to have all", async || {
            let is_up = field(&mut of_replica, "replication", "master_link_status").await? == "up";
            let offset = number(&mut of_replica, "replication", "slave_repl_offset").await?;
            Ok(is_up && offset == number(&mut of_master, "replication", "master_repl_offset").await?)
        })
        .await?;
        self.replica = Some(replica);
        Ok(())
    }

    /// Kills the master, and waits until the Sentinel has promoted the replica.
    pub(super) async fn fail_over(&mut self) -> anyhow::Result<()> {
        let replica = self.replica.as_ref().context("there is no replica")?;
        let sentinel = started(RedisOptions::new().sentinel()).await?;
        let mut of_sentinel = raw(&sentinel).await?;
        let port = self.master.port().to_string();
        for words in [
            &["MONITOR", MASTER, "127.0.0.1", &port, "1"][..],
            &["SET", MASTER, "down-after-milliseconds", "500"],
            &["SET", MASTER, "failover-timeout", "5000"],
        ] {
            redis::cmd("SENTINEL").arg(words).exec_async(&mut of_sentinel).await?;
        }
        until("the Sentinel to know the replica", async || {
            Ok(field(&mut of_sentinel, "sentinel", "master0").await?.contains("slaves=1"))
        })
        .await?;
        self.master.kill()?;
        until("the replica to be the master", async || {
            // A new connection for each look: the Sentinel has the replica cut those that it had.
            let role = async { field(&mut raw(replica).await?, "replication", "role").await };
            Ok(role.await.is_ok_and(|role| role == "master"))
        })
        .await?;
        let named = format!("status=ok,address=127.0.0.1:{}", replica.port());
        until("the Sentinel to name it", async || {
            Ok(field(&mut of_sentinel, "sentinel", "master0").await?.contains(&named))
        })
        .await?;
        self.sentinel = Some(sentinel);
        Ok(())
    }
}

async fn started(options: RedisOptions) -> anyhow::Result<Redis> {
    Ok(tokio::task::spawn_blocking(move || options.start()).await??)
}

async fn raw(redis: &Redis) -> anyhow::Result<MultiplexedConnection> {
    let patient = redis::AsyncConnectionConfig::new().set_response_timeout(Some(Duration::from_secs(60)));
    Ok(redis::Client::open(redis.url())?.get_multiplexed_async_connection_with_config(&patient).await?)
}

/// A field of `INFO`; empty if there is none of that name.
async fn field(raw: &mut MultiplexedConnection, section: &str, name: &str) -> anyhow::Result<String> {
    let info: String = redis::cmd("INFO").arg(section).query_async(raw).await?;
    let value = info.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
    Ok(value.unwrap_or_default().trim().to_owned())
}

async fn number(raw: &mut MultiplexedConnection, section: &str, name: &str) -> anyhow::Result<u64> {
    let text = field(raw, section, name).await?;
    text.parse().with_context(|| format!("{name} is {text:?}"))
}

async fn until(what: &str, mut is: impl AsyncFnMut() -> anyhow::Result<bool>) -> anyhow::Result<()> {
    let deadline = Instant::now() + PATIENCE;
    while !is().await? {
        if Instant::now() > deadline {
            bail!("waited {} s for {what}", PATIENCE.as_secs());
        }
        tokio::time::sleep(LOOK).await;
    }
    Ok(())
}
