//! What a server says of itself.

use redis::RedisResult;
use redis::aio::ConnectionLike;

use crate::{Error, Result};

/// What a server must be able to do: `XTRIM MINID` came with this version.
const OLDEST: (u32, u32) = (6, 2);

/// Empty where the user may not ask.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Server {
    version: String,
    /// New at each start of a server, so it tells two servers at one address apart.
    pub(crate) run_id: String,
}

impl Server {
    /// Asks. A user who may not gets an empty answer, not an error.
    pub(crate) async fn of(connection: &mut (impl ConnectionLike + Send)) -> RedisResult<Self> {
        unless_forbidden(redis::cmd("INFO").arg("server").query_async::<String>(connection).await)
            .map(|info| Self::from_info(&info))
    }

    pub(crate) fn from_info(info: &str) -> Self {
        let field = |name: &str| field(info, name).unwrap_or_default().to_owned();
        Self { version: field("redis_version"), run_id: field("run_id") }
    }

    /// Errors with [`Error::UnsupportedServer`] where the server is too old to be of use.
    pub(crate) fn check_version(&self, address: &str) -> Result<()> {
        let mut parts = self.version.split('.').map(|part| part.parse::<u32>().ok());
        match (parts.next().flatten(), parts.next().flatten()) {
            (Some(major), Some(minor)) if (major, minor) < OLDEST => {
                Err(Error::UnsupportedServer { address: address.to_owned(), version: self.version.clone() })
            }
            _ => Ok(()),
        }
    }
}

/// The answer, or an empty one where the user may not ask.
pub(crate) fn unless_forbidden<T: Default>(answer: RedisResult<T>) -> RedisResult<T> {
    match answer {
        Err(error) if error.kind() == redis::ErrorKind::Server(redis::ServerErrorKind::NoPerm) => Ok(T::default()),
        answer => answer,
    }
}

/// A field of the answer to `INFO`.
pub(crate) fn field<'a>(info: &'a str, name: &str) -> Option<&'a str> {
    info.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':')).map(str::trim)
}
