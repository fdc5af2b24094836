//! The connections to one server that the workers of a process share: one for their commands, as many as read or block
//! at the same time, and a few on which those wait together that have nothing to do.
//!
//! A worker that read from one server and committed on another would skip messages that only the second one has. So all
//! connections of a pool reach the same process. When the connection for commands breaks, or another one reaches
//! another process, the pool is given up: every worker begins again, with a new one.

mod lease;
mod room;
mod waits;

use std::fmt;
use std::io;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::{Duration, Instant};

use redis::{ErrorKind, RedisError, RedisResult};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

pub(crate) use self::lease::Lease;
use self::waits::Waits;
pub(crate) use self::waits::{Wanted, Woken};
use crate::error::{Error, Result};
use crate::time::within;
use crate::transport::connection::{Connection, needs_new_connection};
use crate::transport::connector::Connector;
use crate::transport::server::Server;

/// How much longer a blocking command may take than its block time.
pub(crate) const WATCHDOG: Duration = Duration::from_secs(3);

/// Connections that are kept although no worker reads or blocks on them.
const MOST_IDLE: usize = 8;

/// For no longer than this: servers and firewalls may close what is idle.
const LONGEST_IDLE: Duration = Duration::from_secs(30);

pub(crate) struct Pool {
    connector: Arc<Connector>,
    commands: Connection,
    /// Empty for a Cluster, and if the user may not ask.
    run_id: String,
    /// The reads of other connections are limited by our own code.
    has_wire: bool,
    idle: Mutex<Vec<(Connection, Instant)>>,
    /// New sessions get another pool.
    is_broken: AtomicBool,
    /// A connection has reached another process: this pool opens no more.
    is_split: AtomicBool,
    alone: Arc<Semaphore>,
    waits: Waits,
}

/// The pool of the workers of a process, if there is one.
#[derive(Debug, Default)]
pub(crate) struct CurrentPool {
    /// Held while connecting, so that thousands of workers that start together open one.
    current: tokio::sync::Mutex<Current>,
    /// Attempts to open one.
    attempts: AtomicU64,
}

#[derive(Debug, Default)]
struct Current {
    pool: Weak<Pool>,
    /// Why the last attempt failed.
    failure: Option<Failure>,
}

impl CurrentPool {
    /// The one that others have, unless it is broken. An attempt of another caller that fails meanwhile fails this
    /// call, too.
    pub(crate) async fn get(&self, connector: &Arc<Connector>) -> Result<Arc<Pool>> {
        let before = self.attempts.load(Ordering::Acquire);
        let mut current = self.current.lock().await;
        if let Some(pool) = current.pool.upgrade().filter(|pool| !pool.is_broken()) {
            return Ok(pool);
        }
        if let Some(failure) = &current.failure
            && self.attempts.load(Ordering::Acquire) > before
        {
            return Err(failure.error());
        }
        current.failure = None;
        // Boxed: a large future, and all but one of its callers find a pool.
        let opened = Box::pin(Pool::open(connector)).await;
        self.attempts.fetch_add(1, Ordering::Release);
        let pool = Arc::new(opened.inspect_err(|error| current.failure = Failure::of(error))?);
        if pool.is_shared() {
            current.pool = Arc::downgrade(&pool);
        }
        Ok(pool)
    }
}

/// A failure to connect, for all who waited for the attempt.
#[derive(Debug)]
struct Failure {
    address: String,
    source: RedisError,
}

impl Failure {
    /// `None` for an error that is found again, and at once.
    fn of(error: &Error) -> Option<Self> {
        let Error::Connect { address, source } = error else { return None };
        Some(Self { address: address.clone(), source: source.clone() })
    }

    fn error(&self) -> Error {
        Error::Connect { address: self.address.clone(), source: self.source.clone() }
    }
}

impl Pool {
    async fn open(connector: &Arc<Connector>) -> Result<Self> {
        let refused = |source| connector.refused(source);
        let (mut commands, has_wire) = connector.open_commands().await.map_err(refused)?;
        connector.inspect(&mut commands).await?;
        // A cluster's connection goes to the node that has the key, so there is no single server to query.
        let run_id = if connector.is_cluster() {
            String::new()
        } else {
            Server::of(&mut commands).await.map_err(refused)?.run_id
        };
        let pool = Self {
            connector: connector.clone(),
            waits: Waits::new(connector, &commands),
            commands,
            run_id,
            has_wire,
            idle: Mutex::default(),
            is_broken: AtomicBool::new(false),
            is_split: AtomicBool::new(false),
            alone: Arc::new(Semaphore::new(connector.options().waiting_alone.min(Semaphore::MAX_PERMITS))),
        };
        if !pool.is_shared() {
            // Opened together, they most probably reach the same server.
            let blocking = pool.open_blocking().await.map_err(refused)?;
            pool.put_back(blocking);
        }
        Ok(pool)
    }

    /// Whether it is known which process its connections reach, or does not matter.
    fn is_shared(&self) -> bool {
        self.connector.is_cluster() || !self.run_id.is_empty()
    }

    /// The connection for commands that Redis answers without blocking.
    pub(crate) fn commands(&self) -> Connection {
        self.commands.clone()
    }

    pub(crate) fn has_wire(&self) -> bool {
        self.has_wire
    }

    /// A command failed on the connection for commands.
    pub(crate) fn failed(&self, error: &RedisError) {
        if needs_new_connection(error) {
            self.is_broken.store(true, Ordering::Relaxed);
        }
    }

    pub(crate) fn is_broken(&self) -> bool {
        self.is_broken.load(Ordering::Relaxed) || self.is_split.load(Ordering::Relaxed)
    }

    /// A connection for one caller, on which Redis may block.
    pub(crate) async fn lease(self: &Arc<Self>) -> RedisResult<Lease> {
        let idle = self.take_idle();
        let connection = match idle {
            Some(connection) => connection,
            None => self.open_blocking().await?,
        };
        Ok(Lease::new(self.clone(), connection))
    }

    fn take_idle(&self) -> Option<Connection> {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        // If the last one was not used for so long, the others were not, either.
        let (connection, since) = idle.pop()?;
        if since.elapsed() < LONGEST_IDLE {
            return Some(connection);
        }
        idle.clear();
        None
    }

    fn put_back(&self, connection: Connection) {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        if idle.len() < MOST_IDLE {
            idle.push((connection, Instant::now()));
        }
    }

    /// Another connection to the same process.
    async fn open_blocking(&self) -> RedisResult<Connection> {
        if self.is_split.load(Ordering::Relaxed) {
            return Err(another_server());
        }
        let mut connection = self.connector.open_blocking().await?;
        if !self.run_id.is_empty() && !reaches(&mut connection, &self.run_id, &self.connector).await? {
            self.is_split.store(true, Ordering::Relaxed);
            return Err(another_server());
        }
        Ok(connection)
    }

    /// Lets a worker wait on a connection of its own, as long as it has this.
    pub(crate) fn try_alone(&self) -> Option<OwnedSemaphorePermit> {
        self.alone.clone().try_acquire_owned().ok()
    }

    /// Whether workers can [wait](Self::wait) on a connection that they share, as far as is known.
    pub(crate) fn lets_wait_together(&self) -> bool {
        !self.connector.is_cluster() && !self.run_id.is_empty() && !self.waits.are_impossible()
    }

    /// Waits on a connection that many share; call it only if [that is possible](Self::lets_wait_together).
    /// Cancel-safe, but for an item of a list, which may be lost.
    pub(crate) async fn wait(&self, wanted: Wanted<'_>) -> RedisResult<Woken> {
        self.waits.wait(wanted, &self.run_id).await
    }
}

/// Whether the connection is to this process.
async fn reaches(connection: &mut Connection, run_id: &str, connector: &Connector) -> RedisResult<bool> {
    let server = within(connector.options().response_timeout, Server::of(connection)).await?;
    Ok(server.run_id == run_id)
}

/// Redis has answered, and another connection would not help.
fn is_refusal(error: &RedisError) -> bool {
    matches!(error.kind(), ErrorKind::Server(_)) && !needs_new_connection(error)
}

fn another_server() -> RedisError {
    let reason = "two connections reached two different servers: a failover is under way";
    io::Error::new(io::ErrorKind::ConnectionReset, reason).into()
}

impl fmt::Debug for Pool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pool").field("run_id", &self.run_id).finish_non_exhaustive()
    }
}
