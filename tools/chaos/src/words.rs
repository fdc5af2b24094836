//! The messages to and from a process: lines of JSON on its standard input and output.

use serde::{Deserialize, Serialize};

use crate::site::Site;

/// The job of a process: the first line of its standard input.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Job {
    pub(crate) role: Role,
    pub(crate) site: Site,
    /// How often it was started before.
    pub(crate) life: u32,
    pub(crate) trap: Option<Trap>,
    /// Whether the faults are over.
    pub(crate) calm: bool,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) enum Role {
    Writer {
        number: u32,
        seed: u64,
        busy_ms: u64,
        poison: Vec<i64>,
    },
    Workers {
        seed: u64,
        mood: Mood,
        late_ms: u64,
    },
    Relay,
    /// It reindexes the search index, and swaps it.
    Operator,
}

/// How reliable a handler is: the share of its calls that go wrong, in percent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Mood {
    pub(crate) errors: u8,
    pub(crate) panics: u8,
    pub(crate) slow: u8,
    /// Those that block their thread for longer than the lock's TTL.
    pub(crate) blocking: u8,
    /// The largest batch.
    pub(crate) batch: usize,
}

/// What a process does to itself at the `nth` crossing of `point`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Trap {
    pub(crate) point: String,
    pub(crate) nth: u32,
    pub(crate) act: Act,
}

#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) enum Act {
    /// SIGKILL.
    Kill,
    /// SIGKILL this many microseconds later, within the operation that runs by then.
    KillAfter(u64),
    /// SIGSTOP; the harness continues the process after this many ms.
    Stop(u64),
    /// The harness kills Redis, and starts it again after this many ms.
    KillRedis(u64),
}

/// A report of a process.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) enum Word {
    Crossed(String),
    Trapped {
        point: String,
        act: Act,
    },
    Wrote(Written),
    /// A consumer's handler begins with the messages from the first to the last.
    Handling {
        consumer: String,
        first: String,
        last: String,
        len: usize,
    },
    Handled {
        consumer: String,
        outcome: String,
        /// It was interrupted, and not because the grace period of a stop had passed.
        too_soon: bool,
    },
    /// It was not requested.
    Panicked(String),
    /// This step of the plan of the search index is done.
    Step(usize),
    /// The search index is not as it must be.
    Wrong(String),
    Done,
}

/// One write, from its writer's point of view.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Written {
    pub(crate) number: u32,
    pub(crate) kind: String,
    /// The values that are committed if there is no error, and not if there is one.
    pub(crate) kept: Vec<String>,
    /// The values that may have met no row.
    pub(crate) perhaps: Vec<String>,
    /// The values that were rolled back.
    pub(crate) dropped: Vec<String>,
    /// The values whose outcome is not known.
    pub(crate) unknown: Vec<String>,
    pub(crate) error: Option<String>,
}

/// Sends it. It fails only if the harness is dead, and this process is about to end.
pub(crate) fn say(word: &Word) {
    let _ = redstream_processes::report(word);
}
