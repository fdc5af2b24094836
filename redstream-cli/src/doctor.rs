//! `redstream doctor`: what needs a person.

use std::time::{Duration, SystemTime};

use anyhow::Result;
use redstream_core::{Overview, Problem, Redstream, Severity};
use serde::Serialize;

use crate::Answer;
use crate::output::{Output, duration};

/// Clocks that differ by more make times in logs useless. Nothing of Redstream depends on them but `Start::At`.
const SKEW: Duration = Duration::from_secs(2);

#[derive(Debug, Serialize)]
struct Findings {
    problems: Vec<Problem>,
    /// Settings with which the servers can lose messages.
    risks: Vec<String>,
    /// By how much the clock here differs from that of Redis, if by more than two seconds.
    clock_skew_ms: Option<u128>,
}

pub(crate) async fn doctor(redstream: &Redstream, output: Output) -> Result<Answer> {
    let overview = redstream.overview().await?;
    let problems = overview.problems();
    // What the problems name already.
    let known = |risk: &redstream_core::Risk| {
        matches!(risk, redstream_core::Risk::Eviction { .. } | redstream_core::Risk::NoAppendOnlyFile)
    };
    let risks = redstream.risks().iter().filter(|risk| !known(risk)).map(ToString::to_string).collect();
    let skew = overview.streams.first().map(|stream| skew(stream.at, SystemTime::now()));
    let skew = skew.filter(|skew| *skew > SKEW);
    let findings = Findings { problems, risks, clock_skew_ms: skew.map(|skew| skew.as_millis()) };
    output.print(&findings, |findings| text(findings, &overview))?;
    let is_bad = |problem: &Problem| problem.severity > Severity::Note;
    Ok(if findings.problems.iter().any(is_bad) { Answer::No } else { Answer::Yes })
}

/// How far apart two times are, the first in milliseconds since 1970.
fn skew(theirs: u64, ours: SystemTime) -> Duration {
    let theirs = SystemTime::UNIX_EPOCH + Duration::from_millis(theirs);
    ours.duration_since(theirs).unwrap_or_else(|error| error.duration())
}

fn text(findings: &Findings, overview: &Overview) -> String {
    let problem = |Problem { severity, place, cause, cure, .. }: &Problem| {
        format!("{severity:<8} {place}: {cause}\n         -> {cure}")
    };
    let mut lines: Vec<_> = findings.problems.iter().map(problem).collect();
    lines.extend(findings.risks.iter().map(|risk| format!("note     Redis: {risk}")));
    if let Some(skew) = findings.clock_skew_ms {
        let skew = duration(Duration::from_millis(u64::try_from(skew).unwrap_or(u64::MAX)));
        lines.push(format!("note     the clock of this machine and that of Redis differ by {skew}"));
    }
    if findings.problems.is_empty() {
        lines.push(format!("no problems in {} streams of {} servers", overview.streams.len(), overview.servers.len()));
    }
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_may_be_early_or_late() {
        let ours = SystemTime::UNIX_EPOCH + Duration::from_secs(10);
        assert_eq!([7_000, 10_000, 14_000].map(|theirs| skew(theirs, ours).as_secs()), [3, 0, 4]);
    }
}
