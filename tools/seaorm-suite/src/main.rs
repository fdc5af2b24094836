//! SeaORM's own tests, unchanged, through Redstream's connection. Run it with `cargo xtask seaorm-suite`.
//!
//! It takes the tests from the package of SeaORM in cargo's registry, writes them below `target`, compiles them against
//! the package in `stand-in`, which replaces `sea_orm`, and runs them on private servers.

mod database;
mod left_out;
mod messages;
mod modules;
mod outcome;
mod sources;
mod streamed;
mod variant;

use anyhow::Result;
use clap::Parser;
use database::Database;
use redstream_servers::Servers;
use sources::Package;
use std::process::ExitCode;
use variant::Variant;

/// Runs SeaORM's own tests through Redstream's connection.
#[derive(Debug, Parser)]
#[command(bin_name = "cargo xtask seaorm-suite")]
struct Options {
    /// Run on MariaDB too
    #[arg(long)]
    mariadb: bool,
    /// Only with their entities streamed: half of the builds, which take most of the time
    #[arg(long)]
    streamed: bool,
}

fn main() -> Result<ExitCode> {
    let passed = run(&Options::parse())?;
    Ok(if passed { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Runs the tests on each database, once with their entities unchanged and once with them streamed. The last line it
/// prints counts the tests that passed and failed. Returns whether some passed and none failed.
fn run(options: &Options) -> Result<bool> {
    let package = Package::find()?;
    let servers = Servers::start()?;
    let mut databases = vec![Database::Sqlite, Database::Postgres];
    databases.extend(options.mariadb.then_some(Database::MariaDb));
    let (mut passed, mut failed) = (0, 0);
    let mut report = Vec::new();
    for streamed in [false, true].into_iter().filter(|streamed| *streamed || !options.streamed) {
        let sources = package.write(streamed)?;
        for database in &databases {
            let variant = Variant { database: *database, sources: &sources };
            eprintln!("SeaORM {}: {variant}", package.version);
            let outcome = variant.run(&servers)?;
            report.push(format!("{variant}: {outcome}"));
            passed += outcome.passed;
            failed += outcome.failed;
        }
    }
    drop(servers);
    println!("\nThe tests of SeaORM {}:\n{}", package.version, report.join("\n"));
    println!("Left out:\n{}", left_out::list());
    println!("{passed} passed, {failed} failed");
    Ok(passed > 0 && failed == 0)
}
