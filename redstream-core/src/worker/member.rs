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
    /// After the message with this id; after the last message if that has a smaller id. If other messages of its entry
    /// follow it, the consumer begins with that entry, since an offset passes an entry as a whole.
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
            Self::After(id) => id.offset().to_string(),
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
    /// It reads entries with several messages.
    pub(crate) reads_packs: bool,
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
            reads_packs: false,
            start: Start::Earliest,
            registry: keys.registry(stream),
            stream: keys.stream(stream),
            offset: keys.offset(stream, name),
            version: keys.version(stream, name),
            dead_letters: keys.dead_letters(stream, name),
            stream_name: stream.clone(),
        }
    }

    /// The note of a process that acquires the lock with this token, which needs no escaping in JSON.
    ///
    /// A process of an earlier version, which reads no packs, merges its own note into this one. It leaves `packs` in
    /// place and replaces `owner`; so `packs` counts as long as its owner is the last one.
    pub(crate) fn note_of_owner(&self, token: &str) -> String {
        let owner = format!(r#""owner":"{token}""#);
        let fields = if self.reads_packs { format!(r#"{owner},"packs":1,"packs_owner":"{token}""#) } else { owner };
        match self.note.strip_suffix('}') {
            Some(open) if open.ends_with('{') => format!("{open}{fields}}}"),
            Some(open) => format!("{open},{fields}}}"),
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
