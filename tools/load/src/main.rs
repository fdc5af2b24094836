//! Sustained load: writers as fast as this machine can follow, all workers, two secondary datastores, and a restart every
//! minute. In the end both datastores are compared with the primary database, row by row.
//!
//! Run it with `cargo xtask load`. The processes that it starts (two writers, two hosts of workers) are this same
//! program; see [`children`].

mod cache;
mod children;
mod comparison;
mod crew;
mod figures;
mod item;
mod reports;
mod restarts;
mod run;
mod sample;
mod site;
mod words;
mod workers;
mod writer;

use std::process::ExitCode;
use std::time::Duration;

use clap::Parser;

/// Writes as fast as all workers can follow, restarts something every minute, and compares the datastores in the end.
#[derive(Debug, Parser)]
#[command(name = "load")]
struct Options {
    /// How long to write, in seconds
    #[arg(long, value_name = "SECONDS", default_value_t = 1800, value_parser = clap::value_parser!(u64).range(5..))]
    seconds: u64,
    /// How often something is restarted, in seconds
    #[arg(long, value_name = "SECONDS", default_value_t = 60, value_parser = clap::value_parser!(u64).range(2..))]
    restart_every: u64,
    /// Be one of the processes that the run starts; standard input says which.
    #[arg(long, hide = true)]
    child: bool,
}

#[tokio::main]
async fn main() -> ExitCode {
    let options = Options::parse();
    let outcome = if options.child {
        children::live().await.map(|()| true)
    } else {
        run::run(Duration::from_secs(options.seconds), Duration::from_secs(options.restart_every)).await
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
