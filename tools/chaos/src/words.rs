//! What a process is told, and what it says: lines of JSON on its standard input and output.

use serde::{Deserialize, Serialize};

use crate::site::Site;

/// What a process is: the first line of its standard input.
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
    Writer { number: u32, seed: u64, busy_ms: u64, poison: Vec<i64> },
    Workers { seed: u64, mood: Mood, late_ms: u64 },
    Relay,
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
    /// SIGKILL so many microseconds later, within whatever the code has begun by then.
    KillAfter(u64),
    /// SIGSTOP; the harness lets the process go on after so many ms.
    Stop(u64),
    /// The harness kills Redis, and starts it again after so many ms.
    KillRedis(u64),
}

/// What a process says.
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
        /// It was cut off, and not because the grace of a stop had passed.
        too_soon: bool,
    },
    /// Nobody told it to.
    Panicked(String),
    Done,
}

/// One write, as its writer knows it.
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

/// Says it. It fails only if the harness is dead, and this process is about to end.
pub(crate) fn say(word: &Word) {
    let _ = redstream_processes::report(word);
}
