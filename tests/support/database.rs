//! A fresh, empty database for each test, on each of the backends.

use redstream_servers::{MARIADB_URL, POSTGRES_URL};
use sea_orm::{ConnectOptions, ConnectionTrait, Database, DatabaseConnection};
use std::{fmt, thread, time::Duration};
use tempfile::TempDir;
use uuid::Uuid;

/// A database that Redstream's adapter is tested on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Backend {
    Sqlite,
    Postgres,
    MariaDb,
}

impl Backend {
    pub(crate) const ALL: [Self; 3] = [Self::Sqlite, Self::Postgres, Self::MariaDb];
}

impl fmt::Display for Backend {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Sqlite => "SQLite",
            Self::Postgres => "PostgreSQL",
            Self::MariaDb => "MariaDB",
        })
    }
}

/// A connection pool to a new, empty database, which is dropped with this value.
#[derive(Debug)]
pub(crate) struct TestDb {
    connection: DatabaseConnection,
    url: String,
    place: Place,
}

/// What must be removed in the end.
#[derive(Debug)]
enum Place {
    File(#[expect(dead_code, reason = "held for its Drop")] TempDir),
    Server { backend: Backend, name: String },
}

impl TestDb {
    /// A new database on this backend.
    pub(crate) async fn new(backend: Backend) -> Self {
        match backend {
            Backend::Sqlite => Self::in_a_file().await,
            Backend::Postgres | Backend::MariaDb => Self::on_a_server(backend).await,
        }
    }

    /// Shorthand for tests that are the same on every backend: a new SQLite database.
    pub(crate) async fn sqlite() -> Self {
        Self::new(Backend::Sqlite).await
    }

    /// The plain connection, a pool of up to ten. Cloning it is cheap.
    pub(crate) fn connection(&self) -> DatabaseConnection {
        self.connection.clone()
    }

    /// Its address, for another pool or another process.
    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    /// The backend it is on.
    pub(crate) fn backend(&self) -> Backend {
        match &self.place {
            Place::File(_) => Backend::Sqlite,
            Place::Server { backend, .. } => *backend,
        }
    }

    async fn in_a_file() -> Self {
        let directory = tempfile::tempdir().expect("a temporary directory can be made");
        let url = format!("sqlite://{}?mode=rwc", directory.path().join("test.db").display());
        let connection = connect(&url).await;
        // Concurrent readers and one writer, as an application would have; and no waiting for a disk that is never read
        // again.
        for pragma in ["PRAGMA journal_mode = WAL", "PRAGMA synchronous = OFF"] {
            execute(&connection, pragma).await;
        }
        Self { connection, url, place: Place::File(directory) }
    }

    async fn on_a_server(backend: Backend) -> Self {
        let name = format!("test_{}", Uuid::new_v4().simple());
        let administration = connect(&administration_url(backend)).await;
        execute(&administration, &format!("CREATE DATABASE {name}")).await;
        administration.close().await.expect("a connection can be closed");
        let url = server_url(backend, &name);
        let connection = connect(&url).await;
        Self { connection, url, place: Place::Server { backend, name } }
    }
}

impl Drop for TestDb {
    /// Drops the database, even if the test still has connections. On a thread with
    /// a runtime of its own: the test's runtime may be busy, or about to end.
    fn drop(&mut self) {
        let Place::Server { backend, name } = &self.place else { return };
        let statement = match backend {
            Backend::Postgres => format!("DROP DATABASE {name} WITH (FORCE)"),
            _ => format!("DROP DATABASE {name}"),
        };
        let url = administration_url(*backend);
        let dropping = thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            runtime.expect("a runtime can be built").block_on(async {
                let administration = connect(&url).await;
                execute(&administration, &statement).await;
            });
        });
        if dropping.join().is_err() {
            eprintln!("the test database {name} could not be dropped");
        }
    }
}

/// The server's address with `database` as its path.
fn server_url(backend: Backend, database: &str) -> String {
    let variable = match backend {
        Backend::Postgres => POSTGRES_URL,
        Backend::MariaDb => MARIADB_URL,
        Backend::Sqlite => unreachable!("SQLite has no server"),
    };
    let url = super::server_url(variable);
    let (server, _) = url.rsplit_once('/').expect("the URL of a test server names a database");
    format!("{server}/{database}")
}

/// The default database.
fn administration_url(backend: Backend) -> String {
    server_url(backend, if backend == Backend::Postgres { "postgres" } else { "mysql" })
}

async fn connect(url: &str) -> DatabaseConnection {
    let mut options = ConnectOptions::new(url);
    options.max_connections(10).connect_timeout(Duration::from_secs(20)).sqlx_logging(false);
    Database::connect(options).await.unwrap_or_else(|error| panic!("could not connect to {url}: {error}"))
}

async fn execute(connection: &DatabaseConnection, statement: &str) {
    let done = connection.execute_unprepared(statement).await;
    done.unwrap_or_else(|error| panic!("{statement} failed: {error}"));
}

/// Writes one test for each backend, as `name::sqlite`, `name::postgres` and `name::mariadb`:
///
/// ```ignore
/// on_each_database! {
///     async fn a_commit_announces_its_rows(db: TestDb) { … }
/// }
/// ```
macro_rules! on_each_database {
    ($($(#[$attribute:meta])* async fn $name:ident($db:ident: TestDb) $(-> $result:ty)? $body:block)+) => {$(
        $(#[$attribute])*
        mod $name {
            #[allow(unused_imports, reason = "a body may name nothing of its surroundings")]
            use super::*;

            async fn run($db: $crate::support::TestDb) $(-> $result)? $body

            #[tokio::test]
            async fn sqlite() $(-> $result)? {
                run($crate::support::TestDb::new($crate::support::Backend::Sqlite).await).await
            }

            #[tokio::test]
            async fn postgres() $(-> $result)? {
                run($crate::support::TestDb::new($crate::support::Backend::Postgres).await).await
            }

            #[tokio::test]
            async fn mariadb() $(-> $result)? {
                run($crate::support::TestDb::new($crate::support::Backend::MariaDb).await).await
            }
        }
    )+};
}
