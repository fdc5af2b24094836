//! `cargo xtask seaorm-suite`: SeaORM's own tests, unchanged, through Redstream's connection.

mod database;
mod left_out;
mod messages;
mod modules;
mod outcome;
mod sources;
mod streamed;
mod variant;

use crate::{counts::Counts, interrupt, servers::Servers};
use anyhow::Result;
use database::Database;
use sources::Package;
use std::process::ExitCode;
use variant::Variant;

#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    /// Run on MariaDB too
    #[arg(long)]
    mariadb: bool,
    /// Only with their entities streamed: half of the builds, which take most of the time
    #[arg(long)]
    streamed: bool,
}

/// Runs them on each database, once with their entities as they are and once with them streamed. The last line it prints
/// counts what passed and what failed.
pub(crate) fn run(options: &Options) -> Result<ExitCode> {
    let package = Package::find()?;
    let servers = Servers::start(crate::servers::Editions::default())?;
    let mut databases = vec![Database::Sqlite, Database::Postgres];
    databases.extend(options.mariadb.then_some(Database::MariaDb));
    let mut counts = Counts::default();
    let mut report = Vec::new();
    for streamed in [false, true].into_iter().filter(|streamed| *streamed || !options.streamed) {
        let sources = package.write(streamed)?;
        for database in &databases {
            interrupt::check()?;
            let variant = Variant { database: *database, sources: &sources };
            eprintln!("SeaORM {}: {variant}", package.version);
            let outcome = variant.run(&servers)?;
            report.push(format!("{variant}: {outcome}"));
            counts = counts + outcome.counts();
        }
    }
    drop(servers);
    println!("\nThe tests of SeaORM {}:\n{}", package.version, report.join("\n"));
    println!("Left out:\n{}", left_out::list());
    println!("{counts}");
    Ok(if counts.all_passed() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
