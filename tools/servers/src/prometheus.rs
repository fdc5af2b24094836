//! A private Prometheus.

use crate::{
    Error, Package, Result, ensure_installed,
    port::{Port, on_a_free_port},
    process::{Home, Server},
    programs::find_beside,
};
use rustix::process::Signal;
use std::{fs, path::PathBuf};

/// A private Prometheus. Dropping it kills it and removes its data.
#[derive(Debug)]
pub struct Prometheus {
    // Killed when it is dropped.
    _server: Server,
    port: Port,
}

impl Prometheus {
    /// Starts a server with these files: `prometheus.yml`, and `rules.yml` beside it. Returns when it accepts requests.
    pub fn start(config: &str, rules: &str) -> Result<Self> {
        on_a_free_port(|port| Self::start_on(port, config, rules))
    }

    fn start_on(port: Port, config: &str, rules: &str) -> Result<Self> {
        let program = ensure_installed(Package::Prometheus)?;
        let mut server = Server::new("prometheus", Home::new("prometheus", "KILL", None)?, Signal::KILL);
        let home = server.home().path();
        for (name, text) in [("prometheus.yml", config), ("rules.yml", rules)] {
            let file = home.join(name);
            fs::write(&file, text).map_err(Error::io(format!("write {}", file.display())))?;
        }
        let mut command = server.home().command(program);
        command
            .args(["--config.file=prometheus.yml", "--storage.tsdb.path=data", "--storage.tsdb.retention.time=1d"])
            .arg(format!("--web.listen-address=127.0.0.1:{port}"));
        server.start(&mut command, "Server is ready to receive web requests")?;
        Ok(Self { _server: server, port })
    }

    /// `http://127.0.0.1:PORT`.
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// `promtool`, which checks and tests rules.
    pub fn promtool() -> Result<PathBuf> {
        let prometheus = ensure_installed(Package::Prometheus)?;
        find_beside(&prometheus, "promtool").ok_or_else(|| Error::Missing {
            program: "promtool".to_owned(),
            tried: format!("it is not beside {}", prometheus.display()),
            advice: "install the package that brings it (Debian: prometheus, Homebrew: prometheus)".to_owned(),
        })
    }
}
