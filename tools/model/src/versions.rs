//! Versions: a paused former owner and a new one, on one server or on two after a failover, with a clock that may step
//! back, and rows that come and go. Law 7.

use stateright::{Model, Property};

use crate::check::Ruled;

/// The rules, and what happens without each.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Rule {
    /// The datastore refuses a version that is older than its own (counterexample 2).
    SinkTestsVersion,
    /// A batch's version is issued after the batch has arrived (counterexample 3).
    IssuedAfterArrival,
    /// A version is greater than the last that was stored, whatever the clock says (counterexample 4).
    AboveTheStored,
    /// The row is read after the version was issued.
    ReadAfterIssue,
    /// A delete's tombstone outlives every pause (counterexample 8).
    TombstonesLast,
}

/// The model, without one of its rules or with all of them.
#[derive(Clone, Debug)]
pub(crate) struct Versions {
    without: Option<Rule>,
}

impl Versions {
    fn keeps(&self, rule: Rule) -> bool {
        self.without != Some(rule)
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Row {
    /// Which change it was.
    change: u8,
    exists: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Stage {
    Idle,
    Arrived,
    Ready,
    /// It has written, and the answer is lost: it writes again.
    Unanswered,
    /// It lost its lock on the server that it uses, and knows it.
    Out,
}

/// An owner. The first is paused at any moment, and the second takes over.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Owner {
    stage: Stage,
    /// Messages it has read.
    read: u8,
    version: Option<u8>,
    row: Option<Row>,
}

const IDLE: Owner = Owner { stage: Stage::Idle, read: 0, version: None, row: None };
const OUT: Owner = Owner { stage: Stage::Out, ..IDLE };

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct State {
    row: Row,
    /// Messages, one for each change.
    messages: u8,
    /// Whether a failover has left the first owner alone with the old master, where its lock is still valid.
    two_servers: bool,
    /// The clock of Redis. With a failover the new master's is the same: this is assumed.
    clock: u8,
    back_steps: u8,
    /// The last version that each server has stored.
    stored: [u8; 2],
    owners: [Owner; 2],
    taken_over: bool,
    offset: u8,
    sink: Option<(Row, u8)>,
    lost_answers: u8,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    Change {
        exists: bool,
    },
    ClockStepsBack,
    /// The second owner's `acquire.lua`: on the same server, or on another.
    TakeOver {
        another_server: bool,
    },
    ReadStream(usize),
    /// `touch.lua`
    Touch(usize),
    ReadRow(usize),
    WriteSink(usize),
    AnswerLost(usize),
    /// `commit.lua`
    Commit(usize),
    TombstoneForgotten,
    /// The first owner, once it was replaced.
    Dies,
}

const CHANGES: u8 = 3;

impl Model for Versions {
    type State = State;
    type Action = Step;

    fn init_states(&self) -> Vec<State> {
        let row = Row { change: 0, exists: true };
        vec![State {
            row,
            messages: 0,
            two_servers: false,
            clock: 1,
            back_steps: 1,
            stored: [0; 2],
            owners: [self.taken(IDLE, 1), OUT],
            taken_over: false,
            offset: 0,
            sink: Some((row, 0)),
            lost_answers: 1,
        }]
    }

    fn actions(&self, state: &State, steps: &mut Vec<Step>) {
        if state.messages < CHANGES {
            steps.extend([Step::Change { exists: true }, Step::Change { exists: false }]);
        }
        // On two servers a clock that is behind is a matter of clock synchronization, not of the rule.
        if state.back_steps > 0 && !state.two_servers && state.clock > 1 {
            steps.push(Step::ClockStepsBack);
        }
        if !state.taken_over {
            steps.push(Step::TakeOver { another_server: false });
            // Assumed: the new master's clock is not behind the versions of the old one.
            if state.back_steps > 0 {
                steps.push(Step::TakeOver { another_server: true });
            }
        }
        if state.taken_over && state.owners[0].stage != Stage::Out {
            steps.push(Step::Dies);
        }
        for (index, owner) in state.owners.iter().enumerate() {
            match owner.stage {
                Stage::Idle if state.messages > owner.read => steps.push(Step::ReadStream(index)),
                Stage::Arrived => {
                    let early = !self.keeps(Rule::ReadAfterIssue);
                    match (owner.version, owner.row) {
                        (None, None) if early => steps.push(Step::ReadRow(index)),
                        (None, _) => steps.push(Step::Touch(index)),
                        (Some(_), None) => steps.push(Step::ReadRow(index)),
                        (Some(_), Some(_)) => steps.push(Step::WriteSink(index)),
                    }
                }
                Stage::Unanswered => steps.push(Step::WriteSink(index)),
                Stage::Ready => {
                    steps.push(Step::Commit(index));
                    if state.lost_answers > 0 {
                        steps.push(Step::AnswerLost(index));
                    }
                }
                _ => {}
            }
        }
        let tombstone = state.sink.is_some_and(|(row, _)| !row.exists);
        let in_mid_write = |owner: &Owner| owner.row.is_some();
        if tombstone && (!state.owners.iter().any(in_mid_write) || !self.keeps(Rule::TombstonesLast)) {
            steps.push(Step::TombstoneForgotten);
        }
    }

    fn next_state(&self, before: &State, step: Step) -> Option<State> {
        let mut state = before.clone();
        match step {
            Step::Change { exists } => {
                state.messages += 1;
                state.row = Row { change: state.messages, exists };
            }
            Step::ClockStepsBack => {
                state.back_steps -= 1;
                state.clock = 1;
            }
            Step::TakeOver { another_server } => {
                state.taken_over = true;
                state.two_servers = another_server;
                // Replicated when the failover was confirmed.
                state.stored[1] = state.stored[0];
                let begun = Owner { read: state.offset, ..IDLE };
                state.clock += 1;
                state.owners[1] = self.taken(begun, state.clock.max(state.stored[1] + 1));
            }
            Step::ReadStream(index) => {
                state.owners[index].stage = Stage::Arrived;
                state.owners[index].read = state.messages;
            }
            Step::Touch(index) => self.touch(&mut state, index),
            Step::ReadRow(index) => state.owners[index].row = Some(state.row),
            Step::WriteSink(index) => self.write(&mut state, index),
            Step::AnswerLost(index) => {
                state.lost_answers -= 1;
                state.owners[index].stage = Stage::Unanswered;
            }
            Step::Commit(index) => {
                let owner = state.owners[index];
                // Writes to the old master are lost with it.
                if index == 1 || !state.taken_over {
                    state.offset = owner.read;
                }
                state.owners[index] = match self.issue(&mut state, index) {
                    Some(version) => self.taken(Owner { read: owner.read, ..IDLE }, version),
                    None => OUT,
                };
            }
            Step::TombstoneForgotten => state.sink = None,
            Step::Dies => state.owners[0] = OUT,
        }
        Some(state)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        vec![
            Property::always("law 7: when all is at rest, the datastore has the row", |_, state: &State| {
                !state.is_at_rest() || state.has_row()
            }),
            Property::sometimes("a late write is refused", |_, state: &State| {
                state.is_at_rest()
                    && state.taken_over
                    && state.owners[0].stage == Stage::Out
                    && state.messages == CHANGES
            }),
        ]
    }
}

impl Versions {
    /// If versions are issued too early: with the lock, and not with a batch.
    fn taken(&self, owner: Owner, version: u8) -> Owner {
        if self.keeps(Rule::IssuedAfterArrival) { owner } else { Owner { version: Some(version), ..owner } }
    }

    fn touch(&self, state: &mut State, index: usize) {
        match self.issue(state, index) {
            Some(version) => state.owners[index].version = Some(version),
            None => state.owners[index] = OUT,
        }
    }

    /// The next version, if the owner still owns the lock.
    fn issue(&self, state: &mut State, index: usize) -> Option<u8> {
        if !state.owns(index) {
            return None;
        }
        let server = usize::from(state.two_servers && index == 1);
        state.clock += 1;
        let floor = if self.keeps(Rule::AboveTheStored) { state.stored[server] + 1 } else { 0 };
        let version = state.clock.max(floor);
        state.stored[server] = version;
        Some(version)
    }

    fn write(&self, state: &mut State, index: usize) {
        let owner = &mut state.owners[index];
        let (Some(version), Some(row)) = (owner.version, owner.row) else { return };
        let there = state.sink.map_or(0, |(_, version)| version);
        // An equal version is a retry of the same owner.
        if version >= there || !self.keeps(Rule::SinkTestsVersion) {
            state.sink = Some((row, version));
        }
        // A refusal counts as success: an owner whose version was issued later has read the row later, and written it.
        owner.stage = Stage::Ready;
    }
}

impl State {
    fn owns(&self, index: usize) -> bool {
        index == 1 || !self.taken_over || self.two_servers
    }

    fn is_at_rest(&self) -> bool {
        let resting = |owner: &Owner| match owner.stage {
            Stage::Idle => owner.read == self.messages,
            Stage::Out => true,
            _ => false,
        };
        self.owners.iter().all(resting)
    }

    fn has_row(&self) -> bool {
        match self.sink {
            Some((row, _)) => row == self.row,
            None => !self.row.exists,
        }
    }
}

impl Ruled for Versions {
    type Rule = Rule;
    const NAME: &'static str = "versions";
    const BOUNDS: &'static str = "3 changes or deletes of one row, a paused owner and its successor on one server or two, 1 step back of the clock, 1 lost answer";
    const RULES: &'static [(Rule, &'static str)] = &[
        (Rule::SinkTestsVersion, AT_REST),
        (Rule::IssuedAfterArrival, AT_REST),
        (Rule::AboveTheStored, AT_REST),
        (Rule::ReadAfterIssue, AT_REST),
        (Rule::TombstonesLast, AT_REST),
    ];

    fn without(rule: Option<Rule>) -> Self {
        Self { without: rule }
    }
}

const AT_REST: &str = "law 7: when all is at rest, the datastore has the row";

#[cfg(test)]
crate::check::tests_of!(Versions);
