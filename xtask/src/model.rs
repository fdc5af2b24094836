//! `cargo xtask model`.

use crate::{
    cargo::{cargo, exit_code},
    interrupt,
};
use anyhow::{Context, Result};
use std::process::ExitCode;

#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    /// Print the steps of each counterexample
    #[arg(long)]
    traces: bool,
}

/// Builds the models, checks them, and passes the exit code on.
pub(crate) fn run(options: &Options) -> Result<ExitCode> {
    let mut check = cargo(&["run", "--quiet", "--package", "redstream-model", "--"]);
    let status = check.args(options.traces.then_some("--traces")).status().context("could not run cargo")?;
    interrupt::check()?;
    Ok(exit_code(status))
}
