//! Measures every path of Redstream and its limit, on private servers of this machine. `cargo xtask bench` builds it in
//! release and runs it.

#![allow(clippy::cast_precision_loss, reason = "figures are printed with few digits")]

mod city;
mod consuming;
mod cost;
mod curve;
mod curves;
mod database;
mod fill;
mod index;
mod key;
mod load;
mod place;
mod product;
mod report;
mod rounds;
mod row;
mod rows;
mod saving;
mod socket;
mod statistics;
mod subjects;
mod yardstick;

use anyhow::{Context, Result};
use clap::Parser;
use place::Place;
use report::table;
use rows::handing_over::killed;
use stats_alloc::{INSTRUMENTED_SYSTEM, StatsAlloc};
use std::alloc::System;
use std::path::PathBuf;
use std::process::ExitCode;
use subjects::Measured;

/// Counts what this process allocates.
#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

/// Measures every path of Redstream beside its limit.
#[derive(Debug, Parser)]
#[command(bin_name = "cargo xtask bench")]
struct Options {
    /// What to measure [default: all]; an unknown name lists those that there are
    names: Vec<String>,
    /// Write the rows of the table to this file, as JSON
    #[arg(long)]
    json: Option<PathBuf>,
    /// Fewer rounds of less work: about a minute
    #[arg(long)]
    quick: bool,
    /// Write the figures into the workspace's README.md and docs/, and draw the plot
    #[arg(long)]
    write_docs: bool,
    /// Be a process that holds locks until it is killed; standard input says at which Redis
    #[arg(long, hide = true)]
    victim: bool,
}

#[tokio::main]
async fn main() -> Result<ExitCode> {
    let options = Options::parse();
    if options.victim {
        return killed::be_victim().await.map(|()| ExitCode::SUCCESS);
    }
    let place = Place::start(options.quick)?;
    let (mut rows, mut curves, mut failed) = (Vec::new(), Vec::new(), Vec::new());
    let subjects = subjects::named(&options.names)?;
    for subject in &subjects {
        eprintln!("{} …", subject.name);
        match subject.measure(&place).await {
            Ok(Measured::Rows(measured)) => {
                table::print(&measured);
                rows.extend(measured);
            }
            Ok(Measured::Curve(curve)) => {
                table::print_curve(&curve);
                curves.push(curve);
            }
            // What is measured already took many minutes.
            Err(error) => {
                eprintln!("{} failed: {error:#}", subject.name);
                failed.push(subject);
            }
        }
    }
    if let Some(file) = &options.json {
        std::fs::write(file, serde_json::to_string_pretty(&rows)?).with_context(|| format!("{}", file.display()))?;
    }
    if options.write_docs {
        let command =
            std::env::args().skip(1).fold("cargo xtask bench".to_owned(), |all, word| format!("{all} {word}"));
        // The table is of one run; a partial run must not overwrite it.
        let are_complete = subjects::has_all_rows(&subjects) && !failed.iter().any(|subject| subject.has_rows());
        let rows: &[row::Row] = if are_complete { &rows } else { &[] };
        report::docs::write(rows, &curves, &command)?;
    }
    Ok(if failed.is_empty() && rows.iter().all(|row| row.pass) { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
