//! The secondary datastore: a tantivy index in a folder, or an index of a server that speaks OpenSearch's protocol.
//!
//! Both are written by sinks of `redstream-sinks`, which give each document the version of its batch, so that late
//! writes of a paused former owner cannot undo those of its successor.

pub(crate) mod embedded;
#[cfg(feature = "opensearch")]
pub(crate) mod server;
#[cfg(test)]
mod tests;
#[cfg(feature = "open")]
pub(crate) mod typed;

use std::path::{Path, PathBuf};

use anyhow::Context as _;

use redstream_seaorm::{CancellationToken, Redstream, RedstreamExt as _, Verify, VerifyReport};
use sea_orm::{Condition, DatabaseConnection};
use serde::{Deserialize, Serialize};

use crate::city;
use crate::site::Generation;

/// A search index, which many processes may open.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) enum Search {
    /// A folder.
    Embedded(PathBuf),
    #[cfg(feature = "opensearch")]
    Server(server::Server),
}

/// What a verification does.
#[derive(Debug)]
pub(crate) struct Extent {
    /// Which rows are compared; `None`: all of them, with all documents.
    pub(crate) rows: Option<Condition>,
    /// Whether those that differ are queued.
    pub(crate) repair: bool,
}

impl Extent {
    /// All rows, compared only.
    pub(crate) fn all() -> Self {
        Self { rows: None, repair: false }
    }

    fn set(self, verify: Verify<'_, city::Entity>) -> Verify<'_, city::Entity> {
        let verify = verify.repair(self.repair);
        match self.rows {
            Some(rows) => verify.filter(rows),
            None => verify,
        }
    }
}

impl Search {
    /// Creates an empty index in an empty folder.
    pub(crate) fn create(folder: &Path) -> anyhow::Result<Self> {
        std::fs::create_dir(folder).context("cannot make a folder for the index")?;
        embedded::create(folder).context("cannot create the index")?;
        Ok(Self::Embedded(folder.to_owned()))
    }

    /// Indices of this name on a server.
    #[cfg(feature = "opensearch")]
    #[expect(clippy::unnecessary_wraps, reason = "a build without the feature fails")]
    pub(crate) fn on_server(url: &str, name: &str) -> anyhow::Result<Self> {
        Ok(Self::Server(server::Server::new(url, name)))
    }

    /// Indices of this name on a server.
    #[cfg(not(feature = "opensearch"))]
    pub(crate) fn on_server(_: &str, _: &str) -> anyhow::Result<Self> {
        anyhow::bail!("this demo was built without search servers: run `cargo xtask demo --sink opensearch`")
    }

    /// Has searches find what workers write, when the first of them run.
    #[cfg_attr(not(feature = "opensearch"), expect(clippy::unused_async, reason = "a folder needs nothing"))]
    pub(crate) async fn begin(&self, redstream: &Redstream, database: &DatabaseConnection) -> anyhow::Result<()> {
        match self {
            Self::Embedded(_) => {
                _ = (redstream, database);
                Ok(())
            }
            #[cfg(feature = "opensearch")]
            Self::Server(server) => server.use_first(redstream, database).await,
        }
    }

    /// Removes what is not in the folder of the run.
    #[cfg_attr(not(feature = "opensearch"), expect(clippy::unused_async, reason = "a folder needs nothing"))]
    pub(crate) async fn remove(&self) -> anyhow::Result<()> {
        match self {
            Self::Embedded(_) => Ok(()),
            #[cfg(feature = "opensearch")]
            Self::Server(server) => server.remove().await,
        }
    }

    /// How many cities a search for all finds.
    pub(crate) async fn len(&self) -> anyhow::Result<u64> {
        match self {
            Self::Embedded(folder) => embedded::look(folder, embedded::Look::len).await,
            #[cfg(feature = "opensearch")]
            Self::Server(server) => server.len().await,
        }
    }

    /// How many cities of exactly this name a search finds.
    pub(crate) async fn hits(&self, name: &str) -> anyhow::Result<u64> {
        match self {
            Self::Embedded(folder) => {
                let name = name.to_owned();
                embedded::look(folder, move |index| index.hits(&name)).await
            }
            #[cfg(feature = "opensearch")]
            Self::Server(server) => server.hits(name).await,
        }
    }

    /// The city of this id, unless it is missing or deleted.
    pub(crate) async fn city(&self, id: i64) -> anyhow::Result<Option<city::Model>> {
        match self {
            Self::Embedded(folder) => embedded::look(folder, move |index| index.city(id)).await,
            #[cfg(feature = "opensearch")]
            Self::Server(server) => server.city(id).await,
        }
    }

    /// Compares rows with their documents, and documents with their rows. `tell` gets each line of progress.
    pub(crate) async fn verify(
        &self,
        redstream: &Redstream,
        database: &DatabaseConnection,
        extent: Extent,
        tell: impl Fn(&VerifyReport) + Send + Sync + 'static,
        shutdown: CancellationToken,
    ) -> anyhow::Result<VerifyReport> {
        match self {
            Self::Embedded(folder) => {
                let sink = embedded::sink(folder)?;
                let verify = redstream
                    .verify::<city::Entity>(database, &sink)
                    .consumer(Generation::First.consumer())
                    .on_progress(tell);
                Ok(extent.set(verify).run(shutdown).await?)
            }
            #[cfg(feature = "opensearch")]
            Self::Server(server) => server.verify(redstream, database, extent, tell, shutdown).await,
        }
    }
}
