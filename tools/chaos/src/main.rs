//! Thousands of crashes, and not one lost change: runs schedules of real processes, real servers and real faults, and checks
//! afterwards that every law held. Started by `cargo xtask chaos`.

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
mod mutations;
mod place;
mod processes;
mod relay;
mod report;
mod run;
mod schedule;
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

use std::process::ExitCode;
use std::thread;

use anyhow::{Result, anyhow, bail};
use clap::{Parser, Subcommand};
use redstream_servers::{MariaDb, Postgres};

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
    /// How many run at a time
    #[arg(long, default_value_t = 6)]
    jobs: usize,
    /// Run with this deliberate defect
    #[arg(long)]
    mutation: Option<String>,
    /// Run with each deliberate defect until it is caught, 200 schedules at the most
    #[arg(long)]
    mutations: bool,
    /// With a deliberate defect: stop when it is caught, and fail where it is not
    #[arg(long, requires = "mutation")]
    until_caught: bool,
    /// Print the events of schedules that pass, too
    #[arg(long)]
    events: bool,
    #[command(subcommand)]
    part: Option<Part>,
}

#[derive(Debug, Subcommand)]
enum Part {
    /// A process of a schedule
    #[command(hide = true)]
    Child,
}

/// Schedules a defect has to be caught in.
const BOUND: usize = 200;

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

/// Runs the schedules. Whether all was as it has to be.
fn lead(options: &Options) -> Result<bool> {
    let (postgres, mariadb) = thread::scope(|scope| {
        let postgres = scope.spawn(Postgres::start);
        let mariadb = MariaDb::start();
        (postgres.join(), mariadb)
    });
    let postgres = postgres.map_err(|_| anyhow!("the thread that started PostgreSQL panicked"))??;
    let mariadb = mariadb?;
    let shared = Shared::new(&postgres, &mariadb);
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
    if options.mutations {
        return mutations::table(options, BOUND, shared).await;
    }
    if let Some(defect) = options.mutation.as_ref().filter(|_| options.until_caught) {
        let (schedules, caught) = batch::until_caught(options, defect, options.schedules, shared).await?;
        let outcome = if caught.is_some() { "caught by schedule" } else { "not caught within" };
        println!("defect {defect}: {outcome} {schedules}");
        return Ok(caught.is_some());
    }
    let report = batch::all(options, shared).await?;
    println!("{report}");
    Ok(report.passed())
}
