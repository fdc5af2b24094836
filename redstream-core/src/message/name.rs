//! Names of streams, consumers and namespaces: refused if they would make a key ambiguous.

use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

/// The name of a stream, such as `products`; its delay messages are in a second stream.
///
/// Any text of 1 to 255 bytes without white space, control characters or braces (a Redis Cluster
/// reads those as a hash tag) that does not end in `.delay` nor contain `.dead.`: these endings
/// name the streams of delay messages and of dead letters.
#[derive(Clone, Eq, PartialOrd, Ord)]
pub struct StreamName(Arc<str>);

impl PartialEq for StreamName {
    fn eq(&self, other: &Self) -> bool {
        // The messages of a transaction mostly share one name.
        Arc::ptr_eq(&self.0, &other.0) || self.0 == other.0
    }
}

impl Hash for StreamName {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.0.hash(state);
    }
}

impl StreamName {
    /// Checks the name.
    ///
    /// # Errors
    ///
    /// If it is not usable.
    pub fn new(name: impl AsRef<str>) -> Result<Self, InvalidName> {
        let name = name.as_ref();
        let refuse = |reason| Err(invalid("stream name", name, reason));
        if let Some(reason) = illegible(name) {
            return refuse(reason);
        }
        if name.ends_with(".delay") {
            return refuse("`.delay` ends the name of the stream of delay messages");
        }
        if name.contains(".dead.") {
            return refuse("`.dead.` is part of the name of a stream of dead letters");
        }
        Ok(Self(name.into()))
    }

    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The stream of this stream's delay messages: the stream that the delayer consumes.
    pub(crate) fn delayed(&self) -> Self {
        Self(format!("{}.delay", self.0).into())
    }

    /// A shard of this stream. `ShardMap` has checked that the longest of these names is usable.
    pub(crate) fn shard(&self, number: u32) -> Self {
        Self(format!("{}-{number}", self.0).into())
    }
}

/// A name that would produce an ambiguous or illegible key.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{what} {name:?} is not usable: {reason}")]
#[non_exhaustive]
pub struct InvalidName {
    /// `stream name`, `consumer name` or `namespace`.
    pub what: &'static str,
    /// The name given.
    pub name: String,
    /// What is wrong with it.
    pub reason: &'static str,
}

impl AsRef<str> for StreamName {
    fn as_ref(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for StreamName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// As text.
impl serde::Serialize for StreamName {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

impl fmt::Debug for StreamName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}

/// A consumer's name is the last part of its keys, so it must not contain the separator.
pub(crate) fn check_consumer(name: &str) -> Result<(), InvalidName> {
    let reason = illegible(name)
        .or_else(|| name.contains(':').then_some("a colon separates the parts of a key"))
        .or_else(|| name.ends_with(".notify").then_some("`.notify` ends the name of a lock's wake-up list"));
    reason.map_or(Ok(()), |reason| Err(invalid("consumer name", name, reason)))
}

/// A namespace is part of the pattern of an access rule, `~NAMESPACE:redstream:*`, so it must not be a pattern itself.
pub(crate) fn check_namespace(name: &str) -> Result<(), InvalidName> {
    let pattern = "in an access rule of Redis, one of * ? [ ] \\ stands for other keys";
    let reason = illegible(name).or_else(|| name.contains(['*', '?', '[', ']', '\\']).then_some(pattern));
    reason.map_or(Ok(()), |reason| Err(invalid("namespace", name, reason)))
}

fn illegible(name: &str) -> Option<&'static str> {
    // Checked for every message, and nearly every name is accepted here.
    let is_plain = |byte: u8| byte.is_ascii_graphic() && byte != b'{' && byte != b'}';
    if (1..=255).contains(&name.len()) && name.bytes().all(is_plain) {
        return None;
    }
    if name.is_empty() {
        Some("it is empty")
    } else if name.len() > 255 {
        Some("it is longer than 255 bytes")
    } else if name.chars().any(|c| c.is_whitespace() || c.is_control()) {
        Some("it contains white space or a control character")
    } else if name.contains(['{', '}']) {
        Some("a Redis Cluster reads braces as a hash tag")
    } else {
        None
    }
}

fn invalid(what: &'static str, name: &str, reason: &'static str) -> InvalidName {
    InvalidName { what, name: name.to_owned(), reason }
}
