//! All errors, each with what was attempted and what to do; `source()` holds the cause.

use std::error::Error as StdError;
use std::time::Duration;

use redstream_seaorm::KeyError;

/// Why an entry of a cache was not read or not written.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// Redis refused a command, or did not answer in time. Of a sink the whole batch fails, and is retried.
    #[error("the cache `{cache}` could not be used")]
    Redis {
        /// The cache's name.
        cache: String,
        /// What was attempted, and why it failed.
        #[source]
        source: redstream_seaorm::core::Error,
    },

    /// Redis did not answer within the reader's patience.
    #[error("the cache `{cache}` did not answer within {after:?}")]
    Timeout {
        /// The cache's name.
        cache: String,
        /// The patience.
        after: Duration,
    },

    /// Redis does not answer, and another reader is waiting for it.
    #[error("the cache `{cache}` is not available")]
    Unavailable {
        /// The cache's name.
        cache: String,
    },

    /// The entry's document is no record of this type: the type has changed, or another program writes the entries.
    #[error("the document of the entry `{entry}` cannot be read; give the cache another name if the type has changed")]
    Unreadable {
        /// The entry's key in Redis.
        entry: String,
        /// What `serde_json` says.
        #[source]
        source: serde_json::Error,
    },

    /// The record's `Serialize` failed.
    #[error("the record of the entry `{entry}` could not be written as JSON")]
    Serialize {
        /// The entry's key in Redis.
        entry: String,
        /// What `serde_json` says.
        #[source]
        source: serde_json::Error,
    },

    /// Redis has a value of another type at this key, which is none of this cache's.
    #[error("the key `{entry}` has a value that is no entry of a cache: remove it, or give the cache another name")]
    WrongType {
        /// The entry's key in Redis.
        entry: String,
    },

    /// A key in Redis that begins as the cache's entries do is no entry: its rest is no id of a record.
    #[error("the key `{entry}` is no entry of the cache: {reason}")]
    ForeignKey {
        /// The key in Redis.
        entry: String,
        /// Why no key can be made of it.
        reason: String,
    },

    /// The record's key has no form as a text.
    #[error("the key has no form as an entry of a cache")]
    Key(#[source] KeyError),

    /// What the cache cannot do as it is set up.
    #[error("the cache `{cache}` cannot be scanned: {reason}")]
    NoScan {
        /// The cache's name.
        cache: String,
        /// Why.
        reason: &'static str,
    },

    /// The task that asked Redis was cancelled, because its runtime ends.
    #[error("the cache `{cache}` was not asked to the end: the runtime is shutting down")]
    Cancelled {
        /// The cache's name.
        cache: String,
    },
}

impl Error {
    /// Whether Redis answered, and refused because of this entry or for the lack of a right.
    pub(super) fn is_refusal(&self) -> bool {
        match self {
            Self::WrongType { .. } => true,
            Self::Redis { source, .. } => source.is_refusal() && !source.is_transient(),
            _ => false,
        }
    }

    /// With the entry, if that is no hash.
    pub(super) fn of_entry(self, entry: &str) -> Self {
        use redstream_seaorm::core::Error::Redis;
        match &self {
            Self::Redis { source: Redis { source, .. }, .. } if source.code() == Some("WRONGTYPE") => {
                Self::WrongType { entry: entry.to_owned() }
            }
            _ => self,
        }
    }
}

/// Why [`Cache::try_get_or_load`](super::Cache::try_get_or_load) has no record: the cache's fault, or the loader's.
#[derive(Debug, thiserror::Error)]
pub enum LoadError<X: StdError + 'static> {
    /// The cache could not be read.
    #[error(transparent)]
    Cache(#[from] Error),
    /// The loader's own error.
    #[error("the record could not be loaded")]
    Load(#[source] X),
}
