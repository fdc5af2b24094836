//! The databases that SeaORM's tests run on.

use redstream_servers::Servers;
use std::fmt;

#[derive(Debug, Clone, Copy)]
pub(crate) enum Database {
    Sqlite,
    Postgres,
    MariaDb,
}

impl Database {
    /// The feature by which the tests select what they can test.
    pub(crate) fn feature(self) -> &'static str {
        match self {
            Self::Sqlite => "sqlx-sqlite",
            Self::Postgres => "sqlx-postgres",
            Self::MariaDb => "sqlx-mysql",
        }
    }

    /// As SeaORM's tests require: a server, to which they add a database of their own.
    pub(crate) fn url(self, servers: &Servers) -> String {
        let url = match self {
            Self::Sqlite => return "sqlite::memory:".to_owned(),
            Self::Postgres => servers.postgres().url("postgres"),
            Self::MariaDb => servers.mariadb().url("mysql"),
        };
        url.rsplit_once('/').map(|(server, _)| server.to_owned()).unwrap_or(url)
    }
}

impl fmt::Display for Database {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Sqlite => "SQLite",
            Self::Postgres => "PostgreSQL",
            Self::MariaDb => "MariaDB",
        })
    }
}
