//! `cargo xtask bench`.

use crate::{
    cargo::{cargo, exit_code},
    interrupt,
};
use anyhow::{Context, Result};
use std::{
    path::{PathBuf, absolute},
    process::ExitCode,
};

#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    /// What to measure [default: all of it]; an unknown name lists those that there are
    names: Vec<String>,
    /// Write the rows of the table to this file, as JSON
    #[arg(long)]
    json: Option<PathBuf>,
    /// Measure less of everything: about a minute
    #[arg(long)]
    quick: bool,
    /// Write the figures into README.md and docs/, and draw the plot
    #[arg(long)]
    write_docs: bool,
}

/// Builds the benchmark in release, runs it, and passes its exit code on: 0 where every floor was reached.
pub(crate) fn run(options: &Options) -> Result<ExitCode> {
    let mut bench = cargo(&["run", "--release", "--package", "redstream-bench", "--"]);
    bench.args(&options.names);
    if let Some(file) = &options.json {
        bench.arg("--json").arg(absolute(file).context("could not make the JSON file's path absolute")?);
    }
    for (flag, given) in [("--quick", options.quick), ("--write-docs", options.write_docs)] {
        if given {
            bench.arg(flag);
        }
    }
    let status = bench.status().context("could not run cargo")?;
    interrupt::check()?;
    Ok(exit_code(status))
}
