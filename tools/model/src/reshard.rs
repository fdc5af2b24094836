//! Changing the number of shards by generations: writers move from the old streams to the new, and a gate blocks the
//! new consumers until the old streams are drained. Law 7 for one key.

use stateright::{Model, Property};

use crate::check::Ruled;

/// The rules, and what happens without each.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Rule {
    /// The gate opens only when the old delay streams are empty, too (counterexample 12).
    DelaysDrained,
    /// The gate opens only when no writer of the old map is running.
    WritersGone,
    /// The gate opens only when the old consumers have committed all.
    MainDrained,
}

/// The model, without one of its rules or with all of them.
#[derive(Clone, Debug)]
pub(crate) struct Reshard {
    without: Option<Rule>,
}

impl Reshard {
    fn keeps(&self, rule: Rule) -> bool {
        self.without != Some(rule)
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Writer {
    Idle,
    Insured,
    Committed,
    Done,
}

/// One generation's streams: how many messages wait, and whether its consumer handles one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
struct Generation {
    delays: u8,
    main: u8,
    handling: bool,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct State {
    generations: [Generation; 2],
    /// Each with the map it was started with: the first two with the old one.
    writers: [(Writer, usize); 3],
    open: bool,
    committed: u8,
    handled_last: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    Insure(usize),
    Commit(usize),
    Announce(usize),
    WriterEnds(usize),
    Move(usize),
    Handle(usize),
    Handled(usize),
    GateOpens,
}

impl Model for Reshard {
    type State = State;
    type Action = Step;

    fn init_states(&self) -> Vec<State> {
        let writers = [(Writer::Idle, 0), (Writer::Idle, 0), (Writer::Idle, 1)];
        vec![State { generations: [Generation::default(); 2], writers, open: false, committed: 0, handled_last: true }]
    }

    fn actions(&self, state: &State, steps: &mut Vec<Step>) {
        for (index, (writer, _)) in state.writers.iter().enumerate() {
            match writer {
                Writer::Idle => steps.extend([Step::Insure(index), Step::WriterEnds(index)]),
                Writer::Insured => steps.extend([Step::Commit(index), Step::WriterEnds(index)]),
                Writer::Committed => steps.extend([Step::Announce(index), Step::WriterEnds(index)]),
                Writer::Done => {}
            }
        }
        for (index, generation) in state.generations.iter().enumerate() {
            // A delay message outlasts its transaction: it becomes due when no writer to which it could belong is in
            // one.
            let waits = state.writers.iter().any(|(writer, map)| *map == index && *writer == Writer::Insured);
            if generation.delays > 0 && !waits {
                steps.push(Step::Move(index));
            }
            if generation.handling {
                steps.push(Step::Handled(index));
            } else if generation.main > 0 && (index == 0 || state.open) {
                steps.push(Step::Handle(index));
            }
        }
        if !state.open && self.may_open(state) {
            steps.push(Step::GateOpens);
        }
    }

    fn next_state(&self, before: &State, step: Step) -> Option<State> {
        let mut state = before.clone();
        match step {
            Step::Insure(w) => {
                state.generations[state.writers[w].1].delays += 1;
                state.writers[w].0 = Writer::Insured;
            }
            Step::Commit(w) => {
                state.committed += 1;
                state.handled_last = false;
                state.writers[w].0 = Writer::Committed;
            }
            Step::Announce(w) => {
                state.generations[state.writers[w].1].main += 1;
                state.writers[w].0 = Writer::Done;
            }
            Step::WriterEnds(w) => state.writers[w].0 = Writer::Done,
            Step::Move(index) => {
                state.generations[index].delays -= 1;
                state.generations[index].main += 1;
            }
            Step::Handle(index) => {
                state.generations[index].main -= 1;
                state.generations[index].handling = true;
                // What is read now is the newest.
                state.handled_last = true;
            }
            Step::Handled(index) => state.generations[index].handling = false,
            Step::GateOpens => state.open = true,
        }
        Some(state)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        vec![
            Property::always(ONE_HANDLER, |_, state: &State| {
                !state.generations.iter().all(|generation| generation.handling)
            }),
            Property::always("law 1: when all is at rest, every committed change was handled", |_, state: &State| {
                let drained = |generation: &Generation| *generation == Generation::default();
                let done = state.writers.iter().all(|(writer, _)| *writer == Writer::Done);
                !(done && state.open && state.generations.iter().all(drained)) || state.handled_last
            }),
            Property::sometimes("all writers' changes are handled", |_, state: &State| {
                state.open && state.committed == 3 && state.generations == [Generation::default(); 2]
            }),
        ]
    }
}

impl Reshard {
    fn may_open(&self, state: &State) -> bool {
        let old = state.generations[0];
        let alive = state.writers.iter().any(|(writer, map)| *map == 0 && *writer != Writer::Done);
        (!self.keeps(Rule::WritersGone) || !alive)
            && (!self.keeps(Rule::DelaysDrained) || old.delays == 0)
            && (!self.keeps(Rule::MainDrained) || old.main == 0 && !old.handling)
    }
}

impl Ruled for Reshard {
    type Rule = Rule;
    const NAME: &'static str = "reshard";
    const BOUNDS: &'static str =
        "2 writers of the old map and 1 of the new, each of which may crash anywhere, on one key";
    const RULES: &'static [(Rule, &'static str)] =
        &[(Rule::DelaysDrained, ONE_HANDLER), (Rule::WritersGone, ONE_HANDLER), (Rule::MainDrained, ONE_HANDLER)];

    fn without(rule: Option<Rule>) -> Self {
        Self { without: rule }
    }
}

const ONE_HANDLER: &str = "law 7: one handler of a key at a time";

#[cfg(test)]
crate::check::tests_of!(Reshard);
