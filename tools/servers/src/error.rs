//! Errors of private servers, with what to do next.

use std::{io, time::Duration};

/// The result of everything here that can fail.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Why a server could not be found, installed, started or signalled.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A server is missing, and it could not be installed.
    #[error("{program} is missing: {tried}\nadvice: {advice}")]
    Missing {
        /// The program that was looked for.
        program: String,
        /// Where it was looked for, and how its installation went.
        tried: String,
        /// What the user can do about it.
        advice: String,
    },

    /// A command that installs or prepares a server, such as `initdb`, failed.
    #[error("`{command}` failed ({status}), and its last lines were:\n{output}")]
    Command {
        /// The command, with its arguments.
        command: String,
        /// Its exit status, in words.
        status: String,
        /// The end of what it printed.
        output: String,
    },

    /// A server ended while it was starting.
    #[error("{server} ended while it was starting ({status}); the end of its log:\n{log}")]
    Ended {
        /// The server's name.
        server: String,
        /// Its exit status, in words.
        status: String,
        /// The last lines of its log.
        log: String,
    },

    /// A server did not become ready in time.
    #[error("{server} was not ready within {}; the end of its log:\n{log}", seconds(*.within))]
    NotReady {
        /// The server's name.
        server: String,
        /// How long it was waited for.
        within: Duration,
        /// The last lines of its log.
        log: String,
    },

    /// A server was signalled or queried while it was not running.
    #[error("{server} is not running")]
    NotRunning {
        /// The server's name.
        server: String,
    },

    /// The operating system refused something.
    #[error("could not {attempt}")]
    Io {
        /// What was attempted.
        attempt: String,
        /// Its reason.
        #[source]
        source: io::Error,
    },
}

impl Error {
    /// An error of the operating system, with what was attempted: `could not {attempt}`.
    pub(crate) fn io(attempt: impl Into<String>) -> impl FnOnce(io::Error) -> Self {
        let attempt = attempt.into();
        move |source| Self::Io { attempt, source }
    }

    /// The error and its cause, as one text.
    pub fn in_words(&self) -> String {
        match self {
            Self::Io { source, .. } => format!("{self}: {source}"),
            _ => self.to_string(),
        }
    }
}

fn seconds(duration: Duration) -> String {
    format!("{} s", duration.as_secs())
}

/// The last lines of a log: enough to see the cause.
pub(crate) fn last_lines(text: &str) -> String {
    const LINES: usize = 20;
    let lines: Vec<&str> = text.trim_end().lines().collect();
    lines[lines.len().saturating_sub(LINES)..].join("\n")
}
