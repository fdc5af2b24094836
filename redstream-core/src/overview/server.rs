//! The servers behind a connection, as they report themselves.

use serde::Serialize;

use crate::error::Result;
use crate::redstream::Redstream;
use crate::transport::server::{field, unless_forbidden};

/// A server: the only one, or a master of a cluster. Fields are `None` if the user may not ask for them.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct ServerOverview {
    /// Host and port, without credentials.
    pub address: String,
    /// What it calls itself: `redis` or `valkey`.
    pub name: Option<String>,
    /// Its version.
    pub version: Option<String>,
    /// Seconds since it started.
    pub uptime_seconds: Option<u64>,
    /// Bytes of memory that it uses.
    pub used_memory: Option<u64>,
    /// Bytes of memory that it may use; 0 without a limit.
    pub max_memory: Option<u64>,
    /// What it does when memory is full; streams need `noeviction`.
    pub eviction_policy: Option<String>,
    /// Whether it writes an append-only file.
    pub append_only_file: Option<bool>,
    /// Connections of clients.
    pub clients: Option<u64>,
    /// Replicas that are connected.
    pub replicas: Option<u64>,
}

pub(super) async fn all(redstream: &Redstream) -> Result<Vec<ServerOverview>> {
    let address = redstream.link().connector().address().to_owned();
    let ask = |mut connection: crate::transport::connection::Connection| async move {
        let mut servers = Vec::new();
        for (node, answer) in connection.ask_each(&redis::cmd("INFO")).await? {
            let text = unless_forbidden(answer.and_then(|answer| Ok(redis::from_redis_value::<String>(answer)?)))?;
            servers.push((node, text));
        }
        Ok(servers)
    };
    let servers = redstream.link().run("ask the servers for their state", ask).await?;
    let named = |(node, info): (Option<String>, String)| of_info(node.unwrap_or_else(|| address.clone()), &info);
    let mut servers: Vec<_> = servers.into_iter().map(named).collect();
    servers.sort_by(|one, other| one.address.cmp(&other.address));
    Ok(servers)
}

fn of_info(address: String, info: &str) -> ServerOverview {
    let text = |name: &str| field(info, name).map(str::to_owned);
    let number = |name: &str| field(info, name).and_then(|number| number.parse().ok());
    // Valkey gives its own version beside that of the Redis it is compatible with.
    let valkey = text("valkey_version");
    ServerOverview {
        name: text("server_name").or_else(|| text("redis_version").map(|_| "redis".to_owned())),
        version: valkey.or_else(|| text("redis_version")),
        uptime_seconds: number("uptime_in_seconds"),
        used_memory: number("used_memory"),
        max_memory: number("maxmemory"),
        eviction_policy: text("maxmemory_policy"),
        append_only_file: field(info, "aof_enabled").map(|enabled| enabled == "1"),
        clients: number("connected_clients"),
        replicas: number("connected_slaves"),
        address,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_server_does_not_say_is_none() {
        let server = of_info("host:1".to_owned(), "");
        assert_eq!((server.name, server.version, server.used_memory), (None, None, None));
        let server = of_info(
            "host:1".to_owned(),
            "redis_version:7.2.4\r\nvalkey_version:9.1.2\r\nserver_name:valkey\r\naof_enabled:1\r\nmaxmemory:0\r\n",
        );
        assert_eq!((server.name.as_deref(), server.version.as_deref()), (Some("valkey"), Some("9.1.2")));
        assert_eq!((server.append_only_file, server.max_memory), (Some(true), Some(0)));
    }
}
