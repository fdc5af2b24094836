//! Which failures pass by themselves, so that trying again can help.

use redis::RedisError;

use super::Error;

impl Error {
    /// Whether trying again can help without anybody changing anything: the connection broke, Redis
    /// is loading, failing over or did not answer in time, or a lock went to another host.
    #[must_use]
    pub fn is_transient(&self) -> bool {
        match self {
            Self::Connect { source, .. } | Self::Redis { source, .. } => is_transient(source),
            Self::GaveUp { .. }
            | Self::LockLost { .. }
            | Self::Paused { .. }
            | Self::NotReplicated { .. }
            | Self::SlotOpen { .. } => true,
            _ => false,
        }
    }

    /// Whether Redis answered and refused, for a reason that lies in what was asked: the key holds something else, or the user has not
    /// the right. Waiting does not help, and what concerns other keys may well go on.
    #[must_use]
    pub fn is_refusal(&self) -> bool {
        let Self::Redis { source, .. } = self else { return false };
        is_each_refused_by(source, |word| matches!(word, "WRONGTYPE" | "NOPERM" | "ERR"))
    }

    /// Whether a worker should wait for better times: whatever is transient, and a server that answers but takes
    /// no writes for now. A caller is told of the latter at once; a worker has nothing better to do.
    pub(crate) fn may_pass(&self) -> bool {
        self.is_refused_for_now() || self.is_transient()
    }

    /// Whether Redis answered and takes no writes for now: nothing that this process does, or its restart, would change that.
    pub(crate) fn is_refused_for_now(&self) -> bool {
        match self {
            Self::Redis { source, .. } => {
                is_refused_by(source, |word| matches!(word, "OOM" | "NOREPLICAS" | "MISCONF"))
            }
            Self::SlotOpen { .. } => true,
            _ => false,
        }
    }
}

/// Whether the same command can succeed a moment later: the connection's failures, and what a
/// server says while it starts or fails over.
pub(crate) fn is_transient(error: &RedisError) -> bool {
    use redis::{ErrorKind, ServerErrorKind as Server};
    error.is_io_error()
        || error.is_timeout()
        || error.is_connection_dropped()
        || is_cut_off(error)
        || is_full_of_clients(error)
        // A blocked read of a master that became a replica; a server that is busy with a script; and
        // what kinds do not show where Redis 6.2 refused a script.
        || is_refused_by(error, |word| matches!(word, "UNBLOCKED" | "BUSY" | "READONLY" | "MASTERDOWN"))
        || matches!(
            error.kind(),
            ErrorKind::ClusterConnectionNotFound
                | ErrorKind::MasterNameNotFoundBySentinel
                | ErrorKind::NoValidReplicasFoundBySentinel
                | ErrorKind::Server(
                    Server::BusyLoading
                        | Server::Moved
                        | Server::Ask
                        | Server::TryAgain
                        | Server::ClusterDown
                        | Server::MasterDown
                        | Server::ReadOnly
                )
        )
}

/// Whether the server refused by such a word: one command, or every command of a pipeline that it did not do.
fn is_refused_by(error: &RedisError, is_one: impl Fn(&str) -> bool) -> bool {
    code(error).map_or_else(|| is_each_refused_by(error, &is_one), &is_one)
}

/// The same, with the words as the server said them: those of a pipeline have no word in common.
fn is_each_refused_by(error: &RedisError, is_one: impl Fn(&str) -> bool) -> bool {
    let errors = error.clone().into_server_errors();
    errors.is_some_and(|errors| !errors.is_empty() && errors.iter().all(|(_, error)| is_one(error.code())))
}

/// Whether the connection broke in the middle of a reply, which the client reports as one it cannot parse.
pub(crate) fn is_cut_off(error: &RedisError) -> bool {
    error.kind() == redis::ErrorKind::Parse && error.detail().is_some_and(|detail| detail.contains("end of input"))
}

/// Whether the other end closed the connection, or it broke.
pub(crate) fn is_broken(error: &RedisError) -> bool {
    error.is_connection_dropped() || is_cut_off(error)
}

/// Whether the server has as many clients as `maxclients` allows.
fn is_full_of_clients(error: &RedisError) -> bool {
    error.detail().is_some_and(|detail| detail.contains("max number of clients"))
}

/// The word with which a server refused. Redis 6.2 wraps it where a script was refused: `ERR Error running script
/// (…): @user_script: 69: -NOREPLICAS Not enough good replicas to write.`
pub(crate) fn code(error: &RedisError) -> Option<&str> {
    match (error.code(), error.detail()) {
        (Some("ERR"), Some(detail)) if detail.starts_with("Error running script") => {
            detail.split_once(": -").and_then(|(_, refusal)| refusal.split(' ').next())
        }
        (code, _) => code,
    }
}
