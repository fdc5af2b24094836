//! A connection to one server or to a cluster; the rest of the crate does not distinguish them.

use std::sync::Arc;

use redis::aio::{ConnectionLike, MultiplexedConnection};
use redis::cluster_async::ClusterConnection;
use redis::cluster_routing::{MultipleNodeRoutingInfo, RoutingInfo, SingleNodeRoutingInfo};
use redis::{Cmd, ErrorKind, Pipeline, RedisError, RedisFuture, RedisResult, ServerErrorKind, Value};
use tokio::sync::Mutex;

use crate::error::{code, is_cut_off};
use crate::transport::resp::RespConnection;

/// Cheap to clone; clones share the underlying connection.
#[derive(Clone)]
pub(crate) enum Connection {
    Single(MultiplexedConnection),
    Cluster(ClusterConnection),
    /// Our own client of the protocol, for one caller at a time.
    Exclusive(Arc<Mutex<RespConnection>>),
}

impl Connection {
    /// Queries every server behind it: the one server, whose name is `None` here, or each master of a cluster by its
    /// address. A server's refusal is returned as its own result.
    pub(crate) async fn ask_each(&mut self, cmd: &Cmd) -> RedisResult<Vec<(Option<String>, RedisResult<Value>)>> {
        match self {
            Self::Single(_) | Self::Exclusive(_) => {
                Ok(vec![(None, self.req_packed_command(cmd).await?.extract_error())])
            }
            Self::Cluster(connection) => {
                let masters = RoutingInfo::MultiNode((MultipleNodeRoutingInfo::AllMasters, None));
                let Value::Map(answers) = connection.route_command(cmd.clone(), masters).await? else {
                    return Err(
                        (redis::ErrorKind::UnexpectedReturnType, "the masters' answers have no addresses").into()
                    );
                };
                let named = |(address, answer): (Value, Value)| {
                    Ok((Some(redis::from_redis_value(address)?), answer.extract_error()))
                };
                answers.into_iter().map(named).collect()
            }
        }
    }

    /// Queries one server, by the name that [`ask_each`](Self::ask_each) gives it.
    pub(crate) async fn ask(&mut self, node: Option<&str>, cmd: &Cmd) -> RedisResult<Value> {
        let named =
            node.and_then(|node| node.rsplit_once(':')).and_then(|(host, port)| Some((host, port.parse().ok()?)));
        match (self, named) {
            (Self::Cluster(connection), Some((host, port))) => {
                let to = SingleNodeRoutingInfo::ByAddress { host: host.to_owned(), port };
                connection.route_command(cmd.clone(), RoutingInfo::SingleNode(to)).await?.extract_error()
            }
            (connection, _) => connection.req_packed_command(cmd).await?.extract_error(),
        }
    }
}

impl ConnectionLike for Connection {
    fn req_packed_command<'a>(&'a mut self, cmd: &'a Cmd) -> RedisFuture<'a, Value> {
        match self {
            Self::Single(connection) => connection.req_packed_command(cmd),
            Self::Cluster(connection) => Box::pin(async move {
                match connection.req_packed_command(cmd).await {
                    Err(error) if is_ask(&error) => {
                        let mut pipeline = Pipeline::with_capacity(1);
                        pipeline.add_command(cmd.clone());
                        let answer = asking(connection, &pipeline, &error).await?.pop();
                        answer.unwrap_or(Value::Nil).extract_error()
                    }
                    answer => answer,
                }
            }),
            Self::Exclusive(wire) => Box::pin(async move { wire.lock().await.req_packed_command(cmd).await }),
        }
    }

    fn req_packed_commands<'a>(
        &'a mut self,
        pipeline: &'a Pipeline,
        offset: usize,
        count: usize,
    ) -> RedisFuture<'a, Vec<Value>> {
        match self {
            Self::Single(connection) => connection.req_packed_commands(pipeline, offset, count),
            Self::Cluster(connection) => Box::pin(async move {
                match connection.req_packed_commands(pipeline, offset, count).await {
                    Err(error) if is_ask(&error) => asking(connection, pipeline, &error).await,
                    answers => answers,
                }
            }),
            Self::Exclusive(wire) => {
                Box::pin(async move { wire.lock().await.req_packed_commands(pipeline, offset, count).await })
            }
        }
    }

    fn get_db(&self) -> i64 {
        match self {
            Self::Single(connection) => connection.get_db(),
            Self::Cluster(connection) => connection.get_db(),
            // Unreachable: the connection is never queried for it, and the lock could not be acquired here.
            Self::Exclusive(_) => 0,
        }
    }
}

/// A reply that timed out leaves the state of the connection unknown, and a server that turned read-only has failed
/// over: both require a new connection.
pub(crate) fn needs_new_connection(error: &RedisError) -> bool {
    error.is_io_error()
        || error.is_timeout()
        || error.is_connection_dropped()
        || is_cut_off(error)
        || code(error) == Some("READONLY")
}

fn is_ask(error: &RedisError) -> bool {
    error.kind() == ErrorKind::Server(ServerErrorKind::Ask)
}

/// Sends commands to the node that a slot is being moved to. redis-rs would do so by itself if it could send commands
/// again, which is disabled, since it would also do that after a lost reply.
async fn asking(connection: &mut ClusterConnection, commands: &Pipeline, ask: &RedisError) -> RedisResult<Vec<Value>> {
    let node = ask.redirect_node().and_then(|(node, _)| node.rsplit_once(':'));
    let Some((host, port)) = node.and_then(|(host, port)| Some((host.to_owned(), port.parse().ok()?))) else {
        return Err(ask.clone());
    };
    let mut pipeline = Pipeline::with_capacity(commands.len() * 2);
    for command in commands.cmd_iter() {
        pipeline.cmd("ASKING");
        pipeline.add_command(command.clone());
    }
    let count = pipeline.len();
    let to = SingleNodeRoutingInfo::ByAddress { host, port };
    let answers = connection.route_pipeline(pipeline, 0, count, to).await?;
    Ok(answers.into_iter().skip(1).step_by(2).collect())
}

impl std::fmt::Debug for Connection {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Single(_) => "Connection::Single",
            Self::Cluster(_) => "Connection::Cluster",
            Self::Exclusive(_) => "Connection::Exclusive",
        })
    }
}
