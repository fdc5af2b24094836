//! The stage: the two datastores of a run, set up before the steps and removed afterwards.

use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use anyhow::{Context as _, ensure};
use redstream_seaorm::{Redstream, Stream};
use sea_orm::{ConnectionTrait, DatabaseConnection, DbBackend, Schema};
use tempfile::TempDir;
use uuid::Uuid;

use crate::city;
use crate::clean_up::remove_keys;
use crate::search::Search;
use crate::servers::Servers;
use crate::site::{STREAM, Site};

/// The longest time for the clean-up.
const STRIKE: Duration = Duration::from_secs(20);

/// The table of Redstream's outbox.
pub(crate) const OUTBOX: &str = "redstream_outbox";

/// The datastores of the run.
pub(crate) struct Stage {
    pub(crate) site: Site,
    pub(crate) redstream: Redstream,
    pub(crate) stream: Stream,
    /// The primary database; direct writes to it are not streamed.
    pub(crate) database: DatabaseConnection,
    folder: TempDir,
    made_table: AtomicBool,
    made_outbox: AtomicBool,
}

impl Stage {
    /// Connects to Redis and to the database, and creates the index. Creates nothing that remains except in a temporary
    /// folder.
    pub(crate) async fn set(servers: &Servers) -> anyhow::Result<Self> {
        let folder = tempfile::Builder::new().prefix("redstream-demo-").tempdir().context("no temporary folder")?;
        let sqlite = format!("sqlite://{}?mode=rwc", folder.path().join("cities.db").display());
        let namespace = format!("redstream-demo-{}", Uuid::new_v4().simple());
        let search = match &servers.search {
            Some(url) => Search::on_server(url, &namespace)?,
            None => Search::create(&folder.path().join("index"))?,
        };
        let site = Site {
            redis_url: servers.redis.clone().unwrap_or_else(|| "redis://127.0.0.1/".to_owned()),
            namespace,
            database_url: servers.database.clone().unwrap_or(sqlite),
            search,
        };
        let redstream = site.redstream().await?;
        let stream = redstream.stream(STREAM)?;
        let database = site.database().await?;
        let (made_table, made_outbox) = (AtomicBool::new(false), AtomicBool::new(false));
        Ok(Self { site, redstream, stream, database, folder, made_table, made_outbox })
    }

    /// Creates the table, unless there is one: an existing table is not ours, and is not changed.
    pub(crate) async fn create_table(&self) -> anyhow::Result<()> {
        let there = self.database.execute_unprepared(&format!("SELECT 1 FROM {} WHERE 1 = 0", city::TABLE)).await;
        ensure!(
            there.is_err(),
            "the database has a table {0} already, which this run did not make: if an earlier run of the demo was \
             killed, drop it (DROP TABLE {0}); else give the demo another database",
            city::TABLE
        );
        let backend = self.database.get_database_backend();
        let mut table = Schema::new(backend).create_table_from_entity(city::Entity);
        match backend {
            // Concurrent readers and a writer, in several processes.
            DbBackend::Sqlite => _ = self.database.execute_unprepared("PRAGMA journal_mode = WAL").await?,
            // The names are of the whole world; the server's default may be latin1.
            DbBackend::MySql => _ = table.character_set("utf8mb4"),
            _ => {}
        }
        self.made_table.store(true, Ordering::Relaxed);
        self.database.execute(&table).await.context("cannot create the table of cities")?;
        Ok(())
    }

    /// Creates the table of the outbox, unless there is one.
    #[cfg(feature = "open")]
    pub(crate) async fn create_outbox(&self) -> anyhow::Result<()> {
        let there = self.database.execute_unprepared(&format!("SELECT 1 FROM {OUTBOX} WHERE 1 = 0")).await;
        ensure!(there.is_err(), "the database has a table {OUTBOX} already, which belongs to an application");
        self.made_outbox.store(true, Ordering::Relaxed);
        redstream_seaorm::outbox::create_table(&self.database).await.context("cannot create the outbox")?;
        Ok(())
    }

    /// A folder that is removed when the run ends.
    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Removes the keys, the table, the index.
    pub(crate) async fn strike(self) -> anyhow::Result<()> {
        let keys = tokio::time::timeout(STRIKE, remove_keys(&self.site.redis_url, &self.site.namespace)).await;
        self.strike_without_keys().await?;
        keys.context("removing the keys took too long")?.context("cannot remove the keys of this run from Redis")
    }

    /// Removes the table and the index: for a private Redis, whose keys end with it.
    pub(crate) async fn strike_without_keys(self) -> anyhow::Result<()> {
        let table = tokio::time::timeout(STRIKE, self.drop_table()).await;
        let indices = tokio::time::timeout(STRIKE, self.site.search.remove()).await;
        self.folder.close().context("cannot remove the temporary folder")?;
        indices.context("removing the indices took too long")??;
        table.context("dropping the table took too long")?
    }

    async fn drop_table(&self) -> anyhow::Result<()> {
        for (made, table) in [(&self.made_table, city::TABLE), (&self.made_outbox, OUTBOX)] {
            if made.load(Ordering::Relaxed) {
                self.database
                    .execute_unprepared(&format!("DROP TABLE IF EXISTS {table}"))
                    .await
                    .with_context(|| format!("cannot drop the table {table}"))?;
            }
        }
        self.database.close_by_ref().await?;
        Ok(())
    }
}
