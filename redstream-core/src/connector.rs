//! Opens connections to Redis, and checks what answers.

use redis::AsyncConnectionConfig;
use redis::aio::MultiplexedConnection;

use crate::{ConnectOptions, Error, Result};

/// What one server must be able to do: `XTRIM MINID` came with this version.
const OLDEST: (u32, u32) = (6, 2);

#[derive(Clone, Debug)]
pub(crate) struct Connector {
    client: redis::Client,
    options: ConnectOptions,
    address: String,
}

/// What a server says of itself.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Server {
    pub(crate) version: String,
    /// New at each start of a server, so it tells two servers at one address apart. Empty where the
    /// user may not ask.
    pub(crate) run_id: String,
}

impl Connector {
    pub(crate) fn new(options: ConnectOptions) -> Result<Self> {
        options.check()?;
        let client = redis::Client::open(options.url.as_str()).map_err(Error::InvalidUrl)?;
        let info = client.get_connection_info();
        // A command is small and is waited for: it must not sit in a buffer.
        let tcp = info.tcp_settings().clone().set_nodelay(true);
        let info = info.clone().set_tcp_settings(tcp);
        let address = info.addr().to_string();
        let client = redis::Client::open(info).map_err(Error::InvalidUrl)?;
        Ok(Self { client, options, address })
    }

    pub(crate) fn options(&self) -> &ConnectOptions {
        &self.options
    }

    pub(crate) fn address(&self) -> &str {
        &self.address
    }

    /// A connection for commands that answer at once.
    pub(crate) async fn open(&self) -> redis::RedisResult<MultiplexedConnection> {
        self.connect(Some(self.options.response_timeout)).await
    }

    /// A connection for commands that block in Redis. It waits for ever for a reply: who uses it
    /// bounds the wait.
    pub(crate) async fn open_blocking(&self) -> redis::RedisResult<MultiplexedConnection> {
        self.connect(None).await
    }

    async fn connect(
        &self,
        response_timeout: Option<std::time::Duration>,
    ) -> redis::RedisResult<MultiplexedConnection> {
        let config = AsyncConnectionConfig::new()
            .set_connection_timeout(Some(self.options.connect_timeout))
            .set_response_timeout(response_timeout);
        self.client.get_multiplexed_async_connection_with_config(&config).await
    }

    pub(crate) fn refused(&self, source: redis::RedisError) -> Error {
        Error::Connect { address: self.address.clone(), source }
    }

    /// Errors with [`Error::UnsupportedServer`] where the server is too old to be of use.
    pub(crate) fn check_version(&self, server: &Server) -> Result<()> {
        let mut parts = server.version.split('.').map(|part| part.parse::<u32>().ok());
        match (parts.next().flatten(), parts.next().flatten()) {
            (Some(major), Some(minor)) if (major, minor) < OLDEST => {
                Err(Error::UnsupportedServer { address: self.address.clone(), version: server.version.clone() })
            }
            _ => Ok(()),
        }
    }
}

/// Asks the server what it is. A user who may not ask gets an empty answer, not an error.
pub(crate) async fn server(connection: &mut MultiplexedConnection) -> redis::RedisResult<Server> {
    let info = match redis::cmd("INFO").arg("server").query_async::<String>(connection).await {
        Ok(info) => info,
        Err(error) if error.kind() == redis::ErrorKind::Server(redis::ServerErrorKind::NoPerm) => String::new(),
        Err(error) => return Err(error),
    };
    let field = |name: &str| {
        info.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':')).unwrap_or_default().trim().to_owned()
    };
    Ok(Server { version: field("redis_version"), run_id: field("run_id") })
}
