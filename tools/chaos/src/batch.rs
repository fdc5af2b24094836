//! Many schedules, several at a time.

use std::time::Instant;

use anyhow::Result;
use tokio::task::JoinSet;

use crate::report::{self, Report};
use crate::run::{self, Outcome};
use crate::schedule::Schedule;
use crate::shared::Shared;
use crate::{Only, Options};

/// The seeds of the schedules: consecutive ones, without those of other kinds than are asked for.
fn seeds(options: &Options) -> impl Iterator<Item = u64> {
    let only = options.only;
    let is_asked_for = move |seed: &u64| match only {
        None => true,
        Some(Only::Search) => Schedule::draw(*seed).search.is_some(),
    };
    (options.seed..).filter(is_asked_for).take(options.schedules)
}

/// Runs the schedules of these seeds.
pub(crate) async fn all(options: &Options, shared: &Shared) -> Result<Report> {
    let begun = Instant::now();
    let mut report = Report::default();
    let mut seeds = seeds(options);
    let mut running = JoinSet::new();
    loop {
        while running.len() < options.jobs
            && let Some(seed) = seeds.next()
        {
            let shared = shared.clone();
            running.spawn(async move { run::run(seed, &shared).await });
        }
        let Some(outcome) = running.join_next().await else { return Ok(report) };
        let outcome = outcome??;
        report.add(&outcome);
        if !outcome.breaches.is_empty() {
            println!("{}", report::failure(&outcome, options.mutation.as_deref()));
        } else if options.events {
            println!("{}", outcome.log);
        }
        eprintln!("{}", report::progress(&report, options.schedules, begun.elapsed()));
    }
}

/// Runs schedules until one finds a breach. Returns their number, and that one.
pub(crate) async fn until_caught(options: &Options, shared: &Shared) -> Result<(usize, Option<Outcome>)> {
    let mut seeds = seeds(options);
    let mut running = JoinSet::new();
    let mut schedules = 0;
    loop {
        while running.len() < options.jobs
            && let Some(seed) = seeds.next()
        {
            let shared = shared.clone();
            running.spawn(async move { run::run(seed, &shared).await });
        }
        let Some(outcome) = running.join_next().await else { return Ok((schedules, None)) };
        let outcome = outcome??;
        schedules += 1;
        if !outcome.breaches.is_empty() {
            return Ok((schedules, Some(outcome)));
        }
    }
}
