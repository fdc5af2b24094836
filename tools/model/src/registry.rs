//! The registry: consumers that register, a trimmer in two steps, and an operator that rewinds and pauses. Law 6, and
//! law 5's exception.

mod consumers;
mod trimmer;

use stateright::{Model, Property};

use crate::check::Ruled;
use consumers::{Consumer, Stage, bit};

/// The rules, and what happens without each.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Rule {
    /// The script that trims compares the registry with the one it was given (counterexample 9).
    TrimComparesRegistry,
    /// A consumer that has committed nothing prevents trimming.
    TrimWaitsForFirstCommit,
    /// A rewind takes the lock away (counterexample 10).
    RewindTakesLock,
    /// It also clears the last owner of the lock, so that an owner whose lock expired cannot take it again.
    RewindClearsOwner,
    /// The script that acquires the lock checks the pause (counterexample 11).
    AcquireTestsPause,
    /// The commit checks the pause.
    CommitTestsPause,
    /// A consumer that starts at the latest gets its offset in the script that registers it.
    LatestInScript,
}

/// The model, without one of its rules or with all of them.
#[derive(Clone, Debug)]
pub(crate) struct Registry {
    without: Option<Rule>,
}

impl Registry {
    fn keeps(&self, rule: Rule) -> bool {
        self.without != Some(rule)
    }
}

#[expect(clippy::struct_excessive_bools, reason = "each is one thing that must never have happened")]
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct State {
    last: u8,
    trimmed: u8,
    consumers: [Consumer; 2],
    /// What the trimmer has read: the registered consumers, and their lowest offset.
    plan: Option<([bool; 2], Option<u8>)>,
    /// The first consumer is paused, and the operator was told that no host is at work.
    paused: bool,
    at_rest: bool,
    rewinds: u8,
    pauses: u8,
    /// How often the first consumer's lock may expire.
    expiries: u8,
    // What must never have happened.
    trimmed_owed: bool,
    skipped: bool,
    worked_in_pause: bool,
    committed_in_pause: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    Add,
    /// `register.lua`: the first from the earliest message on, the second from the latest.
    Register(usize),
    AskForLast,
    AskForPause,
    /// `acquire.lua`
    Acquire(usize),
    Handle(usize),
    /// `commit.lua`
    Commit(usize),
    /// `release.lua`
    Release(usize),
    LockExpires,
    TrimmerReads,
    /// `trim.lua`
    Trim,
    /// `rewind.lua`, to the first message
    Rewind,
    /// `pause.lua`
    Pause,
    /// The operator sees the flag set and the lock free.
    SeeAtRest,
    Resume,
}

const MESSAGES: u8 = 3;

impl Model for Registry {
    type State = State;
    type Action = Step;

    fn init_states(&self) -> Vec<State> {
        let consumer = Consumer {
            registered: false,
            offset: None,
            stage: Stage::Out,
            holds_lock: false,
            took_last: false,
            owed: 0,
        };
        vec![State {
            last: 0,
            trimmed: 0,
            consumers: [consumer; 2],
            plan: None,
            paused: false,
            at_rest: false,
            rewinds: 1,
            pauses: 1,
            expiries: 1,
            trimmed_owed: false,
            skipped: false,
            worked_in_pause: false,
            committed_in_pause: false,
        }]
    }

    fn actions(&self, state: &State, steps: &mut Vec<Step>) {
        if state.last < MESSAGES {
            steps.push(Step::Add);
        }
        for index in 0..2 {
            self.consumers_steps(state, index, steps);
        }
        steps.push(if state.plan.is_none() { Step::TrimmerReads } else { Step::Trim });
        let first = state.consumers[0];
        if first.registered && state.rewinds > 0 {
            steps.push(Step::Rewind);
        }
        if first.holds_lock && state.expiries > 0 {
            steps.push(Step::LockExpires);
        }
        if first.registered && !state.paused && state.pauses > 0 {
            steps.push(Step::Pause);
        }
        if state.paused {
            steps.push(Step::Resume);
            if !first.holds_lock && !state.at_rest {
                steps.push(Step::SeeAtRest);
            }
        }
    }

    fn next_state(&self, before: &State, step: Step) -> Option<State> {
        let mut state = before.clone();
        match step {
            Step::Add => {
                state.last += 1;
                for consumer in &mut state.consumers {
                    if consumer.registered {
                        consumer.owed |= bit(state.last);
                    }
                }
            }
            Step::Register(index) => state.register(index),
            Step::AskForLast => state.consumers[1].stage = Stage::Asked { last: state.last },
            Step::AskForPause => state.consumers[0].stage = Stage::Unpaused,
            Step::Acquire(index) => {
                let consumer = &mut state.consumers[index];
                (consumer.holds_lock, consumer.took_last) = (true, true);
                consumer.stage = Stage::Idle { read: consumer.offset.unwrap_or(0) };
            }
            Step::Handle(index) => {
                // An owner that has lost the lock may not have noticed yet.
                state.worked_in_pause |= index == 0 && state.at_rest && state.consumers[0].holds_lock;
                let (last, trimmed) = (state.last, state.trimmed);
                let consumer = &mut state.consumers[index];
                let Stage::Idle { read } = consumer.stage else { return None };
                for id in read.max(trimmed) + 1..=last {
                    consumer.owed &= !bit(id);
                }
                consumer.stage = Stage::Handled { read: last };
            }
            Step::Commit(index) => self.commit(&mut state, index),
            Step::Release(index) => {
                let consumer = &mut state.consumers[index];
                if consumer.holds_lock {
                    (consumer.holds_lock, consumer.took_last) = (false, false);
                }
                consumer.stage = Stage::Out;
            }
            Step::LockExpires => {
                state.expiries -= 1;
                state.consumers[0].holds_lock = false;
            }
            Step::TrimmerReads => state.plan = Some(self.plan(&state)),
            Step::Trim => self.trim(&mut state),
            Step::Rewind => {
                state.rewinds -= 1;
                let (trimmed, last) = (state.trimmed, state.last);
                let first = &mut state.consumers[0];
                first.offset = Some(0);
                first.owed = (trimmed + 1..=last).map(bit).sum();
                if self.keeps(Rule::RewindTakesLock) {
                    first.holds_lock = false;
                }
                if self.keeps(Rule::RewindClearsOwner) {
                    first.took_last = false;
                }
            }
            Step::Pause => {
                state.pauses -= 1;
                state.paused = true;
            }
            Step::SeeAtRest => state.at_rest = true,
            Step::Resume => {
                state.paused = false;
                state.at_rest = false;
            }
        }
        Some(state)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        vec![
            Property::always(
                "law 6: nothing is trimmed that a registered consumer has not handled",
                |_, state: &State| !state.trimmed_owed,
            ),
            Property::always(
                "law 5: no offset passes a message that was not handled, after a rewind either",
                |_, state: &State| !state.skipped,
            ),
            Property::always("a pause that is complete stays so", |_, state: &State| !state.worked_in_pause),
            Property::always("no owner commits in a pause", |_, state: &State| !state.committed_in_pause),
            Property::sometimes("everything is trimmed", |_, state: &State| {
                state.trimmed == MESSAGES && state.consumers.iter().all(|consumer| consumer.registered)
            }),
            Property::sometimes("a pause is complete", |_, state: &State| state.at_rest),
        ]
    }
}

impl Ruled for Registry {
    type Rule = Rule;
    const NAME: &'static str = "registry";
    const BOUNDS: &'static str =
        "3 messages, 2 consumers that come at any moment, 1 trimmer, 1 rewind, 1 pause, 1 expiry of a lock";
    const RULES: &'static [(Rule, &'static str)] = &[
        (Rule::TrimComparesRegistry, LAW_6),
        (Rule::TrimWaitsForFirstCommit, LAW_6),
        (Rule::RewindTakesLock, "law 5: no offset passes a message that was not handled, after a rewind either"),
        (Rule::RewindClearsOwner, "law 5: no offset passes a message that was not handled, after a rewind either"),
        (Rule::AcquireTestsPause, "a pause that is complete stays so"),
        (Rule::CommitTestsPause, "no owner commits in a pause"),
        (Rule::LatestInScript, LAW_6),
    ];

    fn without(rule: Option<Rule>) -> Self {
        Self { without: rule }
    }
}

const LAW_6: &str = "law 6: nothing is trimmed that a registered consumer has not handled";

#[cfg(test)]
crate::check::tests_of!(Registry);
