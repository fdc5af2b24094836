//! Sustained load: writers as fast as this machine allows, all workers, two secondary datastores, and a restart every
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
mod pending;
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
#[command(bin_name = "cargo xtask load")]
struct Options {
    /// How long to write, in minutes
    #[arg(long, value_name = "MINUTES", default_value = "30", value_parser = minutes)]
    minutes: Duration,
    /// How often something is restarted, in seconds
    #[arg(long, value_name = "SECONDS", default_value_t = 60, value_parser = clap::value_parser!(u64).range(2..))]
    restart_every: u64,
    /// Instead: fill Redis with so many MiB of pending changes, restart it, rewrite its file, fail over, and consume
    /// all
    #[arg(long, value_name = "MIB", value_parser = clap::value_parser!(u64).range(1..), conflicts_with_all = ["minutes", "restart_every"])]
    pending: Option<u64>,
    /// Be one of the processes that the run starts; standard input says which.
    #[arg(long, hide = true)]
    child: bool,
}

#[tokio::main]
async fn main() -> anyhow::Result<ExitCode> {
    let options = Options::parse();
    if options.child {
        return children::live().await.map(|()| ExitCode::SUCCESS);
    }
    let passed = match options.pending {
        Some(mib) => pending::run(mib).await?,
        None => run::run(options.minutes, Duration::from_secs(options.restart_every)).await?,
    };
    Ok(if passed { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Reads the length of a run: at least 5 seconds.
fn minutes(text: &str) -> Result<Duration, String> {
    let minutes: f64 = text.parse().map_err(|error| format!("{error}"))?;
    let length = Duration::try_from_secs_f64(minutes * 60.0).map_err(|error| error.to_string())?;
    if length < Duration::from_secs(5) { Err("a run takes at least 5 seconds".to_owned()) } else { Ok(length) }
}
