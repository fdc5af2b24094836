//! The consumers: they register, take the lock, handle and commit.

use super::{Registry, Rule, State, Step};

/// A consumer of one host. The model `flow` covers takeovers of an expired lock.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Consumer {
    pub(super) registered: bool,
    pub(super) offset: Option<u8>,
    pub(super) stage: Stage,
    pub(super) holds_lock: bool,
    /// By the registry it is the last owner of the lock, and may acquire it again if it has expired.
    pub(super) took_last: bool,
    /// Messages it must handle, one bit each: those that existed or were added since it registered, or since it was
    /// rewound.
    pub(super) owed: u8,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Stage {
    Out,
    /// It has asked, in a separate call, where the stream ends.
    Asked {
        last: u8,
    },
    /// It has asked, in a separate call, whether it is paused.
    Unpaused,
    Idle {
        read: u8,
    },
    Handled {
        read: u8,
    },
}

impl Registry {
    pub(super) fn consumers_steps(&self, state: &State, index: usize, steps: &mut Vec<Step>) {
        let consumer = state.consumers[index];
        match consumer.stage {
            Stage::Out if !consumer.registered => {
                let asks = index == 1 && !self.keeps(Rule::LatestInScript);
                steps.push(if asks { Step::AskForLast } else { Step::Register(index) });
            }
            Stage::Asked { .. } => steps.push(Step::Register(index)),
            Stage::Out if index == 0 && state.paused => {}
            Stage::Out if index == 0 && !self.keeps(Rule::AcquireTestsPause) => steps.push(Step::AskForPause),
            Stage::Out | Stage::Unpaused => steps.push(Step::Acquire(index)),
            Stage::Idle { read } => {
                steps.push(Step::Release(index));
                if state.last > read {
                    steps.push(Step::Handle(index));
                }
            }
            Stage::Handled { .. } => steps.push(Step::Commit(index)),
        }
    }

    pub(super) fn commit(&self, state: &mut State, index: usize) {
        let paused = index == 0 && state.paused && self.keeps(Rule::CommitTestsPause);
        let consumer = &mut state.consumers[index];
        let Stage::Handled { read } = consumer.stage else { return };
        // An expired lock is acquired again if no other host acquired it since.
        consumer.holds_lock |= consumer.took_last && !paused;
        if !consumer.holds_lock || paused {
            consumer.holds_lock = false;
            consumer.stage = Stage::Out;
            return;
        }
        state.committed_in_pause |= index == 0 && state.paused;
        if consumer.offset.is_none_or(|offset| offset < read) {
            consumer.offset = Some(read);
            state.skipped |= (1..=read).any(|id| consumer.owed & bit(id) != 0);
        }
        consumer.stage = Stage::Idle { read };
    }
}

impl State {
    pub(super) fn register(&mut self, index: usize) {
        let (trimmed, last) = (self.trimmed, self.last);
        let consumer = &mut self.consumers[index];
        consumer.registered = true;
        if index == 0 {
            consumer.owed = (trimmed + 1..=last).map(bit).sum();
            return;
        }
        // From the latest on: messages before its request are not for it.
        let asked = if let Stage::Asked { last } = consumer.stage { last } else { last };
        consumer.offset = Some(asked);
        consumer.owed = (asked + 1..=last).map(bit).sum();
        self.trimmed_owed |= trimmed > asked;
        consumer.stage = Stage::Out;
    }
}

/// The bit of a message in [`Consumer::owed`].
pub(super) fn bit(id: u8) -> u8 {
    1 << id
}
