//! The programs in `tools/` that need no more than to be built and run.

use crate::{
    cargo::{cargo, exit_code, workspace},
    interrupt,
};
use anyhow::{Context, Result};
use std::{env, ffi::OsString, process::ExitCode};

#[derive(Debug, clap::Args)]
#[command(disable_help_flag = true)]
pub(crate) struct Options {
    /// What the program is told; --help lists its options
    #[arg(trailing_var_arg = true, allow_hyphen_values = true, value_name = "OPTIONS")]
    options: Vec<OsString>,
}

/// Builds a package's program, in the profile named `dev` or `release`, and runs it in the folder of the caller. Passes
/// its exit code on.
pub(crate) fn run(package: &str, profile: &str, Options { options }: &Options) -> Result<ExitCode> {
    let mut tool = cargo(&["run", "--package", package, "--profile", profile, "--manifest-path"]);
    tool.arg(workspace().join("Cargo.toml")).arg("--").args(options);
    tool.current_dir(env::current_dir().context("could not tell the current folder")?);
    let status = tool.status().context("could not run cargo")?;
    interrupt::check()?;
    Ok(exit_code(status))
}
