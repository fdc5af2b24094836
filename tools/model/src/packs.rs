//! Entries of several messages: a change of two rows, a consumer that handles an entry in parts, and a consumer of an
//! earlier version, which cannot read such entries and joins at any moment. Laws 1, 8 and 9.
//!
//! The handler of the newer consumer can never handle the second message. The earlier one begins after what is in the
//! stream when it joins.

mod consumers;

use stateright::{Model, Property};

use crate::check::Ruled;
use consumers::{Newer, Older};

/// The rules, and what happens without each.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Rule {
    /// An offset passes an entry with its last message.
    EntryIsCommittedAtItsEnd,
    /// Dead letters of a part are written with the commit that passes the entry.
    DeadLettersWaitForTheirEntry,
    /// The id of a message has its position in the entry.
    IdHasPosition,
    /// The registry is read in the request that added a pack, after it.
    RegistryIsReadAfterThePack,
    /// The script of the delayer reads the registry.
    MoveReadsRegistry,
    /// An entry of delay messages is removed with the last of them that is announced.
    DelaysGoWithTheLast,
}

/// The model, without one of its rules or with all of them.
#[derive(Clone, Debug)]
pub(crate) struct Packs {
    without: Option<Rule>,
}

impl Packs {
    fn keeps(&self, rule: Rule) -> bool {
        self.without != Some(rule)
    }
}

/// An entry of the main stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Entry {
    Pack,
    Single(usize),
}

/// How the two rows are announced.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Way {
    /// By one call, and the delay messages stay.
    Insured,
    /// By one call that is repeated until it succeeds, without delay messages: a relay, a reindex.
    Repeated,
    /// By one script for each, and the delay messages are removed.
    Removing,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Writer {
    Idle,
    Looked { gives_packs: bool },
    Added { packed: bool },
    Half,
    Gone,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct State {
    way: Way,
    writer: Writer,
    /// By a main message that all consumers which were registered can read.
    announced: [bool; 2],
    /// An entry with the delay messages of both rows waits.
    delayed: bool,
    stream: Vec<Entry>,
    newer: Newer,
    older: Option<Older>,
    /// How many more crashes there may be.
    crashes: u8,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    Look,
    Add,
    /// Handles the notes that came with the acknowledgement.
    Check,
    /// `announce.lua`, for the first row
    AnnounceFirst,
    /// `announce.lua`, for the second row
    AnnounceSecond,
    WriterCrashes,
    /// `delay.lua`
    Delay,
    NewerHandles,
    /// `commit.lua`
    NewerCommits,
    NewerCrashes,
    /// `register.lua`
    OlderJoins,
    OlderHandles,
}

impl Model for Packs {
    type State = State;
    type Action = Step;

    fn init_states(&self) -> Vec<State> {
        let state = |way| State {
            way,
            writer: Writer::Idle,
            announced: [false; 2],
            delayed: way != Way::Repeated,
            stream: Vec::new(),
            newer: Newer::default(),
            older: None,
            crashes: 2,
        };
        [Way::Insured, Way::Repeated, Way::Removing].map(state).to_vec()
    }

    fn actions(&self, state: &State, steps: &mut Vec<Step>) {
        match (state.way, state.writer) {
            (Way::Removing, Writer::Idle) => steps.push(Step::AnnounceFirst),
            (Way::Removing, Writer::Half) => steps.push(Step::AnnounceSecond),
            (_, Writer::Idle) => steps.push(Step::Look),
            (_, Writer::Looked { .. }) => steps.push(Step::Add),
            (_, Writer::Added { .. }) => steps.push(Step::Check),
            (_, Writer::Half | Writer::Gone) => {}
        }
        if state.writer != Writer::Gone && state.crashes > 0 {
            steps.push(Step::WriterCrashes);
        }
        // It falls due at any moment.
        if state.delayed {
            steps.push(Step::Delay);
        }
        if state.newer.can_handle(state.stream.len()) {
            steps.push(Step::NewerHandles);
        }
        if state.newer.can_commit(self.keeps(Rule::EntryIsCommittedAtItsEnd)) {
            steps.push(Step::NewerCommits);
        }
        if state.crashes > 0 {
            steps.push(Step::NewerCrashes);
        }
        match &state.older {
            None => steps.push(Step::OlderJoins),
            Some(older) if older.offset < state.stream.len() => steps.push(Step::OlderHandles),
            Some(_) => {}
        }
    }

    fn next_state(&self, before: &State, step: Step) -> Option<State> {
        let mut state = before.clone();
        match step {
            Step::Look => state.writer = Writer::Looked { gives_packs: state.older.is_none() },
            Step::Add => {
                let Writer::Looked { gives_packs } = state.writer else { return None };
                state.add(gives_packs);
                state.writer = Writer::Added { packed: gives_packs };
            }
            Step::Check => {
                let is_unread = state.writer == Writer::Added { packed: true } && state.older.is_some();
                if is_unread && self.keeps(Rule::RegistryIsReadAfterThePack) {
                    state.add(false);
                }
                state.announced = [true; 2];
                state.writer = Writer::Gone;
            }
            Step::AnnounceFirst => {
                state.stream.push(Entry::Single(0));
                state.announced[0] = true;
                state.delayed &= self.keeps(Rule::DelaysGoWithTheLast);
                state.writer = Writer::Half;
            }
            Step::AnnounceSecond => {
                state.stream.push(Entry::Single(1));
                (state.announced[1], state.delayed) = (true, false);
                state.writer = Writer::Gone;
            }
            Step::WriterCrashes => {
                state.crashes -= 1;
                state.writer = if state.way == Way::Repeated { Writer::Idle } else { Writer::Gone };
            }
            Step::Delay => {
                state.delayed = false;
                state.announced = [true; 2];
                state.add(state.older.is_none() || !self.keeps(Rule::MoveReadsRegistry));
            }
            Step::NewerHandles => state.newer.handle(&state.stream, self.keeps(Rule::IdHasPosition)),
            Step::NewerCommits => state.newer.commit(self.keeps(Rule::EntryIsCommittedAtItsEnd)),
            Step::NewerCrashes => {
                state.crashes -= 1;
                state.newer.crash(self.keeps(Rule::DeadLettersWaitForTheirEntry));
            }
            Step::OlderJoins => {
                let is_coming = state.delayed || state.writer != Writer::Gone;
                let owed = state.announced.map(|announced| is_coming && !announced);
                state.older = Some(Older { offset: state.stream.len(), owed });
            }
            Step::OlderHandles => state.older.as_mut()?.handle(&state.stream),
        }
        Some(state)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        vec![
            Property::always(LAWS_1_AND_8, |_, state: &State| {
                !state.is_at_rest() || (state.newer.handled[0] && state.newer.dead[1] > 0)
            }),
            Property::always(LAW_8, |_, state: &State| state.newer.dead[0] == 0 || state.newer.handled[0]),
            Property::always(ONCE, |_, state: &State| {
                usize::from(state.newer.dead[1]) <= state.newer.passed(&state.stream)
            }),
            Property::always(LAW_1, |_, state: &State| {
                !state.is_at_rest() || state.older.as_ref().is_none_or(|older| older.owed == [false; 2])
            }),
            Property::sometimes("an entry is handled in parts", |_, state: &State| state.newer.is_inside()),
            Property::sometimes("the earlier consumer handles what it is owed", |_, state: &State| {
                state.is_at_rest() && state.older.as_ref().is_some_and(|older| older.offset > 0)
            }),
        ]
    }
}

impl State {
    fn add(&mut self, packed: bool) {
        if packed {
            self.stream.push(Entry::Pack);
        } else {
            self.stream.extend([Entry::Single(0), Entry::Single(1)]);
        }
    }

    /// Nothing is to be announced, moved or handled any more.
    fn is_at_rest(&self) -> bool {
        let all = self.stream.len();
        self.writer == Writer::Gone
            && !self.delayed
            && self.newer.is_at(all)
            && self.older.as_ref().is_none_or(|older| older.offset == all)
    }
}

const LAWS_1_AND_8: &str =
    "laws 1 and 8: at rest the newer consumer has handled the first row, and the second is its dead letter";
const LAW_8: &str = "law 8: no message is given up in the place of another one";
const ONCE: &str = "law 9: a dead letter is written once for each entry that is passed";
const LAW_1: &str = "law 1: at rest the earlier consumer has handled what was announced since it joined";

impl Ruled for Packs {
    type Rule = Rule;
    const NAME: &'static str = "packs";
    const BOUNDS: &'static str =
        "a change of 2 rows, announced in 3 ways, a delayer, 2 consumers, of which one joins at any moment; 2 crashes";
    const RULES: &'static [(Rule, &'static str)] = &[
        (Rule::EntryIsCommittedAtItsEnd, LAWS_1_AND_8),
        (Rule::DeadLettersWaitForTheirEntry, ONCE),
        (Rule::IdHasPosition, LAWS_1_AND_8),
        (Rule::RegistryIsReadAfterThePack, LAW_1),
        (Rule::MoveReadsRegistry, LAW_1),
        (Rule::DelaysGoWithTheLast, LAWS_1_AND_8),
    ];

    fn without(rule: Option<Rule>) -> Self {
        Self { without: rule }
    }
}

#[cfg(test)]
crate::check::tests_of!(Packs);
