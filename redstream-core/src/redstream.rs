//! The root handle: one Redis, one namespace.

use std::fmt;
use std::sync::Arc;

use crate::connector::Connector;
use crate::durability::Risk;
use crate::keys::Keys;
use crate::link::Link;
use crate::nodes::Node;
use crate::{ConnectOptions, Producer, Result, Stream, StreamName};

/// A connected Redis: gives producers and streams. Cheap to clone; clones share their connections.
#[derive(Clone)]
pub struct Redstream {
    link: Link,
    keys: Keys,
    risks: Arc<[Risk]>,
}

impl Redstream {
    /// Connects, and checks that the server, or each master of a cluster, is recent enough. Settings with which it can lose
    /// messages are logged as warnings; [`risks`](Self::risks) tells them too.
    ///
    /// Errors at once where the URL is malformed, nothing answers within
    /// [`connect_timeout`](ConnectOptions::connect_timeout), or a server is older than Redis 6.2.
    pub async fn connect(options: impl Into<ConnectOptions>) -> Result<Self> {
        let options = options.into();
        let namespace = options.namespace.clone();
        let connector = Connector::new(options)?;
        let keys = Keys::new(namespace.as_deref(), connector.is_cluster());
        let mut connection = connector.open().await.map_err(|e| connector.refused(e))?;
        let mut risks = Vec::new();
        for node in Node::all(&connector, &mut connection).await? {
            node.check_version()?;
            for risk in node.risks {
                tracing::warn!(address = node.address, "Redis can lose messages: {risk}");
                if !risks.contains(&risk) {
                    risks.push(risk);
                }
            }
        }
        Ok(Self { link: Link::new(Arc::new(connector), connection), keys, risks: risks.into() })
    }

    /// Writes messages: hand it to your connection of the primary database.
    pub fn producer(&self) -> Producer {
        Producer::new(self.clone())
    }

    /// A stream, by name: gives its consumers, its delayer and its trimmer.
    ///
    /// Errors where the name is not usable; does not talk to Redis.
    pub fn stream(&self, name: impl AsRef<str>) -> Result<Stream> {
        Ok(Stream::new(self.clone(), StreamName::new(name)?))
    }

    /// The settings with which this server, or some master of a cluster, can lose messages, as found when connecting. Each once.
    pub fn risks(&self) -> &[Risk] {
        &self.risks
    }

    pub(crate) fn link(&self) -> &Link {
        &self.link
    }

    pub(crate) fn keys(&self) -> &Keys {
        &self.keys
    }
}

/// Without credentials.
impl fmt::Debug for Redstream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Redstream").field("address", &self.link.connector().address()).finish_non_exhaustive()
    }
}
