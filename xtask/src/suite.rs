//! `cargo xtask seaorm-suite`.

use crate::{
    cargo::{cargo, exit_code},
    interrupt,
};
use anyhow::{Context, Result};
use std::process::ExitCode;

#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    /// Run on MariaDB too
    #[arg(long)]
    mariadb: bool,
    /// Only with their entities streamed: half of the builds, which take most of the time
    #[arg(long)]
    streamed: bool,
}

/// Builds the program, runs it, and passes its exit code on.
pub(crate) fn run(options: &Options) -> Result<ExitCode> {
    let mut suite = cargo(&["run", "--quiet", "--package", "redstream-seaorm-suite", "--"]);
    for (flag, given) in [("--mariadb", options.mariadb), ("--streamed", options.streamed)] {
        suite.args(given.then_some(flag));
    }
    let status = suite.status().context("could not run cargo")?;
    interrupt::check()?;
    Ok(exit_code(status))
}
