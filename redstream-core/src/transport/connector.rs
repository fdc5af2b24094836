//! Opens connections: to one server, to the master that Sentinels name, or to a cluster.

use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt as _;
use redis::cluster::{ClusterClient, ClusterConfig};
use redis::sentinel::{Sentinel, SentinelNodeConnectionInfo};
use redis::{AsyncConnectionConfig, Client, ConnectionInfo, IntoConnectionInfo, RedisError, RedisResult};

use tokio::sync::{OnceCell, Semaphore};

use crate::error::{Error, Result};
use crate::time::within;
use crate::transport::connection::Connection;
use crate::transport::keeper::Keeper;
use crate::transport::options::{ConnectOptions, Place, Protocol};
use crate::transport::outages::Outages;
use crate::transport::resp::{self, RespConnection};
use crate::transport::server::Verdict;
use crate::transport::server::durability::Risk;
use crate::transport::server::nodes::Node;

/// How many connections of one handle are opened at once. Thousands together would exceed the rate at which a server
/// accepts connections, and each refused one would retry.
const AT_ONCE: usize = 32;

/// The response timeout of a connection to a cluster on which commands block.
const LONGEST_BLOCK: Duration = Duration::from_secs(9);

pub(crate) struct Connector {
    options: ConnectOptions,
    target: Target,
    address: String,
    keeper: Keeper,
    outages: Outages,
    /// What is known of the servers; empty before one of them has answered.
    risks: OnceCell<Vec<Risk>>,
    connecting: Semaphore,
}

enum Target {
    Single(Client),
    /// The Sentinels, queried again for every connection: the master may have moved.
    Sentinel {
        sentinels: tokio::sync::Mutex<Sentinel>,
        master: String,
        node: SentinelNodeConnectionInfo,
    },
    Cluster(ClusterClient),
}

/// Why nothing is known of the servers.
enum Unknown {
    /// An error.
    For(Error),
    /// One of them refuses to answer for now.
    Yet,
}

/// The target of a connection.
enum Route<'a> {
    Server(Box<Client>),
    Cluster(&'a ClusterClient),
}

impl Connector {
    pub(crate) fn new(options: ConnectOptions) -> Result<Self> {
        options.check()?;
        let (target, address) = target(&options).map_err(Error::InvalidUrl)?;
        let (risks, connecting) = (OnceCell::new(), Semaphore::new(AT_ONCE));
        let (keeper, outages) = (Keeper::default(), Outages::default());
        Ok(Self { options, target, address, keeper, outages, risks, connecting })
    }

    /// One that checks no server: whatever Redis it is, and however it keeps data, will do.
    pub(crate) fn without_inspection(options: ConnectOptions) -> Result<Self> {
        Ok(Self { risks: OnceCell::new_with(Some(Vec::new())), ..Self::new(options)? })
    }

    /// Checks the servers, unless that was done before: warns of settings with which they can lose messages.
    ///
    /// Errors if one of them is not usable.
    pub(crate) async fn inspect(&self, connection: &mut Connection) -> Result<()> {
        let look = async {
            let (mut risks, mut known) = (Vec::new(), true);
            for mut node in Node::all(self, connection).await.map_err(Unknown::For)? {
                known &= node.verdict().map_err(Unknown::For)? == Verdict::Fit;
                for risk in node.risks {
                    tracing::warn!(address = node.address, "Redis can lose messages: {risk}");
                    if !risks.contains(&risk) {
                        risks.push(risk);
                    }
                }
            }
            if known { Ok(risks) } else { Err(Unknown::Yet) }
        };
        if self.risks.initialized() {
            return Ok(());
        }
        // Boxed: it is done once, and would make every future that connects a large one.
        let found = Box::pin(self.risks.get_or_try_init(|| look)).await;
        match found {
            Err(Unknown::For(error)) => Err(error),
            Ok(_) | Err(Unknown::Yet) => Ok(()),
        }
    }

    /// The settings with which the servers can lose messages, as far as they are known.
    pub(crate) fn risks(&self) -> &[Risk] {
        self.risks.get().map_or(&[], Vec::as_slice)
    }

    pub(crate) fn options(&self) -> &ConnectOptions {
        &self.options
    }

    /// For logs and errors; without credentials.
    pub(crate) fn address(&self) -> &str {
        &self.address
    }

    pub(crate) fn is_cluster(&self) -> bool {
        matches!(self.target, Target::Cluster(_))
    }

    /// The thread on which locks are renewed.
    pub(crate) fn keeper(&self) -> &Keeper {
        &self.keeper
    }

    /// The failures of its workers, logged in few lines.
    pub(crate) fn outages(&self) -> &Outages {
        &self.outages
    }

    pub(crate) fn refused(&self, source: RedisError) -> Error {
        Error::Connect { address: self.address.clone(), source }
    }

    /// A connection for commands that Redis answers without blocking.
    pub(crate) async fn open(&self) -> RedisResult<Connection> {
        let open = async {
            let patience = Some(self.options.response_timeout);
            match self.route().await? {
                Route::Server(client) => self.multiplexed(&client, patience).await,
                Route::Cluster(cluster) => self.cluster(cluster, patience).await,
            }
        };
        self.bounded(open).await
    }

    /// A connection for commands that Redis answers without blocking, driven by the thread of the [keeper](Keeper); and
    /// whether those for commands that block have our own protocol code.
    pub(crate) async fn open_commands(&self) -> RedisResult<(Connection, bool)> {
        let open = async {
            let patience = Some(self.options.response_timeout);
            match self.route().await? {
                Route::Server(client) => {
                    let has_wire = self.has_wire(&client);
                    Ok((self.keeper.open(self.multiplexed(&client, patience)).await?, has_wire))
                }
                Route::Cluster(cluster) => Ok((self.keeper.open(self.cluster(cluster, patience)).await?, false)),
            }
        };
        self.bounded(open).await
    }

    /// A connection for commands that block in Redis. It has no response timeout: its user bounds the wait.
    ///
    /// At most 32 at once; others wait for their turn.
    pub(crate) async fn open_blocking(&self) -> RedisResult<Connection> {
        // The semaphore is never closed.
        let _turn = self.connecting.acquire().await;
        let open = async {
            match self.route().await? {
                Route::Server(client) => self.blocking(&client).await,
                // A cluster's connection cannot have no response timeout.
                Route::Cluster(cluster) => self.cluster(cluster, Some(LONGEST_BLOCK)).await,
            }
        };
        self.bounded(open).await
    }

    /// A connection with our own protocol code, for one caller at a time; `None` if that is not possible.
    pub(crate) async fn open_wire(&self) -> RedisResult<Option<RespConnection>> {
        let open = async {
            match self.route().await? {
                Route::Server(client) if self.has_wire(&client) => self.wire(&client).await.map(Some),
                Route::Server(_) | Route::Cluster(_) => Ok(None),
            }
        };
        self.bounded(open).await
    }

    /// The current address of the master.
    async fn route(&self) -> RedisResult<Route<'_>> {
        match &self.target {
            Target::Single(client) => Ok(Route::Server(Box::new(client.clone()))),
            Target::Sentinel { sentinels, master, node } => {
                let client = sentinels.lock().await.async_master_for(master, Some(node)).await?;
                Ok(Route::Server(Box::new(client)))
            }
            Target::Cluster(cluster) => Ok(Route::Cluster(cluster)),
        }
    }

    async fn multiplexed(&self, client: &Client, patience: Option<Duration>) -> RedisResult<Connection> {
        let config = AsyncConnectionConfig::new()
            .set_connection_timeout(Some(self.options.connect_timeout))
            .set_response_timeout(patience);
        client.get_multiplexed_async_connection_with_config(&config).await.map(Connection::Single)
    }

    async fn blocking(&self, client: &Client) -> RedisResult<Connection> {
        if self.has_wire(client) {
            return self.wire(client).await.map(|wire| Connection::Exclusive(Arc::new(wire.into())));
        }
        self.multiplexed(client, None).await
    }

    /// Whether our own protocol code reaches it.
    fn has_wire(&self, client: &Client) -> bool {
        self.options.protocol == Protocol::Own && resp::reaches(client.get_connection_info())
    }

    async fn wire(&self, client: &Client) -> RedisResult<RespConnection> {
        within(self.options.connect_timeout, RespConnection::open(client.get_connection_info())).await
    }

    async fn cluster(&self, cluster: &ClusterClient, patience: Option<Duration>) -> RedisResult<Connection> {
        let mut config = ClusterConfig::new().set_connection_timeout(self.options.connect_timeout);
        if let Some(patience) = patience {
            config = config.set_response_timeout(patience);
        }
        cluster.get_async_connection_with_config(config).await.map(Connection::Cluster)
    }

    /// Sentinels and cluster nodes are queried one after the other; together they get this long.
    async fn bounded<T>(&self, open: impl Future<Output = RedisResult<T>> + Send) -> RedisResult<T> {
        // With Sentinels and clusters it is a large future. Its type is not part of the callers', which the compiler
        // could otherwise not prove to be `Send` within its limit of recursion.
        within(self.options.connect_timeout * 3, open.boxed()).await
    }
}

fn target(options: &ConnectOptions) -> RedisResult<(Target, String)> {
    match &options.place {
        Place::Single(url) => {
            let info = prompt(url.as_str().into_connection_info()?);
            let address = info.addr().to_string();
            Ok((Target::Single(client(info, options)?), address))
        }
        Place::Sentinel { urls, master, node } => {
            let sentinels = infos(urls)?;
            let address = format!("master {master} of the Sentinels {}", addresses(&sentinels));
            let node = prompt(node.as_str().into_connection_info()?);
            let mut info = SentinelNodeConnectionInfo::default()
                .set_redis_connection_info(node.redis_settings().clone())
                .set_tcp_settings(node.tcp_settings().clone());
            if let redis::ConnectionAddr::TcpTls { .. } = node.addr() {
                info = info.set_tls_mode(redis::TlsMode::Secure);
            }
            let sentinels = tokio::sync::Mutex::new(Sentinel::build(sentinels)?);
            Ok((Target::Sentinel { sentinels, master: master.clone(), node: info }, address))
        }
        Place::Cluster(urls) => {
            let nodes = infos(urls)?;
            let address = format!("the cluster at {}", addresses(&nodes));
            // redis-rs's own retries would send a message repeatedly when a reply is lost; ours are bounded.
            let builder = ClusterClient::builder(nodes)
                .retries(0)
                .tcp_settings(redis::io::tcp::TcpSettings::default().set_nodelay(true));
            #[cfg(feature = "tls")]
            let builder = match certificates(options) {
                Some(certificates) => builder.certs(certificates),
                None => builder,
            };
            Ok((Target::Cluster(builder.build()?), address))
        }
    }
}

#[cfg(not(feature = "tls"))]
fn client(info: ConnectionInfo, _: &ConnectOptions) -> RedisResult<Client> {
    Client::open(info)
}

#[cfg(feature = "tls")]
fn client(info: ConnectionInfo, options: &ConnectOptions) -> RedisResult<Client> {
    match certificates(options) {
        Some(certificates) => Client::build_with_tls(info, certificates),
        None => Client::open(info),
    }
}

#[cfg(feature = "tls")]
fn certificates(options: &ConnectOptions) -> Option<redis::TlsCertificates> {
    let root_cert = options.root_certificate.clone()?;
    Some(redis::TlsCertificates { client_tls: None, root_cert: Some(root_cert) })
}

fn infos(urls: &[String]) -> RedisResult<Vec<ConnectionInfo>> {
    urls.iter().map(|url| Ok(prompt(url.as_str().into_connection_info()?))).collect()
}

/// A command is small and is waited for: it must not be delayed in a buffer.
fn prompt(info: ConnectionInfo) -> ConnectionInfo {
    let tcp = info.tcp_settings().clone().set_nodelay(true);
    info.set_tcp_settings(tcp)
}

fn addresses(infos: &[ConnectionInfo]) -> String {
    infos.iter().map(|info| info.addr().to_string()).collect::<Vec<_>>().join(", ")
}

impl std::fmt::Debug for Connector {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Connector").field("address", &self.address).finish_non_exhaustive()
    }
}
