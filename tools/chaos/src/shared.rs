//! State that all schedules share: the program of their processes, and the servers, each schedule with a schema, a
//! database or indices of its own.

use std::path::PathBuf;

use anyhow::Result;
use redstream_servers::{MariaDb, Postgres, Search};
use sea_orm::{ConnectionTrait as _, Database, DatabaseConnection};

/// Their addresses.
#[derive(Clone, Debug)]
pub(crate) struct Shared {
    pub(crate) program: PathBuf,
    pub(crate) postgres: String,
    mariadb: u16,
    pub(crate) search: u16,
}

impl Shared {
    pub(crate) fn new(postgres: &Postgres, mariadb: &MariaDb, search: &Search, program: PathBuf) -> Self {
        Self { program, postgres: postgres.url("postgres"), mariadb: mariadb.port(), search: search.port() }
    }

    /// The address of a database of the MariaDB.
    pub(crate) fn mariadb(&self, database: &str) -> String {
        format!("mysql://root@127.0.0.1:{}/{database}", self.mariadb)
    }

    /// The set-up of a server: `citext`, and deadlocks that PostgreSQL finds soon.
    pub(crate) async fn prepare(&self) -> Result<()> {
        for statement in [
            "CREATE EXTENSION IF NOT EXISTS citext SCHEMA public",
            "ALTER SYSTEM SET deadlock_timeout = '50ms'",
            "SELECT pg_reload_conf()",
        ] {
            execute(&self.postgres, statement).await?;
        }
        Ok(())
    }
}

/// Runs it by a connection of its own.
pub(crate) async fn execute(url: &str, sql: &str) -> Result<()> {
    let connection = connect(url, None).await?;
    connection.execute_unprepared(sql).await?;
    Ok(connection.close().await?)
}

pub(crate) async fn connect(url: &str, schema: Option<&str>) -> Result<DatabaseConnection> {
    let mut options = sea_orm::ConnectOptions::new(url);
    options.max_connections(1).sqlx_logging(false);
    if let Some(schema) = schema {
        options.set_schema_search_path(schema);
    }
    Ok(Database::connect(options).await?)
}
