//! What can be done on the page.

use std::fmt;

use serde::Serialize;

/// An action of the dashboard: the application decides for each user which of them are allowed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Verb {
    /// Pauses a consumer on all hosts.
    Pause,
    /// Lets a paused consumer work again.
    Resume,
    /// Moves the offset of a consumer: messages are handled again, or skipped.
    Rewind,
    /// Retires a consumer that does not run: its offset is removed, and trimming no longer waits for it.
    Forget,
    /// Puts dead letters back into the stream, only for the consumer that could not handle them.
    Redrive,
    /// Drops dead letters: their changes never reach what the consumer feeds.
    Discard,
    /// Removes what all consumers of a stream have committed, at once.
    Trim,
    /// Pauses a reindex.
    ReindexPause,
    /// Lets a paused reindex continue.
    ReindexResume,
    /// Ends a reindex.
    ReindexAbort,
    /// Removes the record of a reindex that is done or aborted.
    ReindexForget,
    /// Starts a [task](crate::Dashboard::task) of the application.
    TaskStart,
    /// Tells a task to stop.
    TaskStop,
}

impl Verb {
    /// Every action.
    pub const ALL: [Self; 13] = [
        Self::Pause,
        Self::Resume,
        Self::Rewind,
        Self::Forget,
        Self::Redrive,
        Self::Discard,
        Self::Trim,
        Self::ReindexPause,
        Self::ReindexResume,
        Self::ReindexAbort,
        Self::ReindexForget,
        Self::TaskStart,
        Self::TaskStop,
    ];

    /// Its name in URLs and in the audit log, such as `reindex-pause`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Pause => "pause",
            Self::Resume => "resume",
            Self::Rewind => "rewind",
            Self::Forget => "forget",
            Self::Redrive => "redrive",
            Self::Discard => "discard",
            Self::Trim => "trim",
            Self::ReindexPause => "reindex-pause",
            Self::ReindexResume => "reindex-resume",
            Self::ReindexAbort => "reindex-abort",
            Self::ReindexForget => "reindex-forget",
            Self::TaskStart => "task-start",
            Self::TaskStop => "task-stop",
        }
    }

    pub(crate) fn of_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|verb| verb.name() == name)
    }
}

/// As [`name`](Verb::name).
impl fmt::Display for Verb {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_that_in_json_and_names_one_verb() {
        for verb in Verb::ALL {
            assert_eq!(Verb::of_name(verb.name()), Some(verb));
            assert_eq!(serde_json::to_value(verb).unwrap(), verb.name());
        }
        assert_eq!(Verb::of_name("drop"), None);
    }
}
