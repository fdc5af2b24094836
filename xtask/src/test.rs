//! `cargo xtask test`: every test, against private servers.

use crate::{
    cargo::{build_directory, cargo, has_nextest, workspace},
    chaos,
    counts::Counts,
    demo, interrupt, servers,
};
use anyhow::{Context, Result};
use redstream_servers::Servers;
use std::{
    fs,
    process::{Command, ExitCode, Stdio},
    time::SystemTime,
};

#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    /// Run only the tests whose names contain this
    filter: Option<String>,
    #[command(flatten)]
    servers: servers::Editions,
    /// Arguments for the test binaries, such as --nocapture
    #[arg(last = true)]
    arguments: Vec<String>,
}

/// Runs the tests and, unless they are filtered, the doctests, a short demo and a quick set of crashes. Stops after the
/// first of the four that fails. The last line it prints counts what passed and what failed.
pub(crate) fn run(options: &Options) -> Result<ExitCode> {
    let servers = servers::start(options.servers)?;
    let mut outcome = tests(&servers, options)?;
    if options.filter.is_none() {
        outcome = outcome.and_then(|| doctests(&servers))?.and_then(short_demo)?.and_then(chaos)?;
    }
    drop(servers);
    println!("{}", outcome.counts);
    Ok(if outcome.passed { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// How a step, or all steps so far, ended. A step can fail without a failed test: if the build failed.
#[derive(Debug)]
struct Outcome {
    passed: bool,
    counts: Counts,
}

impl Outcome {
    /// If all passed so far, runs the next step and adds its counts.
    fn and_then(self, step: impl FnOnce() -> Result<Self>) -> Result<Self> {
        interrupt::check()?;
        if !self.passed {
            return Ok(self);
        }
        let Self { passed, counts } = step()?;
        Ok(Self { passed, counts: self.counts + counts })
    }
}

fn tests(servers: &Servers, options: &Options) -> Result<Outcome> {
    if has_nextest() { tests_by_nextest(servers, options) } else { tests_by_cargo(servers, options) }
}

fn tests_by_nextest(servers: &Servers, options: &Options) -> Result<Outcome> {
    let begun = SystemTime::now();
    // Not `--examples`: each of them is a test as well, and would be built twice.
    let mut command = cargo(&["nextest", "run", "--workspace", "--tests", "--bins"]);
    add_options(&mut command, options);
    let status = command.envs(servers.environment()).status().context("could not run cargo")?;
    Ok(Outcome { passed: status.success(), counts: nextest_counts(begun)? })
}

/// Reads the report of a run that began at that time. There is none if nothing could be built.
fn nextest_counts(begun: SystemTime) -> Result<Counts> {
    // At this path, wherever cargo's own target directory is.
    let report = workspace().join("target/nextest/default/junit.xml");
    let written = fs::metadata(&report).and_then(|report| report.modified());
    if written.is_ok_and(|written| written >= begun) {
        let text = fs::read_to_string(&report).with_context(|| format!("could not read {}", report.display()))?;
        return Ok(Counts::of_junit(&text));
    }
    Ok(Counts::default())
}

fn tests_by_cargo(servers: &Servers, options: &Options) -> Result<Outcome> {
    let mut command = cargo(&["test", "--workspace", "--no-fail-fast", "--tests", "--bins"]);
    add_options(&mut command, options);
    // More threads than cores, since most tests wait.
    libtest(command.env("RUST_TEST_THREADS", "6"), servers)
}

fn doctests(servers: &Servers) -> Result<Outcome> {
    libtest(&mut cargo(&["test", "--doc", "--workspace"]), servers)
}

/// Runs tests that report as Rust's own runner does, and counts them.
fn libtest(command: &mut Command, servers: &Servers) -> Result<Outcome> {
    let mut child =
        command.envs(servers.environment()).stdout(Stdio::piped()).spawn().context("could not run cargo")?;
    let output = child.stdout.take().context("cargo has no output")?;
    let counts = Counts::echo_libtest(output)?;
    let status = child.wait().context("could not wait for cargo")?;
    Ok(Outcome { passed: status.success(), counts })
}

/// The demo on few cities, with either index, in the build that the tests have just made.
fn short_demo() -> Result<Outcome> {
    // The same packages and targets as the tests, so that features are the same, and nothing is
    // built a second time.
    let build = cargo(&["build", "--quiet", "--workspace", "--tests", "--bins"]).status();
    if !build.context("could not run cargo")?.success() {
        return Ok(Outcome { passed: false, counts: Counts::one(false) });
    }
    let program = build_directory()?.join("demo");
    let mut outcome = Outcome { passed: true, counts: Counts::default() };
    for options in [demo::Options::short(), demo::Options::short_swap()] {
        outcome = outcome.and_then(|| {
            let passed = demo::succeeds(&program, &options)?;
            Ok(Outcome { passed, counts: Counts::one(passed) })
        })?;
    }
    Ok(outcome)
}

/// Schedules of crashes, and a deliberate defect that they must catch.
fn chaos() -> Result<Outcome> {
    let [kept, caught] = chaos::quick()?;
    Ok(Outcome { passed: kept && caught, counts: Counts::one(kept) + Counts::one(caught) })
}

fn add_options(command: &mut Command, options: &Options) {
    command.args(&options.filter);
    if !options.arguments.is_empty() {
        command.arg("--").args(&options.arguments);
    }
}
