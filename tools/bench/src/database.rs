//! Primary databases: one in a file, one on a server.

use crate::city::{self, streamed};
use crate::place::Place;
use anyhow::Result;
use redstream_core::Redstream;
use redstream_seaorm::StreamedConnection;
use sea_orm::{
    ColumnTrait, ConnectOptions, ConnectionTrait, DatabaseConnection, EntityTrait, QueryFilter, QueryOrder,
    QuerySelect, Schema,
};
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
        Self::with_pool(place, backend, redstream, 4).await
    }

    /// With at most so many connections.
    pub(crate) async fn with_pool(
        place: &Place,
        backend: Backend,
        redstream: &Redstream,
        connections: u32,
    ) -> Result<Self> {
        let (url, folder) = match backend {
            Backend::Sqlite => {
                // In memory, like the servers' data.
                let folder = tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir())?;
                (format!("sqlite://{}?mode=rwc", folder.path().join("bench.db").display()), Some(folder))
            }
            Backend::Postgres => (place.postgres().await?.create_database(&name())?, None),
        };
        let mut options = ConnectOptions::new(url);
        options.max_connections(connections).min_connections(1).sqlx_logging(false);
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

    /// At most so many rows after this id, in the order of the ids.
    pub(crate) async fn page(&self, after: Option<i64>, rows: usize) -> Result<Vec<streamed::Model>> {
        let mut page = streamed::Entity::find().order_by_asc(streamed::Column::Id).limit(rows as u64);
        if let Some(after) = after {
            page = page.filter(streamed::Column::Id.gt(after));
        }
        Ok(page.all(&self.plain).await?)
    }

    /// Reads all rows, page by page, as plainly as `SeaORM` does. Returns how many there are.
    pub(crate) async fn read(&self, rows: usize) -> Result<usize> {
        let (mut count, mut after) = (0, None);
        loop {
            let page = self.page(after, rows).await?;
            count += page.len();
            let Some(last) = page.last() else { return Ok(count) };
            after = Some(last.id);
        }
    }
}

fn name() -> String {
    static NUMBER: AtomicUsize = AtomicUsize::new(0);
    format!("bench_{}", NUMBER.fetch_add(1, Relaxed))
}
