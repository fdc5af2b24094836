//! The protocol of Redstream, model-checked: each rule of locks, offsets, trimming, versions, delay and commit, in its
//! own small model whose every interleaving is explored.
//!
//! Run it with `cargo xtask model`. A model has few steps, each of which is one atomic action in reality: a script of
//! `redstream-core/src/lua`, a COMMIT, a write to a datastore, a crash. If a step is a script, it has the script's
//! name. Each rule can be taken out, and then the checker must find the counterexample that the rule prevents; this
//! also shows if a rule is not needed.

mod check;
mod failover;
mod flow;
mod packs;
mod registry;
mod reshard;
mod spread;
mod versions;

use clap::Parser;
use std::process::ExitCode;

/// Checks the protocol's models: every interleaving, with all rules and without each.
#[derive(Debug, Parser)]
#[command(bin_name = "cargo xtask model")]
struct Options {
    /// Print the steps of each counterexample
    #[arg(long)]
    traces: bool,
}

fn main() -> ExitCode {
    let Options { traces } = Options::parse();
    let reports = [
        check::report::<flow::Flow>(traces),
        check::report::<versions::Versions>(traces),
        check::report::<registry::Registry>(traces),
        check::report::<packs::Packs>(traces),
        check::report::<failover::Failover>(traces),
        check::report::<reshard::Reshard>(traces),
        check::report::<spread::Spread>(traces),
    ];
    if reports.into_iter().all(|holds| holds) { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
