//! The shared connection: reconnects by itself, retries, and gives up within a bound.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use backon::BackoffBuilder;
use redis::{Cmd, FromRedisValue, RedisError, RedisResult, ScriptInvocation};

use crate::error::{Error, Result, code, is_transient};
use crate::transport::connection::{Connection, needs_new_connection};
use crate::transport::connector::Connector;
use crate::transport::exclusive::{ConnectionLease, ExclusiveConnection};
use crate::transport::group::GroupConnection;
use crate::transport::pool::{CurrentPool, Pool};

/// One multiplexed connection for all commands that do not block, shared by every clone.
#[derive(Clone, Debug)]
pub(crate) struct SharedConnection {
    connector: Arc<Connector>,
    slot: Arc<Slot>,
    own: ExclusiveConnection,
    group: GroupConnection,
    pool: Arc<CurrentPool>,
}

#[derive(Debug, Default)]
struct Slot {
    /// The connection in use, with a number that distinguishes a broken connection from its successor.
    current: Mutex<(u64, Option<Connection>)>,
    /// Held while connecting, so that a hundred callers open one connection.
    connecting: tokio::sync::Mutex<()>,
}

impl SharedConnection {
    /// Without a connection it connects when one is needed.
    pub(crate) fn new(connector: Arc<Connector>, connection: Option<Connection>) -> Self {
        let slot = Slot::default();
        *slot.current.lock().unwrap_or_else(PoisonError::into_inner) = (0, connection);
        Self {
            connector,
            slot: Arc::new(slot),
            own: ExclusiveConnection::default(),
            group: GroupConnection::default(),
            pool: Arc::default(),
        }
    }

    pub(crate) fn connector(&self) -> &Arc<Connector> {
        &self.connector
    }

    pub(crate) fn is_same(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.slot, &other.slot)
    }

    /// Runs `command` until it succeeds, fails permanently, or [`give_up_after`](crate::ConnectOptions::give_up_after)
    /// has passed. A command whose reply was lost runs again, so each command must be harmless if run twice; a message
    /// added twice is.
    pub(crate) async fn run<T, F, Fut>(&self, attempt: &str, command: F) -> Result<T>
    where
        F: Fn(Connection) -> Fut,
        Fut: Future<Output = RedisResult<T>>,
    {
        self.run_since(Instant::now(), attempt, command).await
    }

    /// [`run`](Self::run), for a call that began at the given time.
    pub(crate) async fn run_since<T, F, Fut>(&self, begun: Instant, attempt: &str, command: F) -> Result<T>
    where
        F: Fn(Connection) -> Fut,
        Fut: Future<Output = RedisResult<T>>,
    {
        let bound = self.connector.options().give_up_after;
        let mut last = None;
        let outcome =
            tokio::time::timeout(bound.saturating_sub(begun.elapsed()), self.persist(command, &mut last)).await;
        match outcome {
            Ok(Ok(value)) => Ok(value),
            Ok(Err(Refusal::Command(source))) => Err(Error::redis(attempt, source)),
            Ok(Err(Refusal::Server(error))) => Err(error),
            Err(_) => match last {
                Some(source) if code(&source) == Some("TRYAGAIN") => Err(Error::redis(attempt, source)),
                source => Err(Error::GaveUp { attempt: attempt.to_owned(), after: bound, source }),
            },
        }
    }

    /// The connection that serves one caller at a time, for large writes. Opened if it was not; `None` if another
    /// caller uses it, or if it is not possible.
    pub(crate) async fn alone(&self) -> Option<ConnectionLease> {
        let mut loan = self.own.borrow()?;
        // While Redis is unavailable, one caller connects for all.
        if loan.wire().is_none() && self.current().is_some() {
            loan.open(&self.connector).await;
        }
        loan.wire().is_some().then_some(loan)
    }

    /// The connection that serves small writes of all callers, opened if it was not.
    pub(crate) async fn group(&self) -> &GroupConnection {
        // While Redis is unavailable, one caller connects for all.
        if self.current().is_some() {
            self.group.open(&self.connector).await;
        }
        &self.group
    }

    /// The same, which may not be open.
    pub(crate) fn group_now(&self) -> &GroupConnection {
        &self.group
    }

    /// The connections of the workers.
    pub(crate) async fn pool(&self) -> Result<Arc<Pool>> {
        self.pool.get(&self.connector).await
    }

    /// [`run`](Self::run)s one command.
    pub(crate) async fn command<T: FromRedisValue>(&self, attempt: &str, command: &Cmd) -> Result<T> {
        self.run(attempt, |mut connection| async move { command.query_async(&mut connection).await }).await
    }

    /// [`run`](Self::run)s one script.
    pub(crate) async fn script<T: FromRedisValue>(&self, attempt: &str, script: &ScriptInvocation<'_>) -> Result<T> {
        self.run(attempt, |mut connection| async move { script.invoke_async(&mut connection).await }).await
    }

    async fn persist<T, F, Fut>(&self, command: F, last: &mut Option<RedisError>) -> Result<T, Refusal>
    where
        F: Fn(Connection) -> Fut,
        Fut: Future<Output = RedisResult<T>>,
    {
        let mut pauses = retry_pauses();
        loop {
            let error = match self.connection().await {
                Ok((number, connection)) => match command(connection).await {
                    Ok(value) => return Ok(value),
                    Err(error) => {
                        if needs_new_connection(&error) {
                            self.discard(number);
                        }
                        error
                    }
                },
                Err(Refusal::Command(error)) => error,
                Err(refusal) => return Err(refusal),
            };
            if !is_transient(&error) {
                return Err(Refusal::Command(error));
            }
            *last = Some(error);
            // The iterator has no end; a fixed pause would also work.
            tokio::time::sleep(pauses.next().unwrap_or(Duration::from_millis(500))).await;
        }
    }

    async fn connection(&self) -> Result<(u64, Connection), Refusal> {
        if let Some(connection) = self.current() {
            return Ok(connection);
        }
        let _one_at_a_time = self.slot.connecting.lock().await;
        if let Some(connection) = self.current() {
            return Ok(connection);
        }
        let mut connection = self.connector.open().await.map_err(Refusal::Command)?;
        self.connector.inspect(&mut connection).await.map_err(|error| match error {
            Error::Connect { source, .. } => Refusal::Command(source),
            error => Refusal::Server(error),
        })?;
        let mut current = self.slot.current.lock().unwrap_or_else(PoisonError::into_inner);
        current.0 += 1;
        current.1 = Some(connection.clone());
        Ok((current.0, connection))
    }

    fn current(&self) -> Option<(u64, Connection)> {
        let current = self.slot.current.lock().unwrap_or_else(PoisonError::into_inner);
        current.1.as_ref().map(|connection| (current.0, connection.clone()))
    }

    fn discard(&self, number: u64) {
        let mut current = self.slot.current.lock().unwrap_or_else(PoisonError::into_inner);
        if current.0 == number {
            current.1 = None;
        }
    }
}

/// Why a call ends without having succeeded.
enum Refusal {
    /// The command, or the attempt to connect, failed.
    Command(RedisError),
    /// The server is not usable.
    Server(Error),
}

fn retry_pauses() -> impl Iterator<Item = Duration> {
    backon::ExponentialBuilder::default()
        .with_min_delay(Duration::from_millis(10))
        .with_max_delay(Duration::from_millis(500))
        .with_jitter()
        .without_max_times()
        .build()
}
