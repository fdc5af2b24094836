//! The hosts of the consumer, and what they do with the datastore.

use super::{Flow, Rule, State, Step};

/// Messages are numbered from 1 on; all are of the one row.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Host {
    Out,
    /// It acquired the lock with this token, and has read up to here.
    Idle {
        token: u8,
        read: u8,
    },
    Arrived {
        token: u8,
        read: u8,
    },
    Versioned {
        token: u8,
        read: u8,
        version: u8,
    },
    Read {
        token: u8,
        read: u8,
        version: u8,
        row: u8,
    },
    Handled {
        token: u8,
        read: u8,
    },
}

impl Host {
    pub(super) fn token(self) -> Option<u8> {
        match self {
            Self::Out => None,
            Self::Idle { token, .. }
            | Self::Arrived { token, .. }
            | Self::Versioned { token, .. }
            | Self::Read { token, .. }
            | Self::Handled { token, .. } => Some(token),
        }
    }
}

pub(super) fn hosts_steps(state: &State, h: usize, steps: &mut Vec<Step>) {
    let host = state.hosts[h];
    if host != Host::Out && state.crashes > 0 {
        steps.push(Step::HostCrashes(h));
    }
    match host {
        Host::Out if state.owner.is_none() && state.last > state.offset => steps.push(Step::Acquire(h)),
        Host::Out => {}
        Host::Idle { read, .. } => {
            if state.stops > 0 {
                steps.push(Step::Release(h));
            }
            // Trimmed messages cannot be read.
            if state.last > read.max(state.trimmed) {
                steps.push(Step::ReadStream(h));
            }
        }
        Host::Arrived { .. } => steps.push(Step::Touch(h)),
        Host::Versioned { .. } => steps.push(Step::ReadRow(h)),
        Host::Read { .. } => steps.push(Step::WriteSink(h)),
        Host::Handled { .. } => steps.push(Step::Commit(h)),
    }
}

impl Flow {
    pub(super) fn host_acts(&self, state: &mut State, h: usize, step: &Step) {
        let host = state.hosts[h];
        if matches!(step, Step::Touch(_) | Step::Commit(_)) && self.takes_again(state, host) {
            state.owner = host.token();
        }
        let owns = host.token().is_some() && host.token() == state.owner;
        state.hosts[h] = match (step, host) {
            (Step::Acquire(_), _) => {
                state.tokens += 1;
                state.owner = Some(state.tokens);
                Host::Idle { token: state.tokens, read: state.offset }
            }
            (Step::ReadStream(_), Host::Idle { token, .. }) if self.keeps(Rule::CommitAfterHandling) => {
                Host::Arrived { token, read: state.last }
            }
            (Step::ReadStream(_), Host::Idle { token, .. }) => {
                self.commit(state, token, state.last);
                Host::Arrived { token, read: state.last }
            }
            (Step::Touch(_), Host::Arrived { token, read }) if owns => {
                state.version += 1;
                Host::Versioned { token, read, version: state.version }
            }
            (Step::ReadRow(_), Host::Versioned { token, read, version }) => {
                Host::Read { token, read, version, row: state.row }
            }
            (Step::WriteSink(_), Host::Read { token, read, version, row }) => {
                if version >= state.sink.1 || !self.keeps(Rule::SinkTestsVersion) {
                    state.sink = (row, version);
                    Host::Handled { token, read }
                } else {
                    // Refused: an owner asks for a newer version and reads again, and a host that is no owner gets an
                    // error.
                    Host::Arrived { token, read }
                }
            }
            (Step::Commit(_), Host::Handled { token, read }) => {
                if self.keeps(Rule::CommitAfterHandling) && !self.commit(state, token, read) {
                    Host::Out
                } else {
                    Host::Idle { token, read }
                }
            }
            (Step::Release(_), Host::Idle { .. }) => {
                state.stops -= 1;
                if owns || !self.keeps(Rule::ReleaseTestsOwner) {
                    state.other_released |= state.owner.is_some() && !owns;
                    state.owner = None;
                }
                Host::Out
            }
            (Step::HostCrashes(_), _) => {
                state.crashes -= 1;
                Host::Out
            }
            // The touch of a former owner: lost.
            _ => Host::Out,
        };
    }

    /// Whether the host's lock has expired and no other host acquired it since: then its next script acquires it again.
    fn takes_again(&self, state: &State, host: Host) -> bool {
        let last = |token| token == state.tokens || !self.keeps(Rule::OnlyTheLastTakesAgain);
        state.owner.is_none() && host.token().is_some_and(last)
    }

    /// `commit.lua`: whether the caller is the owner, and so continues.
    fn commit(&self, state: &mut State, token: u8, id: u8) -> bool {
        let owns = state.owner == Some(token);
        let fenced = self.keeps(Rule::CommitIsFenced);
        if !owns && fenced && self.keeps(Rule::CommitTestsOwner) {
            return false;
        }
        if id > state.offset || !fenced {
            // Also if another owner followed, and it acquired the lock again anyway.
            state.other_committed |= !owns || token != state.tokens;
            state.offset_went_back |= id < state.offset;
            state.offset = id;
        }
        true
    }
}
