//! The servers behind a connection, as they are found when connecting: one, or each master of a cluster.

use std::collections::HashMap;

use redis::RedisResult;

use crate::Result;
use crate::connection::Connection;
use crate::connector::Connector;
use crate::durability::{self, Risk};
use crate::server::{Server, unless_forbidden};

/// One server.
pub(crate) struct Node {
    /// Host and port, without credentials.
    pub(crate) address: String,
    /// The settings with which it can lose messages.
    pub(crate) risks: Vec<Risk>,
    server: Server,
}

impl Node {
    /// Asks each server for its version and settings. A user who may not ask learns nothing, and that is no error; nor is it
    /// one where a master of a cluster does not answer: what the others hold can be reached without it.
    pub(crate) async fn all(connector: &Connector, connection: &mut Connection) -> Result<Vec<Self>> {
        match ask(connector.address(), connection).await {
            Err(error) if connector.is_cluster() => {
                tracing::warn!(
                    address = connector.address(),
                    error = &error as &dyn std::error::Error,
                    "not every master of the cluster could be asked: versions and settings are not checked"
                );
                Ok(Vec::new())
            }
            nodes => nodes.map_err(|error| connector.refused(error)),
        }
    }

    /// Errors where the server is too old to be of use.
    pub(crate) fn check_version(&self) -> Result<()> {
        self.server.check_version(&self.address)
    }
}

async fn ask(address: &str, connection: &mut Connection) -> RedisResult<Vec<Node>> {
    let mut settings = HashMap::new();
    let mut get = redis::cmd("CONFIG");
    for (node, answer) in connection.ask_each(get.arg("GET").arg("appendfsync")).await? {
        let answer = answer.and_then(|answer| Ok(redis::from_redis_value::<(String, String)>(answer)?));
        settings.insert(node, answer.unwrap_or_default().1);
    }
    let mut nodes = Vec::new();
    for (node, answer) in connection.ask_each(&redis::cmd("INFO")).await? {
        let info = unless_forbidden(answer.and_then(|answer| Ok(redis::from_redis_value::<String>(answer)?)))?;
        let appendfsync = settings.get(&node).map_or("", String::as_str);
        nodes.push(Node {
            address: node.unwrap_or_else(|| address.to_owned()),
            risks: durability::risks(&info, appendfsync),
            server: Server::from_info(&info),
        });
    }
    Ok(nodes)
}
