//! `cargo xtask load`.

use crate::{
    cargo::{cargo, exit_code},
    interrupt,
};
use anyhow::{Context, Result};
use redstream_servers::{Package, ensure_installed};
use std::process::ExitCode;

#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    /// How long to write
    #[arg(long, value_name = "MINUTES", default_value_t = 30)]
    minutes: u64,
}

/// Builds the load in release, runs it, and passes its exit code on.
pub(crate) fn run(options: &Options) -> Result<ExitCode> {
    for package in [Package::RedisServer, Package::Postgres] {
        ensure_installed(package)?;
    }
    let mut load = cargo(&["run", "--release", "--package", "redstream-load", "--", "--seconds"]);
    let status = load.arg((options.minutes * 60).to_string()).status().context("could not run cargo")?;
    interrupt::check()?;
    Ok(exit_code(status))
}
