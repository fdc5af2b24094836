//! A failover to a replica that lags: sessions, cursors, and the script that announces and removes. Law 1, if delay
//! messages are confirmed by the replica.
//!
//! The old master's commands reach the replica in order and late; in the failover those that have not are lost.

mod server;

use stateright::{Model, Property};

use self::server::{Command, Server};
use crate::check::Ruled;

/// The rules, and what happens without each.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Rule {
    /// A session ends with its server: the next one starts from the stored offset (counterexample 5).
    CursorEndsWithSession,
    /// A session's connections lead to one server (counterexample 6).
    OneServerASession,
    /// the announcing script adds the main message and removes the delay message in one script (counterexample 7).
    AnnounceInOneScript,
    /// A delay message is confirmed by the replica before COMMIT.
    DelayConfirmed,
}

/// The model, without one of its rules or with all of them.
#[derive(Clone, Debug)]
pub(crate) struct Failover {
    without: Option<Rule>,
}

impl Failover {
    fn keeps(&self, rule: Rule) -> bool {
        self.without != Some(rule)
    }
}

const CHANGES: u8 = 2;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Writer {
    Idle,
    Insured,
    Committed,
    /// the announcing script in two commands: the main message is acknowledged.
    HalfAnnounced,
    Done,
}

/// The consumer: the server it reads from, the server it commits to, and its position.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Session {
    reads: Place,
    commits: Place,
    cursor: u8,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Place {
    Old,
    New,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct State {
    old: Server,
    replica: Server,
    /// Commands of the old master that the replica does not have.
    log: Vec<Command>,
    failed_over: bool,
    writers: [Writer; CHANGES as usize],
    session: Option<Session>,
    /// State that a new session takes over from the previous one, though it must not.
    kept: Option<u8>,
    /// Changes that were handled after their COMMIT, one bit each.
    handled: u8,
    committed: u8,
    ends: u8,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    Replicate,
    FailOver,
    Insure(usize),
    Commit(usize),
    Announce(usize),
    AnnounceAndRemove(usize),
    RemoveDelay(usize),
    WriterCrashes(usize),
    Move,
    Connect { reads: Place, commits: Place },
    Handle,
    SessionEnds,
}

impl Model for Failover {
    type State = State;
    type Action = Step;

    fn init_states(&self) -> Vec<State> {
        vec![State {
            old: Server::default(),
            replica: Server::default(),
            log: Vec::new(),
            failed_over: false,
            writers: [Writer::Idle; CHANGES as usize],
            session: None,
            kept: None,
            handled: 0,
            committed: 0,
            ends: 1,
        }]
    }

    fn actions(&self, state: &State, steps: &mut Vec<Step>) {
        if !state.failed_over {
            steps.push(Step::FailOver);
            if !state.log.is_empty() {
                steps.push(Step::Replicate);
            }
        }
        for writer in 0..state.writers.len() {
            self.writers_steps(state, writer, steps);
        }
        // A delay message outlasts its transaction.
        let oldest = state.master().delays.first();
        if oldest.is_some_and(|change| state.writers[usize::from(*change)] != Writer::Insured) {
            steps.push(Step::Move);
        }
        match state.session {
            None => self.connects(state, steps),
            Some(session) => {
                if state.server(session.reads).last() > session.cursor {
                    steps.push(Step::Handle);
                }
                // The old master's connections break at some time after it was replaced.
                if state.ends > 0 || state.failed_over && state.uses_old() {
                    steps.push(Step::SessionEnds);
                }
            }
        }
    }

    fn next_state(&self, before: &State, step: Step) -> Option<State> {
        let mut state = before.clone();
        match step {
            Step::Replicate => {
                let command = state.log.remove(0);
                state.replica.run(&command);
            }
            Step::FailOver => {
                state.failed_over = true;
                state.log.clear();
            }
            Step::Insure(w) => {
                state.run(Command::Delay(change(w)));
                state.writers[w] = Writer::Insured;
            }
            Step::Commit(w) => {
                state.committed |= bit(change(w));
                state.writers[w] = Writer::Committed;
            }
            Step::Announce(w) => {
                state.run(Command::Main(change(w)));
                state.writers[w] = Writer::Done;
            }
            Step::AnnounceAndRemove(w) if self.keeps(Rule::AnnounceInOneScript) => {
                state.run(Command::AnnounceAndRemove(change(w)));
                state.writers[w] = Writer::Done;
            }
            Step::AnnounceAndRemove(w) => {
                state.run(Command::Main(change(w)));
                state.writers[w] = Writer::HalfAnnounced;
            }
            Step::RemoveDelay(w) => {
                state.run(Command::RemoveDelay(change(w)));
                state.writers[w] = Writer::Done;
            }
            Step::WriterCrashes(w) => state.writers[w] = Writer::Done,
            Step::Move => state.run(Command::Move),
            Step::Connect { reads, commits } => self.connect(&mut state, reads, commits),
            Step::Handle => state.handle(),
            Step::SessionEnds => {
                let ended_by_itself = !(state.failed_over && state.uses_old());
                state.ends -= u8::from(ended_by_itself);
                state.kept = state.session.take().map(|session| session.cursor);
            }
        }
        Some(state)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        vec![
            Property::always(AT_REST, |_, state: &State| !state.is_at_rest() || state.committed & !state.handled == 0),
            Property::sometimes("two changes are handled, and the failover lost something", |_, state: &State| {
                state.is_at_rest()
                    && state.handled == bit(0) | bit(1)
                    && state.failed_over
                    && state.old != state.replica
            }),
        ]
    }
}

impl Failover {
    fn writers_steps(&self, state: &State, w: usize, steps: &mut Vec<Step>) {
        match state.writers[w] {
            Writer::Idle => steps.push(Step::Insure(w)),
            Writer::Insured => {
                // Whether the replica has it. After a failover the replica is the master: if it does not have it, the
                // confirmation failed.
                let confirmed = state.replica.delays.contains(&change(w)) || state.replica.main.contains(&change(w));
                if confirmed || !self.keeps(Rule::DelayConfirmed) {
                    steps.push(Step::Commit(w));
                }
                steps.push(Step::WriterCrashes(w));
            }
            Writer::Committed => steps.extend([Step::Announce(w), Step::AnnounceAndRemove(w), Step::WriterCrashes(w)]),
            Writer::HalfAnnounced => steps.extend([Step::RemoveDelay(w), Step::WriterCrashes(w)]),
            Writer::Done => {}
        }
    }

    fn connects(&self, state: &State, steps: &mut Vec<Step>) {
        if !state.failed_over {
            steps.push(Step::Connect { reads: Place::Old, commits: Place::Old });
            return;
        }
        steps.push(Step::Connect { reads: Place::New, commits: Place::New });
        if !self.keeps(Rule::OneServerASession) && state.ends > 0 {
            steps.push(Step::Connect { reads: Place::Old, commits: Place::New });
        }
    }

    fn connect(&self, state: &mut State, reads: Place, commits: Place) {
        let stored = state.server(commits).offset;
        let kept = state.kept.take().filter(|_| !self.keeps(Rule::CursorEndsWithSession));
        state.session = Some(Session { reads, commits, cursor: kept.unwrap_or(stored) });
    }
}

impl State {
    /// No writer, no delay message, and a consumer that has read all that the master has.
    fn is_at_rest(&self) -> bool {
        let done = self.writers.iter().all(|writer| *writer == Writer::Done);
        let read_all = |session: Session| session.reads == self.place() && self.master().last() <= session.cursor;
        done && self.master().delays.is_empty() && self.session.is_some_and(read_all)
    }

    fn place(&self) -> Place {
        if self.failed_over { Place::New } else { Place::Old }
    }

    fn server(&self, place: Place) -> &Server {
        if place == Place::Old { &self.old } else { &self.replica }
    }

    fn server_mut(&mut self, place: Place) -> &mut Server {
        if place == Place::Old { &mut self.old } else { &mut self.replica }
    }

    fn master(&self) -> &Server {
        self.server(self.place())
    }

    fn uses_old(&self) -> bool {
        self.session.is_some_and(|session| session.reads == Place::Old || session.commits == Place::Old)
    }

    /// On the master, and later on its replica.
    fn run(&mut self, command: Command) {
        let place = self.place();
        self.server_mut(place).run(&command);
        if place == Place::Old {
            self.log.push(command);
        }
    }

    /// The next message is handled, and committed.
    fn handle(&mut self) {
        let Some(mut session) = self.session else { return };
        let change = self.server(session.reads).main[usize::from(session.cursor)];
        // If handled before its COMMIT, the old row is read.
        self.handled |= bit(change) & self.committed;
        session.cursor += 1;
        if session.commits == Place::Old && !self.failed_over {
            self.run(Command::Offset(session.cursor));
        } else {
            let server = self.server_mut(session.commits);
            server.offset = server.offset.max(session.cursor);
        }
        self.session = Some(session);
    }
}

fn change(writer: usize) -> u8 {
    u8::try_from(writer).unwrap_or(u8::MAX)
}

fn bit(change: u8) -> u8 {
    1 << change
}

impl Ruled for Failover {
    type Rule = Rule;
    const NAME: &'static str = "failover";
    const BOUNDS: &'static str = "2 changes, each announced, announced with its delay message removed, or neither, \
                                  1 failover at any moment, 1 end of a session without one";
    const RULES: &'static [(Rule, &'static str)] = &[
        (Rule::CursorEndsWithSession, AT_REST),
        (Rule::OneServerASession, AT_REST),
        (Rule::AnnounceInOneScript, AT_REST),
        (Rule::DelayConfirmed, AT_REST),
    ];

    fn without(rule: Option<Rule>) -> Self {
        Self { without: rule }
    }
}

const AT_REST: &str = "law 1: when all is at rest, every committed change was handled";

#[cfg(test)]
crate::check::tests_of!(Failover);
