//! What of a server's settings can lose messages; looked up once, when connecting.

use crate::server::field;

/// A setting of the server with which it can lose messages that it acknowledged.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Risk {
    /// `maxmemory` is set and its policy may evict streams, offsets or locks to make room.
    Eviction {
        /// The policy in force.
        policy: String,
    },
    /// Nothing is appended to a file: a restart loses what came after the last snapshot.
    NoAppendOnlyFile,
    /// The append-only file is written, but not before the answer: a crash of the machine loses up to a
    /// second, or more with `no`.
    LazyFsync {
        /// `everysec` or `no`.
        appendfsync: String,
    },
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
            Self::LazyFsync { appendfsync } => write!(
                f,
                "appendfsync {appendfsync} can lose the last messages when the machine crashes: set always, or have delay messages \
                 confirmed by replicas"
            ),
        }
    }
}

/// What `INFO` and the setting `appendfsync` tell; nothing where they are empty.
pub(crate) fn risks(info: &str, appendfsync: &str) -> Vec<Risk> {
    let field = |name: &str| field(info, name);
    let mut risks = Vec::new();
    if let (Some(limit), Some(policy)) = (field("maxmemory"), field("maxmemory_policy"))
        && limit != "0"
        && policy != "noeviction"
    {
        risks.push(Risk::Eviction { policy: policy.to_owned() });
    }
    match (field("aof_enabled"), appendfsync) {
        (Some("0"), _) => risks.push(Risk::NoAppendOnlyFile),
        (Some("1"), "everysec" | "no") => risks.push(Risk::LazyFsync { appendfsync: appendfsync.to_owned() }),
        _ => {}
    }
    risks
}
