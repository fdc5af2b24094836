//! A session: the connections of a worker, to one and the same server.
//!
//! A worker that read from one server and committed on another would skip messages that only the second one has. So all
//! that it uses is of one [`pool`](super::pool); with the first failure the session is over, and with it all that was
//! read through it.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use redis::{Cmd, FromRedisValue, RedisError, RedisResult, ScriptInvocation};
use tokio::runtime::Handle;
use tokio::sync::OwnedSemaphorePermit;

use crate::error::{Error, Result, code};
use crate::message::entry::Entry;
use crate::time::within;
use crate::transport::connection::Connection;
use crate::transport::pool::{Pool, WATCHDOG, Wanted, Woken};
use crate::transport::replies::Entries;
use crate::transport::shared::SharedConnection;

/// The additional time for the transfer of a large reply.
const BULK: Duration = Duration::from_secs(2);

/// How long a script waits for the keys of a slot of a Cluster to arrive at one node. Well below the TTL of a lock.
const HALF_MOVED: Duration = Duration::from_secs(1);

#[derive(Clone)]
pub(crate) struct Session {
    pool: Arc<Pool>,
    keeper: Handle,
    /// It waits on a connection of its own.
    alone: Arc<OnceLock<OwnedSemaphorePermit>>,
}

impl Session {
    pub(crate) async fn open(link: &SharedConnection) -> Result<Self> {
        let connector = link.connector();
        let keeper = connector.keeper().runtime().map_err(|error| connector.refused(error.into()))?;
        Ok(Self { pool: link.pool().await?, keeper, alone: Arc::default() })
    }

    /// The runtime of the thread that drives the connection for commands, independent of the worker's own thread.
    pub(crate) fn keeper(&self) -> &Handle {
        &self.keeper
    }

    /// Whether sessions that begin now get other connections.
    pub(crate) fn is_given_up(&self) -> bool {
        self.pool.is_broken()
    }

    /// Runs a script on the connection for commands.
    pub(crate) async fn script<T: FromRedisValue>(&self, attempt: &str, script: &ScriptInvocation<'_>) -> Result<T> {
        let begun = tokio::time::Instant::now();
        loop {
            match script.invoke_async(&mut self.pool.commands()).await {
                // Some of the keys are on this node and some on another: for a moment, unless the move was abandoned.
                Err(source) if code(&source) == Some("TRYAGAIN") && begun.elapsed() < HALF_MOVED => {
                    tokio::time::sleep(HALF_MOVED / 20).await;
                }
                outcome => return self.checked(attempt, outcome),
            }
        }
    }

    /// Runs a command that Redis answers without blocking.
    pub(crate) async fn command<T: FromRedisValue>(&self, attempt: &str, command: &Cmd) -> Result<T> {
        let outcome = command.query_async(&mut self.pool.commands()).await;
        self.checked(attempt, outcome)
    }

    fn checked<T>(&self, attempt: &str, outcome: RedisResult<T>) -> Result<T> {
        outcome.map_err(|source| {
            self.pool.failed(&source);
            failed(attempt, source)
        })
    }

    /// Runs a command that Redis blocks for up to `block`, on a connection of its own. Bounded, even if Redis hangs.
    pub(crate) async fn blocking<T: FromRedisValue>(&self, attempt: &str, command: &Cmd, block: Duration) -> Result<T> {
        self.on_lease(attempt, block + WATCHDOG, async |connection| command.query_async(connection).await).await
    }

    /// Whether [`xread`](Self::xread) is available.
    pub(crate) fn has_wire(&self) -> bool {
        self.pool.has_wire()
    }

    /// Runs an `XREAD` of one stream, which Redis may block for up to `block`: returns no more entries once they have
    /// reached the budget, unless [`has_wire`](Self::has_wire) is false. Bounded, as [`blocking`](Self::blocking).
    pub(crate) async fn xread(&self, attempt: &str, xread: &Cmd, block: Duration, budget: usize) -> Result<Vec<Entry>> {
        let read = async |connection: &mut Connection| match connection {
            Connection::Exclusive(wire) => wire.lock().await.xread(xread, budget).await,
            other => xread.query_async(other).await.map(|Entries(entries)| entries),
        };
        self.on_lease(attempt, block + BULK + WATCHDOG, read).await
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
        self.on_lease(attempt, BULK + WATCHDOG, async |connection| script.invoke_async(connection).await).await
    }

    /// Not cancel-safe: the connection is closed then.
    async fn on_lease<T>(
        &self,
        attempt: &str,
        bound: Duration,
        run: impl AsyncFnOnce(&mut Connection) -> RedisResult<T>,
    ) -> Result<T> {
        let reply = async {
            let mut lease = self.pool.lease().await?;
            let reply = run(lease.connection()).await?;
            lease.give_back();
            Ok(reply)
        };
        within(bound, reply).await.map_err(|source| failed(attempt, source))
    }

    /// Whether this worker should wait by a [blocking](Self::blocking) command of its own. If not, it
    /// [waits together](Self::wait) with others.
    pub(crate) fn waits_alone(&self) -> bool {
        !self.pool.lets_wait_together()
            || self.alone.get().is_some()
            || self.pool.try_alone().is_some_and(|permit| {
                // If another clone was faster, this permit is given back.
                let _other = self.alone.set(permit);
                true
            })
    }

    /// Waits together with others, on a connection that they share, for no longer than this. Returns whether that is
    /// possible.
    pub(crate) async fn wait(&self, attempt: &str, wanted: Wanted<'_>, bound: Duration) -> Result<bool> {
        match tokio::time::timeout(bound, self.pool.wait(wanted)).await {
            Ok(woken) => Ok(woken.map_err(|source| failed(attempt, source))? == Woken::LookAgain),
            Err(_) => Ok(true),
        }
    }
}

fn failed(attempt: &str, source: RedisError) -> Error {
    Error::redis(attempt, source)
}
