//! The root handle: one Redis, one namespace. It holds the connection and the keys. Each module adds its own factory
//! method, such as [`producer`](Redstream::producer) and [`stream`](Redstream::stream).

use std::fmt;
use std::sync::Arc;

use crate::error::Result;
use crate::keys::Keys;
use crate::transport::connection::Connection;
use crate::transport::connector::Connector;
use crate::transport::pack_readers::PackReaders;
use crate::transport::shared::SharedConnection;
use crate::transport::{ConnectOptions, Risk};

/// A connected Redis: gives producers and streams. Cheap to clone; clones share their connections.
#[derive(Clone)]
pub struct Redstream {
    link: SharedConnection,
    keys: Keys,
    pack_readers: Arc<PackReaders>,
}

impl Redstream {
    /// Connects, and checks that the server, or each master of a cluster, is recent enough. Settings with which it can
    /// lose messages are logged as warnings; [`risks`](Self::risks) returns them too.
    ///
    /// # Errors
    ///
    /// At once, if an option or the URL cannot work, if no server answers within
    /// [`connect_timeout`](ConnectOptions::connect_timeout), if the server is no Redis, or one older than 6.2. With
    /// [`lazy`](ConnectOptions::lazy) a Redis that does not answer is no error.
    pub async fn connect(options: impl Into<ConnectOptions>) -> Result<Self> {
        let options = options.into();
        let namespace = options.namespace.clone();
        let connector = Arc::new(Connector::new(options)?);
        let keys = Keys::new(namespace.as_deref(), connector.is_cluster());
        let connection = match first(&connector).await {
            Err(error) if connector.options().lazy && error.is_transient() => {
                tracing::warn!(
                    address = connector.address(),
                    error = &error as &dyn std::error::Error,
                    "Redis does not answer: started without it, and connects when it is back"
                );
                None
            }
            connection => Some(connection?),
        };
        Ok(Self { link: SharedConnection::new(connector, connection), keys, pack_readers: Arc::default() })
    }

    /// The settings with which this server, or some master of a cluster, can lose messages, as found when first
    /// connecting. Each occurs once; empty before that.
    pub fn risks(&self) -> &[Risk] {
        self.link.connector().risks()
    }

    pub(crate) fn link(&self) -> &SharedConnection {
        &self.link
    }

    /// Whether messages may share entries, if their readers can read them.
    pub(crate) fn is_packed(&self) -> bool {
        self.link.connector().options().packed
    }

    pub(crate) fn pack_readers(&self) -> &PackReaders {
        &self.pack_readers
    }

    pub(crate) fn keys(&self) -> &Keys {
        &self.keys
    }
}

/// The first connection, after a check of the server.
async fn first(connector: &Connector) -> Result<Connection> {
    let mut connection = connector.open().await.map_err(|error| connector.refused(error))?;
    connector.inspect(&mut connection).await?;
    Ok(connection)
}

/// Without credentials.
impl fmt::Debug for Redstream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Redstream").field("address", &self.link.connector().address()).finish_non_exhaustive()
    }
}
