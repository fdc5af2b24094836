//! All errors, each with what was attempted and what to do; `source()` holds the cause.

use redstream_seaorm::KeyError;

/// Why the index cannot be used, or a document was not written.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// Redis refused a command, or did not answer in time. The batch is retried.
    #[error("the index `{index}` could not be written or read")]
    Redis {
        /// The index.
        index: String,
        /// What was attempted, and why it failed.
        #[source]
        source: redstream_seaorm::core::Error,
    },

    /// There is no such index, and the sink was told not to create it.
    #[error("there is no index `{index}`: create it by FT.CREATE, or let the sink create it")]
    MissingIndex {
        /// The index.
        index: String,
    },

    /// The index is another one than the sink was told of.
    #[error("the index `{index}` is not as the sink expects it: {what}. Drop it by FT.DROPINDEX, or use another name")]
    OtherIndex {
        /// The index.
        index: String,
        /// What is different.
        what: String,
    },

    /// The server still goes through documents that were there before the index.
    #[error("the index `{index}` is being built ({percent} %), and some of the documents written are not in it yet")]
    Indexing {
        /// The index.
        index: String,
        /// How much is done.
        percent: u32,
    },

    /// The sink cannot be used as it is set up.
    #[error("option {option} is not usable: {reason}")]
    InvalidOption {
        /// The option's name.
        option: &'static str,
        /// What is wrong with it.
        reason: String,
    },

    /// The document is written, and the index has left it out: no search finds it. A field has a value of the wrong
    /// type.
    #[error("the document `{key}` is not in the index `{index}`, so that no search finds it: {reason}")]
    NotIndexed {
        /// The document's key in Redis.
        key: String,
        /// The index.
        index: String,
        /// What the server says, if it is known.
        reason: String,
    },

    /// Redis refused this document.
    #[error("the document `{key}` was refused: {reason}")]
    Document {
        /// The document's key in Redis.
        key: String,
        /// What the server says.
        reason: String,
    },

    /// The record's `Serialize` failed.
    #[error("the record of the document `{key}` could not be written as JSON")]
    Serialize {
        /// The document's key in Redis.
        key: String,
        /// What `serde_json` says.
        #[source]
        source: serde_json::Error,
    },

    /// The record has no form as a document.
    #[error("the record of the document `{key}` has no form as a document: {reason}")]
    Form {
        /// The document's key in Redis.
        key: String,
        /// What is wrong, and in which field.
        reason: String,
    },

    /// The record's key has no form as a text.
    #[error("the key has no form as the id of a document")]
    Key(#[source] KeyError),

    /// A key in Redis that begins as the documents do is none of this entity's.
    #[error("the key `{key}` is no document of this entity: {reason}")]
    ForeignKey {
        /// The key in Redis.
        key: String,
        /// Why no key can be made of it.
        reason: String,
    },

    /// The answer is none of RediSearch's.
    #[error("the answer of the index `{index}` cannot be read: {what}")]
    Answer {
        /// The index.
        index: String,
        /// What is wrong with it.
        what: String,
    },
}
