//! A private MariaDB.

use crate::{
    Package, Result,
    account::Account,
    ensure_installed,
    port::{Port, on_a_free_port},
    postgres::find_tool,
    process::{Home, Server, run},
};
use rustix::process::Signal;
use std::path::PathBuf;

/// A private MariaDB, without durability. Dropping it kills it and removes its data.
#[derive(Debug)]
pub struct MariaDb {
    server: Server,
    program: PathBuf,
    port: Port,
}

impl MariaDb {
    /// Makes a new data directory, starts a server on it, and returns when it accepts
    /// connections. Run by root, the server runs as the user `mysql`.
    pub fn start() -> Result<Self> {
        on_a_free_port(Self::start_on)
    }

    fn start_on(port: Port) -> Result<Self> {
        let program = ensure_installed(Package::MariaDb)?;
        let account = Account::unless_ordinary("mysql")?;
        let server = Server::new("mariadbd", Home::new("mariadb", "KILL", account)?, Signal::KILL);
        let mut mariadb = Self { server, program, port };
        mariadb.make_system_tables()?;
        mariadb.launch()?;
        Ok(mariadb)
    }

    /// The address of one of its databases: `mysql://root@127.0.0.1:PORT/DATABASE`. The database
    /// `mysql` exists from the start.
    pub fn url(&self, database: &str) -> String {
        format!("mysql://root@127.0.0.1:{}/{database}", self.port)
    }

    /// Its port.
    pub fn port(&self) -> u16 {
        self.port.number()
    }

    /// Creates an empty database and returns its address.
    pub fn create_database(&self, name: &str) -> Result<String> {
        let client = find_tool(&self.program, "mariadb", "mariadb-client")?;
        let mut command = self.server.home().command(client);
        command
            .args(["--no-defaults", "--protocol=tcp", "--host=127.0.0.1"])
            .args(["--user=root", &format!("--port={}", self.port)])
            .arg(format!("--execute=CREATE DATABASE `{name}`"));
        run(&mut command)?;
        Ok(self.url(name))
    }

    fn make_system_tables(&self) -> Result<()> {
        let tool = find_tool(&self.program, "mariadb-install-db", "mariadb-server")?;
        let mut command = self.server.home().command(tool);
        command
            .args(["--no-defaults", "--skip-test-db"])
            .arg("--auth-root-authentication-method=normal")
            .arg(self.data_argument());
        run(&mut command)
    }

    fn launch(&mut self) -> Result<()> {
        let mut command = self.server.home().command(&self.program);
        command
            .arg("--no-defaults")
            .arg(self.data_argument())
            .args(["--bind-address=127.0.0.1", &format!("--port={}", self.port)])
            .args(["--socket=socket", "--pid-file=pid", "--skip-name-resolve"])
            .args(["--max-connections=500", "--skip-log-bin"])
            .args(["--character-set-server=utf8mb4", "--skip-innodb-doublewrite"])
            .arg("--innodb-flush-log-at-trx-commit=0")
            .args(["--innodb-flush-method=nosync", "--innodb-buffer-pool-size=64M"])
            // By default a statement waits a day for a table that another connection has locked.
            .arg("--lock-wait-timeout=30");
        self.server.start(&mut command, "ready for connections")
    }

    fn data_argument(&self) -> String {
        format!("--datadir={}/data", self.server.home().path().display())
    }
}
