//! What can go wrong.

use ::tantivy::TantivyError;
use ::tantivy::directory::error::LockError;
use redstream_seaorm::{BoxError, KeyError};

/// An error of the sink.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// One of the sink's own fields is missing in the schema, or has other options.
    #[error(
        "the field `{field}` of the index's schema {what}: have `OwnFields::add_to` add the sink's fields to the \
         schema, and build the index anew"
    )]
    Schema {
        /// The field.
        field: &'static str,
        /// What is wrong with it.
        what: String,
    },

    /// Another process, or another sink of this one, writes the index. The batch is retried until it does no longer.
    #[error("another writer has the lock of the index: one process at a time can write it, by clones of one sink")]
    Locked {
        /// What tantivy says.
        #[source]
        source: TantivyError,
    },

    /// The index could not be read or written. Nothing of the batch counts as written; it is retried.
    #[error("could not {attempt}")]
    Index {
        /// What was attempted, as an infinitive.
        attempt: &'static str,
        /// What tantivy says.
        #[source]
        source: TantivyError,
    },

    /// The thread that wrote the batch panicked, or the runtime ends. The batch is retried.
    #[error("the thread that writes the index ended before it was done; its panic, if any, is on the standard error")]
    Ended,

    /// The application's function made no document of the record.
    #[error("no document could be made of the record `{id}`")]
    Document {
        /// The document's id.
        id: String,
        /// What the function returned.
        #[source]
        source: BoxError,
    },

    /// The application's function made a document that the schema does not accept. tantivy would not refuse it alone,
    /// but stop its writer.
    #[error("the field `{field}` of the document `{id}` {what}")]
    Value {
        /// The document's id.
        id: String,
        /// The field.
        field: String,
        /// What is wrong with it.
        what: String,
    },

    /// The key has no form as an id.
    #[error("the key has no form as the id of a document")]
    Key(#[source] KeyError),

    /// The key is longer than a term can be. tantivy would leave it out in silence.
    #[error("the key of a document may have {longest} bytes, and this one has {bytes}: {start}…")]
    KeyTooLong {
        /// Its length.
        bytes: usize,
        /// The longest that is possible.
        longest: usize,
        /// Its beginning.
        start: String,
    },

    /// The index has a document from whose id no key can be made.
    #[error("the index has a document with the id `{id}`, which is none of this entity: {what}")]
    Foreign {
        /// The id.
        id: String,
        /// What is wrong with it.
        what: String,
    },
}

impl Error {
    pub(crate) fn index(attempt: &'static str) -> impl FnOnce(TantivyError) -> Self {
        move |source| Self::of(attempt, source)
    }

    pub(crate) fn of(attempt: &'static str, source: TantivyError) -> Self {
        match source {
            source @ TantivyError::LockFailure(LockError::LockBusy, _) => Self::Locked { source },
            source => Self::Index { attempt, source },
        }
    }
}
