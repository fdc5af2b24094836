//! `cargo xtask book`.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context as _, Result};
use clap::Parser;
use redstream_cargo::workspace;
use tracing_subscriber::EnvFilter;

/// Builds the book of docs/, and checks its links.
#[derive(Debug, Parser)]
#[command(bin_name = "cargo xtask book")]
struct Options {
    /// The folder to write it to [default: target/book]
    #[arg(long, value_name = "FOLDER")]
    to: Option<PathBuf>,
}

fn main() -> Result<ExitCode> {
    let Options { to } = Options::parse();
    tracing_subscriber::fmt().with_env_filter(EnvFilter::new("warn")).with_writer(std::io::stderr).init();
    let root = workspace().canonicalize().context("could not find the root of the repository")?;
    let to = to.map_or_else(|| Ok(root.join("target/book")), std::path::absolute);
    let to = to.context("could not tell the current folder")?;
    let faults = redstream_book::build(&root, &to)?;
    for fault in &faults {
        eprintln!("error: {fault}");
    }
    println!("{}", to.join("index.html").display());
    Ok(if faults.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
