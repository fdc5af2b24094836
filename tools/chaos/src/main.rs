//! Runs schedules of real processes, real servers and real faults, and checks
//! afterwards that every law held. Started by `cargo xtask chaos`.

#[cfg(not(redstream_chaos))]
compile_error!("without `--cfg redstream_chaos` the crates have no failpoints: build it by `cargo xtask chaos`");

mod batch;
mod calm;
mod carrier;
mod checks;
mod child;
mod connect;
mod database;
mod faults;
mod item;
mod keys;
mod kind;
mod log;
mod monitor;
mod older;
mod place;
mod processes;
mod relay;
mod report;
mod run;
mod schedule;
mod search;
mod shared;
mod sink;
mod site;
mod stage;
mod trap;
mod verdict;
mod words;
mod workers;
mod workload;
mod writer;

use std::path::PathBuf;
use std::process::ExitCode;
use std::thread;

use anyhow::{Result, anyhow, bail};
use clap::{Parser, Subcommand, ValueEnum};
use redstream_servers::{MariaDb, Postgres, Search, SearchEdition};
use serde_json::json;

use crate::shared::Shared;

#[derive(Debug, Parser)]
#[command(bin_name = "cargo xtask chaos")]
struct Options {
    /// How many schedules to run
    #[arg(long, default_value_t = 40)]
    schedules: usize,
    /// The seed of the first; the others follow it
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Leave out the schedules of other kinds
    #[arg(long, value_enum)]
    only: Option<Only>,
    /// How many run at a time
    #[arg(long, default_value_t = 6)]
    jobs: usize,
    /// The program of the schedules' processes, if it is not this one: a build with a deliberate defect
    #[arg(long, value_name = "PATH")]
    program: Option<PathBuf>,
    /// The name of the defect that the program has
    #[arg(long, value_name = "NAME", requires = "program")]
    mutation: Option<String>,
    /// Stop after the first schedule that finds a breach, print the result as JSON, and fail if there is none
    #[arg(long)]
    until_caught: bool,
    /// Print the events of schedules that pass, too
    #[arg(long)]
    events: bool,
    #[command(subcommand)]
    part: Option<Part>,
}

/// A kind of schedules.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum Only {
    /// Those with a search index
    Search,
}

#[derive(Debug, Subcommand)]
enum Part {
    /// A process of a schedule
    #[command(hide = true)]
    Child,
}

fn main() -> ExitCode {
    let options = Options::parse();
    let outcome = match options.part {
        Some(Part::Child) => child::live().map(|()| true),
        None => lead(&options),
    };
    match outcome {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// Runs the schedules. Returns whether all passed.
fn lead(options: &Options) -> Result<bool> {
    let (postgres, search, mariadb) = thread::scope(|scope| {
        let postgres = scope.spawn(Postgres::start);
        let search = scope.spawn(|| Search::start(SearchEdition::OpenSearch));
        let mariadb = MariaDb::start();
        (postgres.join(), search.join(), mariadb)
    });
    let postgres = postgres.map_err(|_| anyhow!("the thread that started PostgreSQL panicked"))??;
    let search = search.map_err(|_| anyhow!("the thread that started the search server panicked"))??;
    let mariadb = mariadb?;
    let program = options.program.clone().map_or_else(std::env::current_exe, Ok)?;
    let shared = Shared::new(&postgres, &mariadb, &search, program);
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    runtime.block_on(async {
        tokio::select! {
            passed = act(options, &shared) => passed,
            _ = tokio::signal::ctrl_c() => bail!("interrupted"),
        }
    })
}

async fn act(options: &Options, shared: &Shared) -> Result<bool> {
    shared.prepare().await?;
    if options.until_caught {
        let (schedules, caught) = batch::until_caught(options, shared).await?;
        if let Some(outcome) = caught.as_ref().filter(|_| options.events) {
            eprintln!("{}", report::failure(outcome, options.mutation.as_deref()));
        }
        println!("{}", json!({ "schedules": schedules, "caught_by": caught.as_ref().map(report::kinds) }));
        return Ok(caught.is_some());
    }
    let report = batch::all(options, shared).await?;
    println!("{report}");
    Ok(report.passed())
}
