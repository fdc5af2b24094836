//! The project's chores: `cargo xtask test`, `cargo xtask demo`, `cargo xtask servers`.
//!
//! Each finds or installs the servers it needs, starts private ones, does its work, and leaves
//! nothing behind: neither when it fails nor when it is interrupted.

mod cargo;
mod chaos;
mod counts;
mod demo;
mod features;
mod interrupt;
mod servers;
mod test;
mod tool;

use clap::Parser;
use std::process::ExitCode;

/// Redstream's chores. Each finds or installs what it needs.
#[derive(Debug, Parser)]
#[command(bin_name = "cargo xtask")]
enum Task {
    /// Run the tests against private servers; without FILTER also the doctests and a short demo
    Test(test::Options),
    /// Run the demo: real rows, a real search index, and processes killed in between
    Demo(demo::Options),
    /// Check that each feature of the published crates compiles by itself
    Features(features::Options),
    /// Compare the public items of the published crates with docs/public-api.txt
    PublicApi(tool::Options),
    /// Run SeaORM's own tests through Redstream's connection
    SeaormSuite(tool::Options),
    /// Write for half an hour as fast as all workers can follow, under restarts, and print the figures
    Load(tool::Options),
    /// Check the protocol's models: every interleaving, with all rules and without each
    Model(tool::Options),
    /// Run schedules of crashes and faults, and check that no law is broken
    Chaos(chaos::Options),
    /// Measure every path beside its limit, and print the table
    Bench(tool::Options),
    /// Build the book of docs/ into target/book, and check its links
    Book(tool::Options),
    /// Start the servers that the tests share, print their addresses, and wait for ctrl-C
    Servers(servers::Editions),
}

fn main() -> ExitCode {
    let task = Task::parse();
    let result = interrupt::outlive_children().and_then(|()| match task {
        Task::Test(options) => test::run(&options),
        Task::Demo(options) => demo::run(&options),
        Task::Features(options) => features::run(&options),
        Task::PublicApi(options) => tool::run("redstream-public-api", "dev", &options),
        Task::SeaormSuite(options) => tool::run("redstream-seaorm-suite", "dev", &options),
        Task::Load(options) => tool::run("redstream-load", "release", &options),
        Task::Model(options) => tool::run("redstream-model", "dev", &options),
        Task::Chaos(options) => chaos::run(&options),
        Task::Bench(options) => tool::run("redstream-bench", "release", &options),
        Task::Book(options) => tool::run("redstream-book", "dev", &options),
        Task::Servers(options) => servers::run(options),
    });
    result.unwrap_or_else(|error| {
        eprintln!("error: {error:#}");
        ExitCode::FAILURE
    })
}

#[cfg(test)]
mod tests {
    use super::Task;
    use crate::cargo::workspace;
    use clap::{CommandFactory as _, Parser as _};
    use std::{
        fs,
        path::{Path, PathBuf},
    };

    #[test]
    fn the_command_line_is_sound() {
        Task::command().debug_assert();
    }

    /// The pages of a folder, and of those in it.
    fn pages(folder: &Path) -> Vec<PathBuf> {
        let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
        entries.flat_map(|path| if path.is_dir() { pages(&path) } else { vec![path] }).collect()
    }

    #[test]
    fn every_command_that_a_page_shows_is_one() {
        let mut pages = pages(&workspace().join("docs"));
        pages.push(workspace().join("README.md"));
        let mut commands = 0;
        for page in pages.iter().filter(|page| page.extension().is_some_and(|of| of == "md")) {
            for line in fs::read_to_string(page).unwrap().lines() {
                for command in line.split("cargo xtask ").skip(1) {
                    let command = command.split(['`', '#', '|', '…']).next().unwrap_or(command).trim();
                    if command.is_empty() {
                        continue;
                    }
                    let words = ["cargo xtask"].into_iter().chain(command.split_whitespace());
                    let parsed = Task::try_parse_from(words);
                    assert!(parsed.is_ok(), "{}: {command}: {}", page.display(), parsed.unwrap_err());
                    commands += 1;
                }
            }
        }
        assert!(commands > 5, "only {commands} were found");
    }
}
