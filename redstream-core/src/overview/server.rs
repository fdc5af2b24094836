//! The servers behind a connection, as they report themselves.

use std::collections::HashMap;

use redis::{Cmd, RedisResult, Value};
use serde::Serialize;

use crate::error::Result;
use crate::redstream::Redstream;
use crate::transport::connection::Connection;
use crate::transport::server::{field, unless_forbidden};

const LOAD_TRUNCATED: &str = "aof-load-truncated";

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
    /// Whether it is a node of a Cluster.
    pub is_cluster: Option<bool>,
    /// Whether it starts with an append-only file whose end is missing (`aof-load-truncated`).
    pub loads_truncated_file: Option<bool>,
    /// Whether the user `default` may run every command on every key, be it enabled or not: a server that reads its
    /// append-only file runs transactions in the name of that user.
    pub default_user_may_all: Option<bool>,
}

pub(super) async fn all(redstream: &Redstream) -> Result<Vec<ServerOverview>> {
    let address = redstream.link().connector().address().to_owned();
    let ask = |mut connection: Connection| async move {
        let mut settings = each(&mut connection, redis::cmd("CONFIG").arg("GET").arg(LOAD_TRUNCATED)).await?;
        let mut users = each(&mut connection, redis::cmd("ACL").arg("GETUSER").arg("default")).await?;
        let mut servers = Vec::new();
        for (node, answer) in connection.ask_each(&redis::cmd("INFO")).await? {
            let info = unless_forbidden(answer.and_then(|answer| Ok(redis::from_redis_value::<String>(answer)?)))?;
            let (setting, user) = (settings.remove(&node), users.remove(&node));
            servers.push((node, info, setting, user));
        }
        Ok(servers)
    };
    let answers = redstream.link().run("ask the servers for their state", ask).await?;
    let mut servers = Vec::new();
    for (node, info, setting, user) in answers {
        let mut server = of_info(node.unwrap_or_else(|| address.clone()), &info);
        server.loads_truncated_file = setting.and_then(loads_truncated);
        server.default_user_may_all = user.and_then(may_all);
        servers.push(server);
    }
    servers.sort_by(|one, other| one.address.cmp(&other.address));
    Ok(servers)
}

/// What each server answers to a question that a user, or a provider, may have been refused: then nothing.
async fn each(connection: &mut Connection, question: &Cmd) -> RedisResult<HashMap<Option<String>, Value>> {
    let answers = connection.ask_each(question).await;
    let answers = match answers {
        Err(error) if error.code().is_some() => Vec::new(),
        answers => answers?,
    };
    Ok(answers.into_iter().filter_map(|(node, answer)| Some((node, answer.ok()?))).collect())
}

fn loads_truncated(setting: Value) -> Option<bool> {
    let setting: HashMap<String, String> = redis::from_redis_value(setting).ok()?;
    setting.get(LOAD_TRUNCATED).map(|value| value == "yes")
}

/// By the fields `commands`, such as `+@all -@dangerous`, and `keys`: `~*`, or a list with `*` before Redis 7.
fn may_all(user: Value) -> Option<bool> {
    let user: HashMap<String, Value> = redis::from_redis_value(user).ok()?;
    let commands: String = redis::from_redis_value_ref(user.get("commands")?).ok()?;
    let keys = user.get("keys")?;
    let keys = match keys {
        Value::Array(_) | Value::Set(_) => redis::from_redis_value_ref::<Vec<String>>(keys).ok()?,
        keys => {
            let keys: String = redis::from_redis_value_ref(keys).ok()?;
            keys.split(' ').map(str::to_owned).collect()
        }
    };
    Some(commands == "+@all" && keys.iter().any(|pattern| pattern == "*" || pattern == "~*"))
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
        is_cluster: field(info, "cluster_enabled").map(|enabled| enabled == "1"),
        loads_truncated_file: None,
        default_user_may_all: None,
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

    #[test]
    fn the_default_user_may_all_if_it_has_every_command_and_key() {
        let text = |text: &str| Value::BulkString(text.as_bytes().to_vec());
        let user = |commands, keys| may_all(Value::Array(vec![text("commands"), text(commands), text("keys"), keys]));
        assert_eq!(user("+@all", text("~*")), Some(true));
        assert_eq!(user("+@all", text("%R~a* ~*")), Some(true));
        assert_eq!(user("+@all", Value::Array(vec![text("*")])), Some(true));
        assert_eq!(user("-@all", text("")), Some(false));
        assert_eq!(user("+@all", text("~shop:*")), Some(false));
        assert_eq!(may_all(Value::Nil), None);
    }
}
