//! A private PostgreSQL.

use crate::{
    Error, Package, Result,
    account::Account,
    ensure_installed, newest_are_wanted,
    port::{Port, on_a_free_port},
    process::{Home, Server, run},
    programs::find_beside,
};
use rustix::process::Signal;
use std::path::{Path, PathBuf};

/// A private PostgreSQL, without durability. Dropping it ends it and removes its data.
#[derive(Debug)]
pub struct Postgres {
    server: Server,
    program: PathBuf,
    port: Port,
}

impl Postgres {
    /// Makes a new database cluster, starts a server on it, and returns when it accepts connections: the system's, or
    /// [the newest](crate::NEWEST). Run by root, the server runs as the user `postgres`.
    pub fn start() -> Result<Self> {
        if newest_are_wanted() { Self::newest() } else { Self::of(Package::Postgres) }
    }

    /// The same with the newest available PostgreSQL, 18.
    pub fn newest() -> Result<Self> {
        // The system's package creates the account.
        ensure_installed(Package::Postgres)?;
        Self::of(Package::Postgres18)
    }

    fn of(package: Package) -> Result<Self> {
        let program = ensure_installed(package)?;
        on_a_free_port(|port| Self::start_on(port, program.clone()))
    }

    fn start_on(port: Port, program: PathBuf) -> Result<Self> {
        let account = Account::unless_ordinary("postgres")?;
        // SIGQUIT ends all its processes at once and, unlike SIGKILL, leaves no shared memory.
        let server = Server::new("postgres", Home::new("postgres", "QUIT", account)?, Signal::QUIT);
        let mut postgres = Self { server, program, port };
        postgres.make_cluster()?;
        postgres.launch()?;
        Ok(postgres)
    }

    /// The address of one of its databases: `postgres://postgres@127.0.0.1:PORT/DATABASE`. The
    /// database `postgres` exists from the start.
    pub fn url(&self, database: &str) -> String {
        format!("postgres://postgres@127.0.0.1:{}/{database}", self.port)
    }

    /// Its port.
    pub fn port(&self) -> u16 {
        self.port.number()
    }

    /// Creates an empty database and returns its address.
    pub fn create_database(&self, name: &str) -> Result<String> {
        let mut command = self.server.home().command(self.tool("createdb")?);
        let port = self.port.to_string();
        run(command.args(["-h", "127.0.0.1", "-U", "postgres", "-p", &port, name]))?;
        Ok(self.url(name))
    }

    fn make_cluster(&self) -> Result<()> {
        let mut command = self.server.home().command(self.tool("initdb")?);
        command
            .arg("--pgdata")
            .arg(self.data())
            .args(["--username=postgres", "--auth=trust", "--no-sync"])
            .args(["--encoding=UTF8", "--locale=C"]);
        run(&mut command)
    }

    fn launch(&mut self) -> Result<()> {
        let mut command = self.server.home().command(&self.program);
        command.arg("-D").arg(self.data());
        for setting in [
            &format!("port={}", self.port),
            "listen_addresses=127.0.0.1",
            "unix_socket_directories=",
            "max_connections=500",
            "fsync=off",
            "full_page_writes=off",
            "synchronous_commit=off",
        ] {
            command.args(["-c", setting]);
        }
        self.server.start(&mut command, "ready to accept connections")
    }

    fn data(&self) -> PathBuf {
        self.server.home().path().join("data")
    }

    fn tool(&self, name: &str) -> Result<PathBuf> {
        find_tool(&self.program, name, "postgresql")
    }
}

/// Finds a tool that belongs to the server `program`.
pub(crate) fn find_tool(program: &Path, name: &str, package: &str) -> Result<PathBuf> {
    find_beside(program, name).ok_or_else(|| Error::Missing {
        program: name.to_owned(),
        tried: format!("it is neither beside {} nor on the PATH", program.display()),
        advice: format!("see that the package {package} is installed in full"),
    })
}
