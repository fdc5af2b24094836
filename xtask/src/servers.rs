//! The servers that all tests share.

use crate::interrupt;
use anyhow::{Result, anyhow};
use redstream_servers::{
    Client, MariaDb, NEWEST, Package, Postgres, Redis, RedisEdition, RedisOptions, ensure_installed,
};
use std::{
    process::ExitCode,
    thread::{self, ScopedJoinHandle},
};

/// One Redis, one PostgreSQL and one MariaDB, which end when this is dropped.
#[derive(Debug)]
pub(crate) struct Servers {
    redis: Redis,
    postgres: Postgres,
    mariadb: MariaDb,
    newest: bool,
}

#[derive(Debug, Clone, Copy, Default, clap::Args)]
pub(crate) struct Editions {
    /// The newest servers to be had in place of the system's: Redis 8.2 and PostgreSQL 18, which are installed
    #[arg(long)]
    pub(crate) newest: bool,
}

impl Servers {
    /// Installs what is missing, the editions of Redis that single tests start and the clients of other languages included, and
    /// starts the three.
    pub(crate) fn start(Editions { newest }: Editions) -> Result<Self> {
        // One after the other, so that two package managers never meet, nor their messages.
        for package in Package::ALL {
            ensure_installed(package)?;
            interrupt::check()?;
        }
        // Tests that start at once then find them installed.
        for client in Client::ALL {
            client.command()?;
            interrupt::check()?;
        }
        thread::scope(|scope| {
            let postgres = scope.spawn(if newest { Postgres::newest } else { Postgres::start });
            let mariadb = scope.spawn(MariaDb::start);
            let edition = if newest { RedisEdition::newest()? } else { RedisEdition::System };
            let redis = RedisOptions::new().edition(edition).start()?;
            Ok(Self { redis, postgres: joined(postgres)?, mariadb: joined(mariadb)?, newest })
        })
    }

    /// The environment in which the tests find them.
    pub(crate) fn environment(&self) -> [(&'static str, String); 4] {
        [
            (NEWEST, if self.newest { "yes".to_owned() } else { String::new() }),
            ("REDSTREAM_TEST_REDIS_URL", self.redis.url()),
            ("REDSTREAM_TEST_POSTGRES_URL", self.postgres.url("postgres")),
            ("REDSTREAM_TEST_MARIADB_URL", self.mariadb.url("mysql")),
        ]
    }

    /// One of these addresses.
    pub(crate) fn url(&self, variable: &str) -> String {
        self.environment().into_iter().find(|(name, _)| *name == variable).map(|(_, url)| url).unwrap_or_default()
    }
}

/// `cargo xtask servers`.
pub(crate) fn run(options: Editions) -> Result<ExitCode> {
    let servers = Servers::start(options)?;
    for (variable, url) in servers.environment() {
        println!("export {variable}={url}");
    }
    eprintln!("running until ctrl-C");
    interrupt::wait();
    Ok(ExitCode::SUCCESS)
}

fn joined<T>(starting: ScopedJoinHandle<'_, redstream_servers::Result<T>>) -> Result<T> {
    let started = starting.join().map_err(|_| anyhow!("the thread that started a server panicked"))?;
    Ok(started?)
}
