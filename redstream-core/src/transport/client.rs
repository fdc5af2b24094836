//! A client for other uses of a Redis than streams.

use std::fmt;
use std::sync::Arc;

use redis::{Cmd, FromRedisValue, Pipeline, ScriptInvocation, Value};

use crate::error::Result;
use crate::transport::connector::Connector;
use crate::transport::options::ConnectOptions;
use crate::transport::shared::SharedConnection;

/// A Redis that is used for something else than streams, such as a cache or a search index: one server, the master that
/// Sentinels name, or a Cluster. For sinks; an application only makes one and passes it on.
///
/// It has one connection, which its clones share, and which is opened again when it breaks. A call is repeated while
/// the failure is [transient](crate::Error::is_transient), for [`give_up_after`](ConnectOptions::give_up_after) at
/// most; so each command must be harmless if it runs twice. The server is not checked, and settings with which it can
/// lose data are not warned of. A [`namespace`](ConnectOptions::namespace) has no effect.
///
/// ```no_run
/// # async fn example() -> redstream_core::Result<()> {
/// let client = redstream_core::RedisClient::connect("redis://cache.internal/").await?;
/// # Ok(()) }
/// ```
#[derive(Clone)]
pub struct RedisClient {
    link: SharedConnection,
}

impl RedisClient {
    /// Connects. With [`lazy`](ConnectOptions::lazy) a Redis that does not answer is no error: the first call connects.
    ///
    /// # Errors
    ///
    /// At once, if an option or the URL cannot work, or if no server answers within
    /// [`connect_timeout`](ConnectOptions::connect_timeout).
    pub async fn connect(options: impl Into<ConnectOptions>) -> Result<Self> {
        let connector = Arc::new(Connector::without_inspection(options.into())?);
        let connection = match connector.open().await.map_err(|error| connector.refused(error)) {
            Err(error) if connector.options().lazy && error.is_transient() => None,
            connection => Some(connection?),
        };
        Ok(Self { link: SharedConnection::new(connector, connection) })
    }

    /// Whether it is a Redis Cluster, where all keys of one command, script or pipeline must be in one slot.
    pub fn is_cluster(&self) -> bool {
        self.link.connector().is_cluster()
    }

    /// Runs one command. `attempt` says in errors what it is for, as an infinitive.
    ///
    /// # Errors
    ///
    /// If Redis refuses it, or does not answer in time.
    pub async fn command<T: FromRedisValue>(&self, attempt: &str, command: &Cmd) -> Result<T> {
        self.link.command(attempt, command).await
    }

    /// Runs one script.
    ///
    /// # Errors
    ///
    /// As [`command`](Self::command).
    pub async fn script<T: FromRedisValue>(&self, attempt: &str, script: &ScriptInvocation<'_>) -> Result<T> {
        self.link.script(attempt, script).await
    }

    /// Runs commands that do not depend on each other, in one round trip, and returns their answers in the same order.
    ///
    /// # Errors
    ///
    /// If Redis refuses one of them, or does not answer in time; some may have been executed.
    pub async fn pipeline(&self, attempt: &str, commands: &Pipeline) -> Result<Vec<Value>> {
        self.link.run(attempt, |mut connection| async move { commands.query_async(&mut connection).await }).await
    }
}

/// Without credentials.
impl fmt::Debug for RedisClient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RedisClient").field("address", &self.link.connector().address()).finish_non_exhaustive()
    }
}
