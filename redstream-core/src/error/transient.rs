//! Which failures are transient, so that a retry can help.

use redis::RedisError;

use super::Error;

impl Error {
    /// Whether a retry can help without any intervention: the connection broke, Redis is loading, failing over or did
    /// not answer in time, or another host acquired a lock.
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

    /// Whether Redis answered and refused for a reason in the request: the key has another type, or the user lacks the
    /// right. Waiting does not help, and operations on other keys may still work.
    #[must_use]
    pub fn is_refusal(&self) -> bool {
        let Self::Redis { source, .. } = self else { return false };
        is_each_refused_by(source, |word| matches!(word, "WRONGTYPE" | "NOPERM" | "ERR"))
    }

    /// Whether a worker should wait: the failure is transient, or the server answers but takes no writes for now. A
    /// caller gets the latter as an error at once.
    pub(crate) fn may_pass(&self) -> bool {
        self.is_refused_for_now() || self.is_transient()
    }

    /// Whether Redis answered and takes no writes for now: neither this process nor its restart can change that.
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
        // A blocked read of a master that became a replica; a server that is busy with a script; and errors that have
        // no kind of their own if Redis 6.2 refused a script.
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

/// Whether the server refused with this error code: one command, or every command of a pipeline that it did not run.
fn is_refused_by(error: &RedisError, is_one: impl Fn(&str) -> bool) -> bool {
    code(error).map_or_else(|| is_each_refused_by(error, &is_one), &is_one)
}

/// The same, with the server's error texts: those of a pipeline have no common code.
fn is_each_refused_by(error: &RedisError, is_one: impl Fn(&str) -> bool) -> bool {
    let errors = error.clone().into_server_errors();
    errors.is_some_and(|errors| !errors.is_empty() && errors.iter().all(|(_, error)| is_one(error.code())))
}

/// Whether the connection broke in the middle of a reply, which the client reports as a reply that it cannot parse.
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

/// The error code of a refusal. Redis 6.2 wraps it if a script was refused: `ERR Error running script
/// (…): @user_script: 69: -NOREPLICAS Not enough good replicas to write.`
pub(crate) fn code(error: &RedisError) -> Option<&str> {
    match (error.code(), error.detail()) {
        (Some("ERR"), Some(detail)) if detail.starts_with("Error running script") => {
            detail.split_once(": -").and_then(|(_, refusal)| refusal.split(' ').next())
        }
        (code, _) => code,
    }
}
