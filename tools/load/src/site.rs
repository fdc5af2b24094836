//! The addresses and settings that each process needs.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::Context as _;
use redstream_seaorm::{Redstream, StreamedConnection};
use sea_orm::{Database, DatabaseConnection};
use serde::{Deserialize, Serialize};

use crate::cache::Cache;
use crate::reports::Reports;

/// The stream of the items.
pub(crate) const STREAM: &str = "items";
/// One consumer for each datastore.
pub(crate) const CONSUMERS: [&str; 2] = ["reports", "cache"];
/// How many rows there are: the load is in their changes.
pub(crate) const ROWS: i64 = 20_000;
/// How many tasks write in one process.
pub(crate) const TASKS: i64 = 4;
/// After how long a delay message is queued.
pub(crate) const DELAY: Duration = Duration::from_secs(15);
/// After how long without renewal the standby takes over.
pub(crate) const LOCK_TTL: Duration = Duration::from_secs(2);

/// The addresses of one run.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Site {
    pub(crate) redis_url: String,
    pub(crate) cache_url: String,
    pub(crate) database_url: String,
    pub(crate) reports: PathBuf,
}

impl Site {
    pub(crate) async fn redstream(&self) -> anyhow::Result<Redstream> {
        Redstream::connect(self.redis_url.as_str()).await.context("cannot use Redis")
    }

    /// The primary database, as SeaORM has it.
    pub(crate) async fn database(&self) -> anyhow::Result<DatabaseConnection> {
        connect(&self.database_url, 8).await
    }

    /// The primary database through Redstream.
    pub(crate) async fn streamed(&self) -> anyhow::Result<StreamedConnection> {
        let producer = self.redstream().await?.producer();
        Ok(StreamedConnection::new(self.database().await?, producer))
    }

    /// The first datastore: an SQLite database.
    pub(crate) async fn reports(&self) -> anyhow::Result<Reports> {
        // One connection: SQLite has one writer.
        Ok(Reports(connect(&format!("sqlite://{}?mode=rwc", self.reports.display()), 1).await?))
    }

    /// The second datastore: a separate Redis.
    pub(crate) async fn cache(&self) -> anyhow::Result<Cache> {
        Cache::connect(&self.cache_url).await
    }
}

async fn connect(url: &str, connections: u32) -> anyhow::Result<DatabaseConnection> {
    let mut options = sea_orm::ConnectOptions::new(url);
    options.max_connections(connections).connect_timeout(Duration::from_secs(10)).sqlx_logging(false);
    Database::connect(options).await.context("cannot use a database")
}
