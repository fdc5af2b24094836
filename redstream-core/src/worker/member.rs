//! The registry: which consumers a stream has, so that trimming waits for each of them.

use std::time::SystemTime;

use crate::keys::Keys;
use crate::message::{MessageId, StreamName};
use crate::time::millis;
use crate::transport::scripts;

/// Where a consumer that is new to the stream begins. A consumer that has committed continues from its offset.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Start {
    /// With the oldest message that is still in the stream: the default.
    #[default]
    Earliest,
    /// After the last message at the moment of registration: only later messages.
    Latest,
    /// After the message with this id; after the last message if that has a smaller id.
    After(MessageId),
    /// With the first message that was added at this time or later, by the clock of Redis. If there is none yet, as
    /// [`Latest`](Self::Latest): a time in the future is not waited for.
    At(SystemTime),
}

impl Start {
    /// In the form that the scripts take.
    pub(crate) fn word(self) -> String {
        match self {
            Self::Earliest => "-".to_owned(),
            Self::Latest => "$".to_owned(),
            Self::After(id) => id.to_string(),
            Self::At(time) => before(time).to_string(),
        }
    }
}

/// The greatest id that no message of that time or later can have.
fn before(time: SystemTime) -> MessageId {
    let since = time.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    match millis(since).checked_sub(1) {
        Some(ms) => MessageId::new(ms, u64::MAX),
        None => MessageId::MIN,
    }
}

/// A consumer for the scripts: its name and its keys.
#[derive(Clone, Debug)]
pub(crate) struct ConsumerKeys {
    pub(crate) stream_name: StreamName,
    pub(crate) name: String,
    /// A JSON object, merged into the registry's value for the name.
    pub(crate) note: String,
    pub(crate) start: Start,
    pub(crate) registry: String,
    pub(crate) stream: String,
    pub(crate) offset: String,
    pub(crate) version: String,
    pub(crate) dead_letters: String,
}

impl ConsumerKeys {
    pub(crate) fn new(keys: &Keys, stream: &StreamName, name: &str) -> Self {
        Self {
            name: name.to_owned(),
            note: "{}".to_owned(),
            start: Start::Earliest,
            registry: keys.registry(stream),
            stream: keys.stream(stream),
            offset: keys.offset(stream, name),
            version: keys.version(stream, name),
            dead_letters: keys.dead_letters(stream, name),
            stream_name: stream.clone(),
        }
    }

    /// The note of a process that acquires the lock with this token: 32 hex digits, which need no escaping in JSON.
    pub(crate) fn note_of_owner(&self, token: &str) -> String {
        let owner = format!(r#""owner":"{token}""#);
        match self.note.strip_suffix('}') {
            Some(open) if open.ends_with('{') => format!("{open}{owner}}}"),
            Some(open) => format!("{open},{owner}}}"),
            None => self.note.clone(),
        }
    }

    /// The script that registers it, ready to run.
    pub(crate) fn registration(&self) -> redis::ScriptInvocation<'static> {
        let mut script = scripts::REGISTER.prepare_invoke();
        script.key(&self.registry).key(&self.offset).key(&self.stream);
        script.arg(&self.name).arg(&self.note).arg(self.start.word());
        script
    }
}
