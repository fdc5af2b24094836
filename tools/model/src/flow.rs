//! The flow of a change: two writers of one row, the delayer, two hosts of one consumer, the trimmer. Laws 1, 2, 4, 5,
//! 6 and 7.
//!
//! A pause of a host is not a separate step: a host that does nothing while others act and its lock expires is paused.

mod hosts;
mod writers;

use stateright::{Model, Property};

use self::hosts::{Host, hosts_steps};
use self::writers::{Delay, Writer, remove_due};
use crate::check::Ruled;

/// The rules, and what happens without each.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Rule {
    /// COMMIT is sent after the delay message was acknowledged.
    InsuredBeforeCommit,
    /// A delay message does not become due before its COMMIT was executed (counterexample 1).
    DelayOutlastsCommit,
    /// The delayer moves in one script, which a crash cannot interrupt.
    MoveInOneScript,
    /// A batch is committed after it was handled.
    CommitAfterHandling,
    /// The commit checks the owner of the lock.
    CommitTestsOwner,
    /// It also checks that the offset moves forward. Without the first check only this one keeps it from going back;
    /// here both are taken out.
    CommitIsFenced,
    /// A lock that has expired is acquired again only by its last owner.
    OnlyTheLastTakesAgain,
    /// The release checks the owner of the lock.
    ReleaseTestsOwner,
    /// The trimmer uses the offset, and not the newest message.
    TrimByOffset,
    /// The datastore refuses a version that is older than its own (counterexample 2).
    SinkTestsVersion,
    /// A transaction that is rolled back announces nothing.
    AnnounceAfterCommit,
}

/// The model, without one of its rules or with all of them.
#[derive(Clone, Debug)]
pub(crate) struct Flow {
    without: Option<Rule>,
}

impl Flow {
    fn keeps(&self, rule: Rule) -> bool {
        self.without != Some(rule)
    }
}

#[expect(clippy::struct_excessive_bools, reason = "each is one thing that must never have happened")]
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct State {
    /// How many transactions have changed the row: its value.
    row: u8,
    writers: [Writer; 2],
    delays: [Delay; 2],
    /// If the move is not one script: delay messages that were removed and not yet added.
    in_hand: bool,
    /// The id of the newest main message.
    last: u8,
    /// Everything up to here was trimmed.
    trimmed: u8,
    offset: u8,
    owner: Option<u8>,
    tokens: u8,
    version: u8,
    /// What the datastore has: the row's value, and the version that wrote it.
    sink: (u8, u8),
    hosts: [Host; 2],
    /// How many more crashes of hosts, and expiries under a living owner, there may be.
    crashes: u8,
    expiries: u8,
    /// How often a host may stop, and release its lock.
    stops: u8,
    // What must never have happened.
    offset_went_back: bool,
    other_committed: bool,
    other_released: bool,
    announced_uncommitted: bool,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    Write(usize),
    Insure(usize),
    SendCommit(usize),
    CommitLands(usize),
    CommitFails(usize),
    RollBack(usize),
    Announce(usize),
    WriterCrashes(usize),
    DelayFallsDue(usize),
    /// `delay.lua`
    Delay,
    DelayerRemoves,
    DelayerAdds,
    DelayerCrashes,
    /// `trim.lua`
    Trim,
    /// `acquire.lua`
    Acquire(usize),
    ReadStream(usize),
    /// `touch.lua`
    Touch(usize),
    ReadRow(usize),
    WriteSink(usize),
    /// `commit.lua`
    Commit(usize),
    /// `release.lua`
    Release(usize),
    HostCrashes(usize),
    LockExpires,
}

impl Model for Flow {
    type State = State;
    type Action = Step;

    fn init_states(&self) -> Vec<State> {
        vec![State {
            row: 0,
            writers: [Writer::Idle; 2],
            delays: [Delay::None; 2],
            in_hand: false,
            last: 0,
            trimmed: 0,
            offset: 0,
            owner: None,
            tokens: 0,
            version: 0,
            sink: (0, 0),
            hosts: [Host::Out; 2],
            crashes: 1,
            // One less in the tests, which must not take a minute.
            expiries: if cfg!(test) { 1 } else { 2 },
            stops: 1,
            offset_went_back: false,
            other_committed: false,
            other_released: false,
            announced_uncommitted: false,
        }]
    }

    fn actions(&self, state: &State, steps: &mut Vec<Step>) {
        for writer in 0..2 {
            self.writers_steps(state, writer, steps);
        }
        for host in 0..2 {
            hosts_steps(state, host, steps);
        }
        if state.delays.contains(&Delay::Due) && !state.in_hand {
            steps.push(if self.keeps(Rule::MoveInOneScript) { Step::Delay } else { Step::DelayerRemoves });
        }
        if state.in_hand {
            steps.extend([Step::DelayerAdds, Step::DelayerCrashes]);
        }
        if self.trims_to(state) > state.trimmed {
            steps.push(Step::Trim);
        }
        if let Some(owner) = state.owner {
            let alive = state.hosts.iter().any(|host| host.token() == Some(owner));
            if !alive || state.expiries > 0 {
                steps.push(Step::LockExpires);
            }
        }
    }

    fn next_state(&self, before: &State, step: Step) -> Option<State> {
        let mut state = before.clone();
        match step {
            Step::Write(w) => state.writers[w] = Writer::Written,
            Step::Insure(w) => {
                state.delays[w] = Delay::Waiting;
                state.writers[w] = match state.writers[w] {
                    Writer::Written => Writer::Insured,
                    // Insured too late: the COMMIT has been sent.
                    other => other,
                };
            }
            Step::SendCommit(w) => state.writers[w] = Writer::Committing { alive: true },
            Step::CommitLands(w) => {
                state.row += 1;
                let alive = state.writers[w] == Writer::Committing { alive: true };
                state.writers[w] = if alive { Writer::Committed } else { Writer::Gone };
            }
            Step::CommitFails(w) | Step::RollBack(w) => state.writers[w] = Writer::Gone,
            Step::Announce(w) => {
                state.announced_uncommitted |= state.writers[w] != Writer::Committed;
                state.last += 1;
                state.writers[w] = Writer::Gone;
            }
            Step::WriterCrashes(w) => {
                state.writers[w] = match state.writers[w] {
                    Writer::Committing { .. } => Writer::Committing { alive: false },
                    _ => Writer::Gone,
                };
            }
            Step::DelayFallsDue(w) => state.delays[w] = Delay::Due,
            Step::Delay => {
                remove_due(&mut state);
                state.last += 1;
            }
            Step::DelayerRemoves => {
                remove_due(&mut state);
                state.in_hand = true;
            }
            Step::DelayerAdds => {
                state.in_hand = false;
                state.last += 1;
            }
            Step::DelayerCrashes => state.in_hand = false,
            Step::Trim => state.trimmed = self.trims_to(before),
            Step::LockExpires => {
                if state.hosts.iter().any(|host| host.token() == state.owner) {
                    state.expiries -= 1;
                }
                state.owner = None;
            }
            Step::Acquire(h)
            | Step::ReadStream(h)
            | Step::Touch(h)
            | Step::ReadRow(h)
            | Step::WriteSink(h)
            | Step::Commit(h)
            | Step::Release(h)
            | Step::HostCrashes(h) => self.host_acts(&mut state, h, &step),
        }
        Some(state)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        vec![
            Property::always("laws 1, 2 and 7: when all is at rest, the datastore has the row", |_, state: &State| {
                !state.is_at_rest() || state.sink.0 == state.row
            }),
            Property::always("law 4: nothing that is not committed is announced", |_, state: &State| {
                !state.announced_uncommitted
            }),
            Property::always("law 5: offsets move forward only", |_, state: &State| !state.offset_went_back),
            Property::always("law 5: the owner alone moves them", |_, state: &State| !state.other_committed),
            Property::always("law 5: no worker releases the lock of another", |_, state: &State| !state.other_released),
            Property::always("law 6: what is trimmed was committed", |_, state: &State| state.trimmed <= state.offset),
            Property::sometimes("two changes are consumed", |_, state: &State| state.is_at_rest() && state.sink.0 == 2),
            Property::sometimes("a change is repaired by the delayer alone", |_, state: &State| {
                // Another main message would be a second one.
                state.is_at_rest() && state.sink.0 == 1 && state.last == 1
            }),
        ]
    }
}

impl Flow {
    fn trims_to(&self, state: &State) -> u8 {
        if self.keeps(Rule::TrimByOffset) { state.offset } else { state.last }
    }
}

impl State {
    /// No process has any work left: no writer in a transaction, no delay message, no message that can be read.
    fn is_at_rest(&self) -> bool {
        let readable = self.last > self.offset.max(self.trimmed);
        let resting = |host: &Host| match host {
            Host::Out => !readable,
            Host::Idle { read, .. } => self.last <= (*read).max(self.trimmed),
            _ => false,
        };
        self.writers.iter().all(|writer| matches!(writer, Writer::Idle | Writer::Gone))
            && self.delays == [Delay::None; 2]
            && !self.in_hand
            && self.hosts.iter().all(resting)
    }
}

impl Ruled for Flow {
    type Rule = Rule;
    const NAME: &'static str = "flow";
    const BOUNDS: &'static str = "2 writers of one row, 1 delayer, 1 trimmer, 2 hosts; each writer may crash, 1 crash of a host, 2 pauses longer than the TTL, 1 stop";
    const RULES: &'static [(Rule, &'static str)] = &[
        (Rule::InsuredBeforeCommit, AT_REST),
        (Rule::DelayOutlastsCommit, AT_REST),
        (Rule::MoveInOneScript, AT_REST),
        (Rule::CommitAfterHandling, AT_REST),
        (Rule::CommitTestsOwner, "law 5: the owner alone moves them"),
        (Rule::CommitIsFenced, "law 5: offsets move forward only"),
        (Rule::OnlyTheLastTakesAgain, "law 5: the owner alone moves them"),
        (Rule::ReleaseTestsOwner, "law 5: no worker releases the lock of another"),
        (Rule::TrimByOffset, "law 6: what is trimmed was committed"),
        (Rule::SinkTestsVersion, AT_REST),
        (Rule::AnnounceAfterCommit, "law 4: nothing that is not committed is announced"),
    ];

    fn without(rule: Option<Rule>) -> Self {
        Self { without: rule }
    }
}

const AT_REST: &str = "laws 1, 2 and 7: when all is at rest, the datastore has the row";

#[cfg(test)]
crate::check::tests_of!(Flow);
