//! `cargo xtask chaos`.

mod build;
mod defect;
mod sources;

use crate::{cargo::exit_code, interrupt};
use anyhow::{Context, Result, bail};
use defect::Defect;
use redstream_servers::{Package, ensure_installed};
use serde_json::Value;
use std::{
    path::Path,
    process::{Command, ExitCode, Stdio},
    time::Instant,
};

#[derive(Clone, Debug, clap::Args)]
pub(crate) struct Options {
    /// How many schedules to run [default: 40; with a defect, 200 at the most]
    #[arg(long)]
    schedules: Option<usize>,
    /// The seed of the first; the others follow it
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Leave out the schedules of other kinds
    #[arg(long, value_enum)]
    only: Option<Only>,
    /// How many run at a time
    #[arg(long, default_value_t = 6)]
    jobs: usize,
    /// Run with this deliberate defect until it is caught, and print its row of the table
    #[arg(long, value_name = "NAME")]
    mutation: Option<String>,
    /// Run with each deliberate defect until it is caught, and print the table
    #[arg(long, conflicts_with = "mutation")]
    mutations: bool,
    /// Print the events of schedules that pass, too; with a defect, of the one that caught it
    #[arg(long)]
    events: bool,
}

/// A kind of schedules.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Only {
    /// Those with a search index
    Search,
}

/// How many schedules have to catch a defect.
const BOUND: usize = 200;

/// Builds the harness and runs it: without a defect, or with each that is asked for.
pub(crate) fn run(options: &Options) -> Result<ExitCode> {
    for package in [Package::RedisServer, Package::Postgres, Package::MariaDb, Package::Osmem] {
        ensure_installed(package)?;
    }
    if options.mutations {
        return table(options, &Defect::all()?);
    }
    if let Some(name) = &options.mutation {
        return table(options, &[Defect::named(name)?]);
    }
    let status = harness(options, 40)?.status().context("could not run the chaos harness")?;
    interrupt::check()?;
    Ok(exit_code(status))
}

/// A quick set: 40 schedules that must pass, and a defect that must be caught. Returns whether both did.
pub(crate) fn quick() -> Result<[bool; 2]> {
    let options =
        Options { schedules: Some(40), seed: 1, only: None, jobs: 8, mutation: None, mutations: false, events: false };
    let mut harness = harness(&options, 40)?;
    let kept = harness.status().context("could not run the chaos harness")?.success();
    interrupt::check()?;
    let defect = Defect::named("trim-without-registry")?;
    let caught = hunt(&options, harness.get_program().as_ref(), &defect)?;
    println!("{}", caught.row());
    Ok([kept, caught.by.is_some()])
}

/// The harness without a defect, built, with the options that it shares with this command.
fn harness(options: &Options, schedules: usize) -> Result<Command> {
    Ok(command(&build::harness()?, options, schedules))
}

fn command(program: &Path, options: &Options, schedules: usize) -> Command {
    let mut command = Command::new(program);
    command.args(["--seed", &options.seed.to_string(), "--jobs", &options.jobs.to_string()]);
    command.args(["--schedules", &options.schedules.unwrap_or(schedules).to_string()]);
    if options.events {
        command.arg("--events");
    }
    if options.only == Some(Only::Search) {
        command.args(["--only", "search"]);
    }
    command
}

/// Prints a row for each defect. Fails if one was not caught.
fn table(options: &Options, defects: &[Defect]) -> Result<ExitCode> {
    // Before anything is built: a patch that does not apply any more.
    for defect in defects {
        defect.patched()?;
    }
    let harness = build::harness()?;
    println!("| law | defect | schedules until caught | what caught it |\n|---|---|---|---|");
    let mut missed = false;
    for defect in defects {
        let caught = hunt(options, &harness, defect)?;
        println!("{}", caught.row());
        missed |= caught.by.is_none();
    }
    Ok(if missed { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

/// The result of a defect.
struct Caught<'a> {
    defect: &'a Defect,
    schedules: u64,
    /// The kinds of breach by which a schedule caught it, if one did.
    by: Option<String>,
}

impl Caught<'_> {
    fn row(&self) -> String {
        let Self { defect: Defect { law, name, .. }, schedules, by } = self;
        format!("| {law} | `{name}` | {schedules} | {} |", by.as_deref().unwrap_or("**not caught**"))
    }
}

/// Builds the programs with a defect, and runs schedules of them until one catches it. The harness itself has none.
fn hunt<'a>(options: &Options, harness: &Path, defect: &'a Defect) -> Result<Caught<'a>> {
    let begun = Instant::now();
    let program = build::mutant(defect)?;
    let (built, begun) = (begun.elapsed().as_secs(), Instant::now());
    let only = options.only.or(defect.only);
    let mut hunt = command(harness, &Options { only, ..options.clone() }, BOUND);
    hunt.arg("--until-caught").arg("--program").arg(program).args(["--mutation", &defect.name]);
    let output = hunt.stderr(Stdio::inherit()).output().context("could not run the chaos harness")?;
    interrupt::check()?;
    let text = String::from_utf8_lossy(&output.stdout);
    let Some(result) = text.lines().last().and_then(|line| serde_json::from_str::<Value>(line).ok()) else {
        bail!("the chaos harness failed with the defect {}: {}", defect.name, output.status);
    };
    eprintln!("{}: built in {built} s, run for {} s", defect.name, begun.elapsed().as_secs());
    let by = result["caught_by"].as_str().map(str::to_owned);
    Ok(Caught { defect, schedules: result["schedules"].as_u64().unwrap_or_default(), by })
}
