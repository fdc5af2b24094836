//! Whether the harness can fail: each deliberate defect is run until it is caught.

use std::time::Instant;

use anyhow::Result;
use redstream_seaorm::{chaos, core};

use crate::run::Outcome;
use crate::shared::Shared;
use crate::{Options, batch};

/// Runs each defect until a schedule catches it, for `bound` schedules at the most, and prints the table. Whether all were
/// caught.
pub(crate) async fn table(options: &Options, bound: usize, shared: &Shared) -> Result<bool> {
    let mut all: Vec<(&str, u8)> = core::chaos::all().chain(chaos::all()).collect();
    all.sort_by_key(|(_, law)| *law);
    println!("| law | defect | schedules until caught | what caught it |\n|---|---|---|---|");
    let mut missed = 0;
    for (name, law) in all {
        let begun = Instant::now();
        let (schedules, caught) = batch::until_caught(options, name, bound, shared).await?;
        eprintln!("{name}: {schedules} schedules, {} s", begun.elapsed().as_secs());
        let caught = caught.as_ref().map(by);
        missed += usize::from(caught.is_none());
        let caught = caught.unwrap_or_else(|| "**not caught**".to_owned());
        println!("| {law} | `{name}` | {schedules} | {caught} |");
    }
    Ok(missed == 0)
}

/// The kinds of breach, each once.
fn by(outcome: &Outcome) -> String {
    let mut kinds: Vec<_> = outcome.breaches.iter().map(|(breach, _)| *breach).collect();
    kinds.sort_unstable();
    kinds.dedup();
    kinds.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}
