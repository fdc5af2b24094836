//! The writers, and their delay messages.

use super::{Flow, Rule, State, Step};

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Writer {
    Idle,
    /// It has written the row, and holds its lock.
    Written,
    /// The delay message is acknowledged, too.
    Insured,
    /// COMMIT was sent; the writer may die before its answer.
    Committing {
        alive: bool,
    },
    Committed,
    /// Done, rolled back, or dead.
    Gone,
}

impl Writer {
    pub(super) fn holds_row(self) -> bool {
        matches!(self, Self::Written | Self::Insured | Self::Committing { .. })
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Delay {
    None,
    Waiting,
    Due,
}

impl Flow {
    pub(super) fn writers_steps(&self, state: &State, w: usize, steps: &mut Vec<Step>) {
        let insured_late = !self.keeps(Rule::InsuredBeforeCommit);
        match state.writers[w] {
            Writer::Idle if !state.writers.iter().any(|writer| writer.holds_row()) => steps.push(Step::Write(w)),
            Writer::Idle | Writer::Gone => {}
            Writer::Written if insured_late => steps.extend([Step::SendCommit(w), Step::WriterCrashes(w)]),
            Writer::Written => steps.extend([Step::Insure(w), Step::RollBack(w), Step::WriterCrashes(w)]),
            Writer::Insured => {
                steps.extend([Step::SendCommit(w), Step::RollBack(w), Step::WriterCrashes(w)]);
                if !self.keeps(Rule::AnnounceAfterCommit) {
                    steps.push(Step::Announce(w));
                }
            }
            Writer::Committing { alive } => {
                steps.extend([Step::CommitLands(w), Step::CommitFails(w)]);
                if alive {
                    steps.push(Step::WriterCrashes(w));
                }
            }
            Writer::Committed if insured_late && state.delays[w] == Delay::None => {
                steps.extend([Step::Insure(w), Step::WriterCrashes(w)]);
            }
            Writer::Committed => steps.extend([Step::Announce(w), Step::WriterCrashes(w)]),
        }
        let may_fall_due = !state.writers[w].holds_row() || !self.keeps(Rule::DelayOutlastsCommit);
        if state.delays[w] == Delay::Waiting && may_fall_due {
            steps.push(Step::DelayFallsDue(w));
        }
    }
}

pub(super) fn remove_due(state: &mut State) {
    for delay in &mut state.delays {
        if *delay == Delay::Due {
            *delay = Delay::None;
        }
    }
}
