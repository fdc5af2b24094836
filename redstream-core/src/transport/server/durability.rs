//! The settings of a server that can lose messages; read once, when connecting.

use std::collections::HashMap;

use crate::transport::server::field;

/// Settings of a server, by name; empty if the user may not read them.
pub(crate) type Settings = HashMap<String, String>;

/// A setting of the server with which it can lose messages that it acknowledged.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Risk {
    /// `maxmemory` is set and its policy may evict streams, offsets or locks to make room.
    Eviction {
        /// The policy in force.
        policy: String,
    },
    /// There is no append-only file: a restart loses what was written after the last snapshot.
    NoAppendOnlyFile,
    /// The append-only file is written, but not synced before the reply: a crash of the machine loses up to a second,
    /// or more with `no`.
    LazyFsync {
        /// `everysec` or `no`.
        appendfsync: String,
    },
    /// While Redis rewrites the append-only file, or saves a snapshot, nothing is synced (`no-appendfsync-on-rewrite
    /// yes`), whatever `appendfsync` says: a crash of the machine then loses what was written since the rewrite began.
    NoFsyncOnRewrite,
}

impl std::fmt::Display for Risk {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Eviction { policy } => {
                write!(f, "maxmemory-policy {policy} lets Redis remove messages when memory is short: set noeviction")
            }
            Self::NoAppendOnlyFile => {
                f.write_str("there is no append-only file, so a restart loses messages: set appendonly yes")
            }
            Self::NoFsyncOnRewrite => f.write_str(
                "while the append-only file is rewritten nothing is synced, so a crash of the machine can lose all messages since \
                 the rewrite began: set no-appendfsync-on-rewrite no",
            ),
            Self::LazyFsync { appendfsync } => write!(
                f,
                "appendfsync {appendfsync} can lose the last messages when the machine crashes: set always, or have delay messages \
                 confirmed by replicas"
            ),
        }
    }
}

/// The risks in `INFO` and the settings; none if they are empty.
pub(crate) fn risks(info: &str, settings: &Settings) -> Vec<Risk> {
    let setting = |name: &str| settings.get(name).map_or("", String::as_str);
    let field = |name: &str| field(info, name);
    let mut risks = Vec::new();
    if let (Some(limit), Some(policy)) = (field("maxmemory"), field("maxmemory_policy"))
        && limit != "0"
        && policy != "noeviction"
    {
        risks.push(Risk::Eviction { policy: policy.to_owned() });
    }
    match field("aof_enabled") {
        Some("0") => risks.push(Risk::NoAppendOnlyFile),
        Some("1") => {
            let appendfsync = setting("appendfsync");
            if matches!(appendfsync, "everysec" | "no") {
                risks.push(Risk::LazyFsync { appendfsync: appendfsync.to_owned() });
            }
            if setting("no-appendfsync-on-rewrite") == "yes" {
                risks.push(Risk::NoFsyncOnRewrite);
            }
        }
        _ => {}
    }
    risks
}
