//! `cargo xtask servers`.

use crate::interrupt;
use anyhow::Result;
use redstream_servers::Servers;
use std::process::ExitCode;

#[derive(Debug, Clone, Copy, Default, clap::Args)]
pub(crate) struct Editions {
    /// The newest servers to be had in place of the system's: Redis 8.2 and PostgreSQL 18, which are installed
    #[arg(long)]
    pub(crate) newest: bool,
}

/// The servers that all tests share. Fails if ctrl-C was pressed meanwhile.
pub(crate) fn start(Editions { newest }: Editions) -> Result<Servers> {
    let servers = if newest { Servers::newest() } else { Servers::start() };
    interrupt::check()?;
    Ok(servers?)
}

/// Starts the servers, prints their addresses, and ends them at ctrl-C.
pub(crate) fn run(options: Editions) -> Result<ExitCode> {
    let servers = start(options)?;
    for (variable, url) in servers.environment() {
        println!("export {variable}={url}");
    }
    eprintln!("running until ctrl-C");
    interrupt::wait();
    Ok(ExitCode::SUCCESS)
}
