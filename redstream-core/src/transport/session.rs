//! A session: the two connections of a worker, to one and the same server.
//!
//! A worker that read from one server and committed on another would skip messages that only the second one has. So
//! both connections are opened together, must reach the same process, and are closed together: with the first failure
//! the session is over, and with it all that was read through it.

use std::time::Duration;

use redis::{Cmd, FromRedisValue, RedisError, ScriptInvocation};
use tokio::runtime::Handle;

use crate::error::{Error, Result, code};
use crate::message::entry::Entry;
use crate::time::within;
use crate::transport::connection::Connection;
use crate::transport::connector::Connector;
use crate::transport::replies::Entries;
use crate::transport::server::Server;

/// How much longer a blocking command may take than its block time.
const WATCHDOG: Duration = Duration::from_secs(3);

/// The additional time for the transfer of a large reply.
const BULK: Duration = Duration::from_secs(2);

/// The longest block time of a worker.
pub(crate) const LONGEST_BLOCK: Duration = Duration::from_secs(6);

/// How long a script waits for the keys of a slot of a Cluster to arrive at one node. Well below the TTL of a lock.
const HALF_MOVED: Duration = Duration::from_secs(1);

#[derive(Clone)]
pub(crate) struct Session {
    commands: Connection,
    blocking: Connection,
    keeper: Handle,
}

impl Session {
    pub(crate) async fn open(connector: &Connector) -> Result<Self> {
        let refused = |source| connector.refused(source);
        let keeper = connector.keeper().runtime().map_err(|error| refused(error.into()))?;
        let (mut commands, mut blocking) = connector.open_pair(LONGEST_BLOCK + WATCHDOG).await.map_err(refused)?;
        connector.inspect(&mut commands).await?;
        // A cluster's connection goes to the node that has the key, so there is no single server to query.
        if !connector.is_cluster() {
            let bound = connector.options().response_timeout;
            let both = tokio::try_join!(Server::of(&mut commands), within(bound, Server::of(&mut blocking)));
            let (server, other) = both.map_err(refused)?;
            if server.run_id != other.run_id {
                return Err(refused(RedisError::from(std::io::Error::new(
                    std::io::ErrorKind::ConnectionReset,
                    "two connections reached two different servers: a failover is under way",
                ))));
            }
        }
        Ok(Self { commands, blocking, keeper })
    }

    /// The runtime of the thread that drives the connection for commands, independent of the worker's own thread.
    pub(crate) fn keeper(&self) -> &Handle {
        &self.keeper
    }

    /// Runs a script on the connection for commands.
    pub(crate) async fn script<T: FromRedisValue>(&self, attempt: &str, script: &ScriptInvocation<'_>) -> Result<T> {
        let begun = tokio::time::Instant::now();
        loop {
            match script.invoke_async(&mut self.commands.clone()).await {
                // Some of the keys are on this node and some on another: for a moment, unless the move was abandoned.
                Err(source) if code(&source) == Some("TRYAGAIN") && begun.elapsed() < HALF_MOVED => {
                    tokio::time::sleep(HALF_MOVED / 20).await;
                }
                outcome => return outcome.map_err(|source| failed(attempt, source)),
            }
        }
    }

    /// Runs a command that Redis answers without blocking.
    pub(crate) async fn command<T: FromRedisValue>(&self, attempt: &str, command: &Cmd) -> Result<T> {
        command.query_async(&mut self.commands.clone()).await.map_err(|source| failed(attempt, source))
    }

    /// Runs a command that Redis blocks for up to `block`. One at a time: a second would wait for the first. Bounded,
    /// even if Redis hangs.
    pub(crate) async fn blocking<T: FromRedisValue>(&self, attempt: &str, command: &Cmd, block: Duration) -> Result<T> {
        let mut connection = self.blocking.clone();
        within(block + WATCHDOG, command.query_async(&mut connection)).await.map_err(|source| failed(attempt, source))
    }

    /// Whether [`xread`](Self::xread) is available.
    pub(crate) fn has_wire(&self) -> bool {
        matches!(self.blocking, Connection::Exclusive(_))
    }

    /// Runs an `XREAD` of one stream, which Redis may block for up to `block`: returns no more entries once they have
    /// reached the budget, unless [`has_wire`](Self::has_wire) is false. Bounded, as [`blocking`](Self::blocking).
    pub(crate) async fn xread(&self, attempt: &str, xread: &Cmd, block: Duration, budget: usize) -> Result<Vec<Entry>> {
        let reply = async {
            match &self.blocking {
                Connection::Exclusive(wire) => wire.lock().await.xread(xread, budget).await,
                other => xread.query_async(&mut other.clone()).await.map(|Entries(entries)| entries),
            }
        };
        within(block + BULK + WATCHDOG, reply).await.map_err(|source| failed(attempt, source))
    }

    /// Runs a command whose reply may be large on the connection for blocking commands, so that it does not delay a
    /// renewal of the lock.
    pub(crate) async fn bulk<T: FromRedisValue>(&self, attempt: &str, command: &Cmd) -> Result<T> {
        self.blocking(attempt, command, BULK).await
    }

    /// [`bulk`](Self::bulk), for a script.
    pub(crate) async fn bulk_script<T: FromRedisValue>(
        &self,
        attempt: &str,
        script: &ScriptInvocation<'_>,
    ) -> Result<T> {
        let mut connection = self.blocking.clone();
        within(BULK + WATCHDOG, script.invoke_async(&mut connection)).await.map_err(|source| failed(attempt, source))
    }
}

fn failed(attempt: &str, source: RedisError) -> Error {
    Error::redis(attempt, source)
}
