//! The summary of all schedules, and the report of a failed one.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use crate::keys::Keys;
use crate::kind::Kind;
use crate::run::Outcome;
use crate::verdict::Breach;

#[derive(Debug, Default)]
pub(crate) struct Report {
    schedules: usize,
    writes: usize,
    crashes: u64,
    breaches: Vec<Breach>,
    /// How many schedules each kind of database and of keys had, and how many of these failed.
    drawn: BTreeMap<(Kind, Keys), (usize, usize)>,
    /// How many schedules had a search index, and how many steps of their plans were done.
    search: (usize, usize),
    /// How often the operator was killed, by points.
    killed_at: BTreeMap<String, usize>,
}

impl Report {
    pub(crate) fn add(&mut self, outcome: &Outcome) {
        self.schedules += 1;
        self.writes += outcome.writes;
        self.crashes += outcome.crashes;
        let (schedules, failed) = self.drawn.entry(outcome.drawn).or_default();
        *schedules += 1;
        *failed += usize::from(!outcome.breaches.is_empty());
        if let Some((steps, killed_at)) = &outcome.search {
            self.search = (self.search.0 + 1, self.search.1 + steps);
            for point in killed_at {
                *self.killed_at.entry(point.clone()).or_default() += 1;
            }
        }
        self.breaches.extend(outcome.breaches.iter().map(|(breach, _)| *breach));
    }

    pub(crate) fn passed(&self) -> bool {
        self.breaches.is_empty()
    }

    fn count(&self, of: Breach) -> usize {
        self.breaches.iter().filter(|breach| **breach == of).count()
    }
}

/// The closing line. Before it: what was drawn, and the breaches that it does not count.
impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        use Breach::{Extra, Lost, Reordered, Stale, TrimmedUnread};
        for ((kind, keys), (schedules, failed)) in &self.drawn {
            writeln!(f, "{kind:?}, {keys:?} keys: {schedules} schedules, {failed} failed")?;
        }
        let (with_index, steps) = self.search;
        if with_index > 0 {
            let kills: usize = self.killed_at.values().sum();
            writeln!(
                f,
                "with a search index: {with_index} schedules, {steps} steps done, the operator killed {kills} times"
            )?;
        }
        for (point, kills) in &self.killed_at {
            writeln!(f, "killed at `{point}`: {kills}")?;
        }
        let mut others: Vec<Breach> = self.breaches.clone();
        others.retain(|breach| ![Lost, Stale, Extra, Reordered, TrimmedUnread].contains(breach));
        others.sort_unstable();
        others.dedup();
        for other in others {
            writeln!(f, "{other}: {}", self.count(other))?;
        }
        let Self { schedules, writes, crashes, .. } = self;
        write!(
            f,
            "schedules={schedules} writes={writes} crashes={crashes} lost={} stale={} ",
            self.count(Lost),
            self.count(Stale)
        )?;
        write!(
            f,
            "extra={} reordered={} trimmed_unread={}",
            self.count(Extra),
            self.count(Reordered),
            self.count(TrimmedUnread)
        )
    }
}

/// The full report of a failed schedule.
pub(crate) fn failure(outcome: &Outcome, mutation: Option<&str>) -> String {
    let mutation = mutation.map_or_else(String::new, |name| format!(" --mutation {name} --events"));
    let breaches: Vec<String> = outcome.breaches.iter().map(|(breach, what)| format!("  {breach}: {what}")).collect();
    format!(
        "{}\n\nschedule {seed} failed:\n{}\nrun it alone: cargo xtask chaos --schedules 1 --seed {seed}{mutation}\n",
        outcome.log,
        breaches.join("\n"),
        seed = outcome.seed,
    )
}

/// The kinds of breach that a schedule found, each once.
pub(crate) fn kinds(outcome: &Outcome) -> String {
    let mut kinds: Vec<_> = outcome.breaches.iter().map(|(breach, _)| *breach).collect();
    kinds.sort_unstable();
    kinds.dedup();
    kinds.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}

pub(crate) fn progress(report: &Report, of: usize, elapsed: Duration) -> String {
    format!(
        "{} of {of} schedules, {} writes, {} crashes, {} s",
        report.schedules,
        report.writes,
        report.crashes,
        elapsed.as_secs()
    )
}
