//! What is wrong, as far as Redis shows it: each with its cause and its cure.

mod checks;
mod faults;
#[cfg(test)]
mod tests;

use std::cmp::Reverse;
use std::fmt;

use serde::Serialize;

use self::checks::{of_consumer, of_orphan, of_server, of_stream};
use self::faults::of_version;
use super::Overview;

/// How bad a [`Problem`] is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Severity {
    /// It may be intended.
    Note,
    /// It becomes an error, or changes arrive late.
    Warning,
    /// Changes do not arrive, or can be lost.
    Error,
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Note => "note",
            Self::Warning => "warning",
            Self::Error => "error",
        })
    }
}

/// Something that needs a person: see [`Overview::problems`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Problem {
    /// How bad it is.
    pub severity: Severity,
    /// A stable name of its kind, such as `no_delayer`.
    pub kind: &'static str,
    /// Where: a stream, a stream and its consumer with a slash in between, or the address of a server.
    pub place: String,
    /// What is seen, and what it means.
    pub cause: String,
    /// What to do.
    pub cure: String,
}

struct Problems<'a> {
    place: &'a str,
    found: Vec<Problem>,
}

impl Problems<'_> {
    fn add(&mut self, severity: Severity, kind: &'static str, cause: impl Into<String>, cure: impl Into<String>) {
        let place = self.place.to_owned();
        self.found.push(Problem { severity, kind, place, cause: cause.into(), cure: cure.into() });
    }
}

impl Overview {
    /// What needs a person, the worst first: settings of the servers with which they lose messages, workers that no
    /// host runs, consumers that are paused, behind or have dead letters, reindexes that rest.
    ///
    /// It sees what is in Redis. Whether the rows and their documents agree is known by a verification.
    #[must_use]
    pub fn problems(&self) -> Vec<Problem> {
        let mut found = Vec::new();
        for server in &self.servers {
            let mut problems = Problems { place: &server.address, found: Vec::new() };
            of_server(server, &mut problems);
            of_version(server, &mut problems);
            found.append(&mut problems.found);
        }
        for unreadable in &self.unreadable {
            let mut problems = Problems { place: unreadable.name.as_str(), found: Vec::new() };
            problems.add(Severity::Error, "unreadable", unreadable.error.clone(), "see the error");
            found.append(&mut problems.found);
        }
        for stream in &self.streams {
            let mut problems = Problems { place: stream.name.as_str(), found: Vec::new() };
            of_stream(stream, &mut problems);
            found.append(&mut problems.found);
            for consumer in &stream.consumers {
                let place = format!("{}/{}", stream.name, consumer.name);
                let mut problems = Problems { place: &place, found: Vec::new() };
                of_consumer(consumer, &mut problems);
                found.append(&mut problems.found);
            }
        }
        for orphan in &self.orphans {
            let place = orphan.place();
            let mut problems = Problems { place: &place, found: Vec::new() };
            of_orphan(orphan, &mut problems);
            found.append(&mut problems.found);
        }
        found.sort_by_key(|problem| Reverse(problem.severity));
        found
    }
}
