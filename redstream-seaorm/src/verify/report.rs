//! What a verification found.

use std::fmt;
use std::process::ExitCode;

use serde::Serialize;
use serde_json::Value as Json;

/// Where a verification stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum VerifyState {
    /// Both sides are read and compared.
    Scanning,
    /// All is read; suspects wait to be compared again.
    Rechecking,
    /// Every key was compared.
    Done,
    /// There are more differences than [`max`](crate::Verify::max); the rest was not compared.
    TooMany,
    /// A consumer or the delayer made no progress, so that suspects could not be compared again.
    NotFinished,
    /// It was shut down.
    Cancelled,
}

impl fmt::Display for VerifyState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Scanning => "scanning",
            Self::Rechecking => "rechecking",
            Self::Done => "done",
            Self::TooMany => "too_many",
            Self::NotFinished => "not_finished",
            Self::Cancelled => "cancelled",
        })
    }
}

/// How a document differs from its record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum DifferenceKind {
    /// There is a record and no document.
    Missing,
    /// The document is not the one of the record as it is now.
    Stale,
    /// There is a document and no record, or a second document of one record.
    Extra,
}

impl DifferenceKind {
    /// `missing`, `stale` or `extra`.
    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Missing => "missing",
            Self::Stale => "stale",
            Self::Extra => "extra",
        }
    }
}

/// One difference.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Difference {
    /// How it differs.
    pub kind: DifferenceKind,
    /// The key, as [`Key::to_json`](crate::Key::to_json).
    pub key: Json,
    /// Whether it was repaired, and compared equal afterwards.
    pub repaired: bool,
    /// Why the sink could not compare the document with its record, if so: mostly no document can be made of the
    /// record, which is then a dead letter of its consumer, too.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

/// What a verification found, or has found so far. Displayed as one line:
/// `1200/144563 (1%); missing 1, stale 2, extra 0; suspects 3; 20000/s; scanning; ETA 7s`.
///
/// Serialized, it is what a program prints for `--json`.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[non_exhaustive]
#[must_use = "differences are no error: see `exit_code`"]
pub struct VerifyReport {
    /// The id of the verification: by default the table's name.
    pub id: String,
    /// The table.
    pub entity: String,
    /// What was compared with it: by default the name of the sink's type.
    pub target: String,
    /// Where it stands.
    pub state: VerifyState,
    /// The last key that was read; `None` if none was.
    pub position: Option<Json>,
    /// How many rows there were about when it began.
    pub estimate: u64,
    /// How many keys were compared: those of records, and those of documents without a record.
    pub compared: u64,
    /// How many of them were equal, at once or when they were compared again.
    pub matching: u64,
    /// Records without a document.
    pub missing: u64,
    /// Documents that are not those of their records.
    pub stale: u64,
    /// Documents without a record, and second documents of one record.
    pub extra: u64,
    /// Keys that differed and are not decided: they wait to be compared again.
    pub suspects: u64,
    /// Keys that differed and were equal when they were compared again: changes on their way.
    pub rechecked_ok: u64,
    /// Keys that changed each time that they were compared, so that nothing can be said of them. They are neither
    /// differences nor matching.
    pub unsettled: u64,
    /// Keys that were queued to be repaired.
    pub queued: u64,
    /// Of these, the ones that were equal afterwards.
    pub repaired: u64,
    /// Keys compared a second.
    pub rate: f64,
    /// How many seconds the rest takes at that rate; `None` if nothing was compared yet.
    pub eta_seconds: Option<u64>,
    /// What suspects wait for, and for how long at most, while all is read.
    pub waits_for: Option<String>,
    /// The first differences.
    pub differences: Vec<Difference>,
    /// Why it could not finish.
    pub reason: Option<String>,
    /// What to do now.
    pub next_steps: Vec<String>,
}

impl VerifyReport {
    /// Whether its differences are all that there are.
    pub(super) fn is_whole(&self) -> bool {
        matches!(self.state, VerifyState::Done | VerifyState::TooMany)
    }

    pub(super) fn new(id: String, entity: String, target: String) -> Self {
        Self {
            id,
            entity,
            target,
            state: VerifyState::Scanning,
            position: None,
            estimate: 0,
            compared: 0,
            matching: 0,
            missing: 0,
            stale: 0,
            extra: 0,
            suspects: 0,
            rechecked_ok: 0,
            unsettled: 0,
            queued: 0,
            repaired: 0,
            rate: 0.0,
            eta_seconds: None,
            waits_for: None,
            differences: Vec::new(),
            reason: None,
            next_steps: Vec::new(),
        }
    }

    /// How many keys differ that were not repaired.
    #[must_use]
    pub fn remaining(&self) -> u64 {
        self.found().saturating_sub(self.repaired)
    }

    /// How many differences were found.
    #[must_use]
    pub fn found(&self) -> u64 {
        self.missing + self.stale + self.extra
    }

    /// Whether every key was compared, and no difference remains.
    #[must_use]
    pub fn is_clean(&self) -> bool {
        self.state == VerifyState::Done && self.remaining() == 0
    }

    /// 0 if it is [clean](Self::is_clean), 1 if differences remain, 2 if it could not finish.
    #[must_use]
    pub fn exit_code(&self) -> ExitCode {
        ExitCode::from(self.code())
    }

    pub(super) fn code(&self) -> u8 {
        match self.state {
            VerifyState::Done if self.remaining() == 0 => 0,
            VerifyState::Done | VerifyState::TooMany => 1,
            _ => 2,
        }
    }

    pub(super) fn count(&mut self, kind: DifferenceKind) {
        *match kind {
            DifferenceKind::Missing => &mut self.missing,
            DifferenceKind::Stale => &mut self.stale,
            DifferenceKind::Extra => &mut self.extra,
        } += 1;
    }

    /// Tells what to do, once it has ended.
    pub(super) fn advise(&mut self, is_repairing: bool, max: u64) {
        let mut steps = Vec::new();
        match self.state {
            VerifyState::TooMany => steps.push(format!(
                "more than {max} keys differ: look at the first differences; if the mapping has changed, reindex \
                 (`redstream.reindex`); otherwise repair, or raise `max`"
            )),
            VerifyState::NotFinished => {
                steps.push("start what the reason names, and verify again".to_owned());
            }
            VerifyState::Cancelled => steps.push("it was shut down: run it again".to_owned()),
            VerifyState::Done if self.remaining() > 0 && is_repairing => steps.push(
                "keys differ though they were queued to be repaired: look at the consumer's dead letters and its log; if \
                 it writes another form than the sink compares, correct `Scan::is_current`"
                    .to_owned(),
            ),
            VerifyState::Done if self.remaining() > 0 => {
                steps.push("run it with `.repair(true)`, or queue the keys by `redstream.reindex_keys`".to_owned());
            }
            _ => {}
        }
        if self.unsettled > 0 {
            steps.push(format!(
                "{} keys changed each time that they were compared: verify again when they are written less often",
                self.unsettled
            ));
        }
        self.next_steps = steps;
    }
}

impl fmt::Display for VerifyReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { compared, estimate, missing, stale, extra, suspects, rate, state, .. } = self;
        let percent = (u128::from(*compared) * 100 / u128::from((*estimate).max(1))).min(100);
        write!(f, "{compared}/{estimate} ({percent}%); missing {missing}, stale {stale}, extra {extra}")?;
        if self.repaired > 0 {
            write!(f, ", repaired {}", self.repaired)?;
        }
        write!(f, "; suspects {suspects}; {rate:.0}/s; {state}")?;
        match (state, self.eta_seconds, &self.reason) {
            (VerifyState::Scanning, Some(eta), _) => write!(f, "; ETA {eta}s"),
            (VerifyState::Rechecking, ..) => {
                self.waits_for.as_ref().map_or(Ok(()), |waits_for| write!(f, "; waits for {waits_for}"))
            }
            (_, _, Some(reason)) => write!(f, "; {reason}"),
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report(state: VerifyState) -> VerifyReport {
        let new = VerifyReport::new("products".into(), "products".into(), "search".into());
        VerifyReport { state, estimate: 1000, compared: 250, ..new }
    }

    #[test]
    fn it_is_told_in_a_line() {
        let told =
            VerifyReport { missing: 1, suspects: 3, rate: 99.6, eta_seconds: Some(7), ..report(VerifyState::Scanning) };
        assert_eq!(
            told.to_string(),
            "250/1000 (25%); missing 1, stale 0, extra 0; suspects 3; 100/s; scanning; ETA 7s"
        );
        let waits_for = Some("consumer search of stream cities".to_owned());
        let told = VerifyReport { waits_for, ..report(VerifyState::Rechecking) };
        assert!(told.to_string().ends_with("; rechecking; waits for consumer search of stream cities"), "{told}");
        let reason = Some("consumer search does not run".to_owned());
        let told = VerifyReport { reason, repaired: 2, ..report(VerifyState::NotFinished) };
        assert_eq!(
            told.to_string(),
            "250/1000 (25%); missing 0, stale 0, extra 0, repaired 2; suspects 0; 0/s; not_finished; consumer search \
             does not run"
        );
    }

    #[test]
    fn the_exit_code_says_whether_to_trust_the_index() {
        assert_eq!(report(VerifyState::Done).code(), 0);
        assert_eq!(VerifyReport { stale: 1, ..report(VerifyState::Done) }.code(), 1);
        assert_eq!(VerifyReport { stale: 1, repaired: 1, ..report(VerifyState::Done) }.code(), 0);
        assert_eq!(report(VerifyState::TooMany).code(), 1);
        for state in [VerifyState::NotFinished, VerifyState::Cancelled, VerifyState::Scanning] {
            assert_eq!(report(state).code(), 2);
        }
    }

    #[test]
    fn what_to_do_depends_on_what_was_found() {
        let advice = |mut report: VerifyReport, is_repairing| {
            report.advise(is_repairing, 10);
            report.next_steps.join("; ")
        };
        assert_eq!(advice(report(VerifyState::Done), false), "");
        let differs = || VerifyReport { stale: 1, ..report(VerifyState::Done) };
        assert!(advice(differs(), false).contains("repair(true)"));
        assert!(advice(differs(), true).contains("dead letters"));
        assert!(advice(report(VerifyState::TooMany), true).contains("more than 10"));
        assert!(advice(report(VerifyState::NotFinished), true).contains("reason"));
        assert!(advice(VerifyReport { unsettled: 3, ..report(VerifyState::Done) }, true).contains("3 keys"));
    }
}
