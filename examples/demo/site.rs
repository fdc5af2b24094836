//! The addresses and settings that each process needs.

use std::time::Duration;

use anyhow::Context as _;
use redstream_seaorm::{ConnectOptions, Redstream, StreamedConnection};
use sea_orm::{ConnectionTrait, Database, DatabaseConnection};
use serde::{Deserialize, Serialize};

use crate::search::Search;

/// The stream of the cities.
pub(crate) const STREAM: &str = "cities";
/// After how long a delay message is queued: short, so that its effect can be seen. Applications use 5 minutes.
pub(crate) const DELAY: Duration = Duration::from_secs(5);
/// After how long without renewal the standby takes over.
pub(crate) const LOCK_TTL: Duration = Duration::from_secs(2);

/// Which index a worker writes: the first one, or the one that a swap puts in its place.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Generation {
    First,
    Second,
}

impl Generation {
    /// The consumer that writes it.
    pub(crate) fn consumer(self) -> &'static str {
        match self {
            Self::First => "search",
            Self::Second => "search-2",
        }
    }
}

/// The addresses of one run.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct Site {
    pub(crate) redis_url: String,
    pub(crate) namespace: String,
    pub(crate) database_url: String,
    pub(crate) search: Search,
}

impl Site {
    pub(crate) async fn redstream(&self) -> anyhow::Result<Redstream> {
        let options = ConnectOptions::new(&self.redis_url).namespace(&self.namespace);
        Redstream::connect(options).await.context("cannot use the Redis of --redis-url")
    }

    /// The primary database, as SeaORM has it: for reading.
    pub(crate) async fn database(&self) -> anyhow::Result<DatabaseConnection> {
        let mut options = sea_orm::ConnectOptions::new(&self.database_url);
        options.max_connections(4).connect_timeout(Duration::from_secs(10)).sqlx_logging(false);
        Database::connect(options).await.context("cannot use the database of --database-url")
    }
}

/// A database through Redstream: for writing.
pub(crate) fn streamed<C: ConnectionTrait + Send>(database: C, redstream: &Redstream) -> StreamedConnection<C> {
    StreamedConnection::new(database, redstream.producer())
}
