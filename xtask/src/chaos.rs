//! `cargo xtask chaos`.

use crate::{
    cargo::{cargo, exit_code},
    interrupt,
};
use anyhow::{Context, Result, ensure};
use redstream_servers::{Package, ensure_installed};
use serde_json::Value;
use std::{
    path::PathBuf,
    process::{Command, ExitCode, Stdio},
};

const PROGRAM: &str = "redstream-chaos";

#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    /// How many schedules to run
    #[arg(long, default_value_t = 40)]
    schedules: usize,
    /// The seed of the first; the others follow it
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// How many run at a time
    #[arg(long, default_value_t = 6)]
    jobs: usize,
    /// Run with this deliberate defect, to see it caught
    #[arg(long, value_name = "NAME")]
    mutation: Option<String>,
    /// Run with each deliberate defect until it is caught, and print the table
    #[arg(long, conflicts_with_all = ["mutation", "schedules"])]
    mutations: bool,
    /// Print the events of schedules that pass, too
    #[arg(long)]
    events: bool,
}

/// Builds the harness, runs it, and passes its exit code on.
pub(crate) fn run(options: &Options) -> Result<ExitCode> {
    for package in [Package::RedisServer, Package::Postgres, Package::MariaDb] {
        ensure_installed(package)?;
    }
    let mut chaos = Command::new(build()?);
    chaos.args(["--seed", &options.seed.to_string(), "--jobs", &options.jobs.to_string()]);
    chaos.args(["--schedules", &options.schedules.to_string()]);
    if let Some(mutation) = &options.mutation {
        chaos.args(["--mutation", mutation]);
    }
    if options.mutations {
        chaos.arg("--mutations");
    }
    if options.events {
        chaos.arg("--events");
    }
    let status = chaos.status().context("could not run the chaos harness")?;
    interrupt::check()?;
    Ok(exit_code(status))
}

/// A quick set: 40 schedules that must pass, and a defect that must be caught. Whether both did as they should.
pub(crate) fn quick() -> Result<[bool; 2]> {
    let program = build()?;
    let passes = |arguments: &[&str]| -> Result<bool> {
        interrupt::check()?;
        let status = Command::new(&program).args(arguments).status().context("could not run the chaos harness")?;
        Ok(status.success())
    };
    let kept = passes(&["--schedules", "40", "--jobs", "8"])?;
    let caught =
        passes(&["--schedules", "40", "--jobs", "8", "--mutation", "trim-without-registry", "--until-caught"])?;
    Ok([kept, caught])
}

/// With the fail points, which nothing else is built with, and the other features of the whole workspace, so that what the
/// tests have built is not built again: a test target is named for the features that only tests have.
fn build() -> Result<PathBuf> {
    let features = format!("{PROGRAM}/chaos");
    let mut build = cargo(&["build", "--workspace", "--bin", PROGRAM, "--test", "servers", "--locked", "--quiet"]);
    build.args(["--message-format", "json-render-diagnostics", "--features", &features]);
    let built = build.stderr(Stdio::inherit()).output().context("could not run cargo")?;
    interrupt::check()?;
    ensure!(built.status.success(), "the chaos harness does not compile");
    let messages = String::from_utf8_lossy(&built.stdout).into_owned();
    let program = messages.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok()).find_map(|message| {
        let harness = message["target"]["name"] == PROGRAM;
        message["executable"].as_str().filter(|_| harness).map(PathBuf::from)
    });
    program.context("cargo does not tell where it put the chaos harness")
}
