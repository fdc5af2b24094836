//! Primary databases: one in a file, one on a server.

use crate::city;
use crate::place::Place;
use anyhow::Result;
use redstream_core::Redstream;
use redstream_seaorm::StreamedConnection;
use sea_orm::{ConnectOptions, ConnectionTrait, DatabaseConnection, Schema};
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use tempfile::TempDir;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Backend {
    Sqlite,
    Postgres,
}

/// An empty database with the table of cities, plain and through Redstream.
pub(crate) struct Database {
    pub(crate) plain: DatabaseConnection,
    pub(crate) streamed: StreamedConnection,
    /// Kept for its Drop.
    _folder: Option<TempDir>,
}

impl Database {
    pub(crate) async fn new(place: &Place, backend: Backend, redstream: &Redstream) -> Result<Self> {
        let (url, folder) = match backend {
            Backend::Sqlite => {
                // In memory, like the servers' data.
                let folder = tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir())?;
                (format!("sqlite://{}?mode=rwc", folder.path().join("bench.db").display()), Some(folder))
            }
            Backend::Postgres => (place.postgres().await?.create_database(&name())?, None),
        };
        let mut options = ConnectOptions::new(url);
        options.max_connections(4).min_connections(1).sqlx_logging(false);
        let plain = sea_orm::Database::connect(options).await?;
        if backend == Backend::Sqlite {
            plain.execute_unprepared("PRAGMA journal_mode = WAL").await?;
        }
        let schema = Schema::new(plain.get_database_backend());
        plain.execute(&schema.create_table_from_entity(city::Entity)).await?;
        let streamed = StreamedConnection::new(plain.clone(), redstream.producer());
        Ok(Self { plain, streamed, _folder: folder })
    }

    /// Adds cities with the ids from 1 on, which are not announced.
    pub(crate) async fn fill(&self, count: usize) -> Result<()> {
        let numbers = "WITH RECURSIVE n(id) AS (SELECT 1 UNION ALL SELECT id + 1 FROM n WHERE id < ";
        let insert = format!("INSERT INTO cities (name, visits) {numbers}{count}) SELECT 'Ulm', 0 FROM n");
        self.plain.execute_unprepared(&insert).await?;
        Ok(())
    }
}

fn name() -> String {
    static NUMBER: AtomicUsize = AtomicUsize::new(0);
    format!("bench_{}", NUMBER.fetch_add(1, Relaxed))
}
