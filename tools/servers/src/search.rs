//! A private server that speaks the protocol of `OpenSearch` or of `Elasticsearch`.

use crate::{
    Package, Result, ensure_installed,
    port::{Port, on_a_free_port},
    process::{Home, Server},
};
use rustix::process::Signal;
use std::process::Command;

/// Which server, and with it whose protocol.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum SearchEdition {
    /// osmem-server: `OpenSearch` 3.
    OpenSearch,
    /// noida-db: `Elasticsearch` 8.
    Elasticsearch,
}

impl SearchEdition {
    /// Both.
    pub const ALL: [Self; 2] = [Self::OpenSearch, Self::Elasticsearch];
}

/// A private search server, which keeps everything in memory. Dropping it kills it.
///
/// None is among the [shared servers](crate::Servers): each takes tens of megabytes, and few tests need one.
#[derive(Debug)]
pub struct Search {
    server: Server,
    edition: SearchEdition,
    port: Port,
}

impl Search {
    /// Starts a server and returns when it accepts requests.
    pub fn start(edition: SearchEdition) -> Result<Self> {
        on_a_free_port(|port| {
            let server = Server::new("search", Home::new("search", "KILL", None)?, Signal::KILL);
            let mut search = Self { server, edition, port };
            search.launch()?;
            Ok(search)
        })
    }

    /// `http://127.0.0.1:PORT`.
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// Its port.
    pub fn port(&self) -> u16 {
        self.port.number()
    }

    fn launch(&mut self) -> Result<()> {
        let (mut command, ready) = match self.edition {
            SearchEdition::OpenSearch => self.osmem()?,
            SearchEdition::Elasticsearch => self.noida()?,
        };
        self.server.start(&mut command, ready)
    }

    fn osmem(&self) -> Result<(Command, &'static str)> {
        let mut command = self.server.home().command(ensure_installed(Package::Osmem)?);
        command.arg("-addr").arg(format!("127.0.0.1:{}", self.port)).args(["-no-ja", "-no-stdin-watch"]);
        Ok((command, "\"url\""))
    }

    fn noida(&self) -> Result<(Command, &'static str)> {
        let data = self.server.home().path().join(format!("data-{}", self.port));
        let mut command = self.server.home().command(ensure_installed(Package::Noida)?);
        command.arg("start").arg("--data-dir").arg(data);
        command.args(["--only", "elasticsearch", "--elasticsearch-port", &self.port.to_string()]);
        Ok((command, "press Ctrl-C to stop"))
    }
}
