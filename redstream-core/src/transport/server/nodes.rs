//! The servers behind a connection, as they are found when connecting: one, or each master of a cluster.

use std::collections::HashMap;

use redis::{RedisResult, Value};

use crate::error::Result;
use crate::transport::connection::Connection;
use crate::transport::connector::Connector;
use crate::transport::server::durability::{self, Risk, Settings};
use crate::transport::server::{self, Server, Verdict, unless_forbidden};

/// One server.
pub(crate) struct Node {
    /// Host and port, without credentials.
    pub(crate) address: String,
    /// The settings with which it can lose messages.
    pub(crate) risks: Vec<Risk>,
    server: Server,
    probed: Option<RedisResult<Value>>,
}

impl Node {
    /// Queries each server for its version and settings. A user without the right learns nothing, which is no error;
    /// nor is it an error if a master of a cluster does not answer: the keys of the others can be used without it.
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

    /// Errors if the server is not usable: it is too old, or no Redis.
    pub(crate) fn verdict(&mut self) -> Result<Verdict> {
        self.probed
            .take()
            .map_or(Ok(Verdict::NotYetKnown), |answer| server::verdict(answer, &self.server, &self.address))
    }
}

async fn ask(address: &str, connection: &mut Connection) -> RedisResult<Vec<Node>> {
    let mut probed: HashMap<_, _> = connection.ask_each(&server::probe()).await?.into_iter().collect();
    let mut settings = HashMap::new();
    let mut get = redis::cmd("CONFIG");
    // One pattern, since Redis before 7 accepts no more.
    for (node, answer) in connection.ask_each(get.arg("GET").arg("*appendfsync*")).await? {
        let answer = answer.and_then(|answer| Ok(redis::from_redis_value::<Settings>(answer)?));
        settings.insert(node, answer.unwrap_or_default());
    }
    let mut nodes = Vec::new();
    for (node, answer) in connection.ask_each(&redis::cmd("INFO")).await? {
        // The probe handles servers that reply with anything other than text.
        let info =
            unless_forbidden(answer.map(|answer| redis::from_redis_value::<String>(answer).unwrap_or_default()))?;
        let settings = settings.remove(&node).unwrap_or_default();
        nodes.push(Node {
            probed: probed.remove(&node),
            address: node.unwrap_or_else(|| address.to_owned()),
            risks: durability::risks(&info, &settings),
            server: Server::from_info(&info),
        });
    }
    Ok(nodes)
}
