//! The servers that all tests share.

use crate::{
    Client, MariaDb, NEWEST, Package, Postgres, Redis, RedisEdition, RedisOptions, Result, ensure_installed,
    newest_are_wanted,
};
use std::{
    panic::resume_unwind,
    thread::{self, ScopedJoinHandle},
};

/// The environment variable in which tests find the address of the shared Redis.
pub const REDIS_URL: &str = "REDSTREAM_TEST_REDIS_URL";
/// The environment variable in which tests find the address of the shared PostgreSQL.
pub const POSTGRES_URL: &str = "REDSTREAM_TEST_POSTGRES_URL";
/// The environment variable in which tests find the address of the shared MariaDB.
pub const MARIADB_URL: &str = "REDSTREAM_TEST_MARIADB_URL";

/// One Redis, one PostgreSQL and one MariaDB. Dropping it ends all three.
#[derive(Debug)]
pub struct Servers {
    redis: Redis,
    postgres: Postgres,
    mariadb: MariaDb,
    newest: bool,
}

impl Servers {
    /// Installs what the test suite needs and this machine does not have, the editions of Redis that single tests start
    /// and the clients of other languages included, and starts the three servers: the operating system's, or
    /// [the newest](crate::NEWEST).
    pub fn start() -> Result<Self> {
        Self::of(newest_are_wanted())
    }

    /// The same with the newest Redis and PostgreSQL that can be installed.
    pub fn newest() -> Result<Self> {
        Self::of(true)
    }

    fn of(newest: bool) -> Result<Self> {
        // One after the other: package managers must not run concurrently, and their output must not be mixed.
        for package in Package::ALL {
            ensure_installed(package)?;
        }
        // Installed now, and not by several tests at once.
        for client in Client::ALL {
            client.command()?;
        }
        thread::scope(|scope| {
            let postgres = scope.spawn(if newest { Postgres::newest } else { Postgres::start });
            let mariadb = scope.spawn(MariaDb::start);
            let edition = if newest { RedisEdition::newest()? } else { RedisEdition::System };
            let redis = RedisOptions::new().edition(edition).start()?;
            Ok(Self { redis, postgres: joined(postgres)?, mariadb: joined(mariadb)?, newest })
        })
    }

    /// The Redis.
    pub fn redis(&self) -> &Redis {
        &self.redis
    }

    /// The PostgreSQL.
    pub fn postgres(&self) -> &Postgres {
        &self.postgres
    }

    /// The MariaDB.
    pub fn mariadb(&self) -> &MariaDb {
        &self.mariadb
    }

    /// The environment in which tests find them.
    pub fn environment(&self) -> [(&'static str, String); 4] {
        [
            (NEWEST, if self.newest { "yes".to_owned() } else { String::new() }),
            (REDIS_URL, self.redis.url()),
            (POSTGRES_URL, self.postgres.url("postgres")),
            (MARIADB_URL, self.mariadb.url("mysql")),
        ]
    }
}

fn joined<T>(starting: ScopedJoinHandle<'_, T>) -> T {
    starting.join().unwrap_or_else(|panic| resume_unwind(panic))
}
