//! All errors, each with what was attempted, on which node, and what to do; `source()` holds the cause.

use std::time::Duration;

use redstream_seaorm::{BoxError, KeyError};

/// Why a client could not be built, a request failed, or a document was not written.
///
/// `Display` says what was attempted and what to do, and never a credential.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The client cannot be built from these options.
    #[error("the Elasticsearch client cannot be built: {what}")]
    Options {
        /// What is wrong.
        what: String,
        /// The cause, if another crate refused it.
        #[source]
        source: Option<BoxError>,
    },

    /// The node cannot be reached, or the connection broke before the whole answer came. All other nodes that were
    /// tried failed, too.
    #[error("{node} could not be asked to {attempt}")]
    Connection {
        /// What was attempted, as an infinitive.
        attempt: String,
        /// The node's address, without credentials.
        node: String,
        /// The failure of the last node.
        #[source]
        source: BoxError,
    },

    /// The node did not answer in time. It may still do what it was asked for.
    #[error("{node} was asked to {attempt}, and did not answer within {after:?}")]
    Timeout {
        /// What was attempted, as an infinitive.
        attempt: String,
        /// The node's address, without credentials.
        node: String,
        /// The timeout of requests.
        after: Duration,
    },

    /// The answer is no answer of Elasticsearch or OpenSearch, or not a whole one.
    #[error("the answer of {node}, which was asked to {attempt}, cannot be read: {what}")]
    Answer {
        /// What was attempted, as an infinitive.
        attempt: String,
        /// The node's address, without credentials.
        node: String,
        /// What is wrong with it.
        what: String,
        /// What the JSON reader says.
        #[source]
        source: Option<serde_json::Error>,
    },

    /// The server does not know the user, or does not allow the request (401, 403). Nothing is given up: the batch is
    /// retried until the credentials are right.
    #[error(
        "{node} does not permit to {attempt} ({status}): {reason}. Check the credentials of the client and the privileges \
         of its user for this index: `index`, `delete`, `view_index_metadata`"
    )]
    Unauthorized {
        /// What was attempted, as an infinitive.
        attempt: String,
        /// The node's address, without credentials.
        node: String,
        /// 401 or 403.
        status: u16,
        /// What the server says.
        reason: String,
    },

    /// The server refused the request or some of its documents for now (429, 502, 503, 504), also after retries.
    #[error("{node} was asked to {attempt}, and is overloaded or not available ({status}): {reason}")]
    Unavailable {
        /// What was attempted, as an infinitive.
        attempt: String,
        /// The node's address, without credentials.
        node: String,
        /// The HTTP status, or that of a document.
        status: u16,
        /// What the server says.
        reason: String,
    },

    /// The server refused the request for good.
    #[error("{node} refuses to {attempt} ({status}): {reason}")]
    Refused {
        /// What was attempted, as an infinitive.
        attempt: String,
        /// The node's address, without credentials.
        node: String,
        /// The HTTP status.
        status: u16,
        /// What the server says.
        reason: String,
    },

    /// A failure that may pass did not pass within the time for retries.
    #[error("gave up after {attempts} attempts within {within:?}; the consumer will retry the batch")]
    RetriesExhausted {
        /// How often it was attempted.
        attempts: usize,
        /// The time for retries, as set by `retry_for`.
        within: Duration,
        /// The last failure.
        #[source]
        source: Box<Error>,
    },

    /// There is no such index, and a write would create one without a mapping.
    #[error(
        "there is no index `{index}`, and a write would create it without a mapping: create it, or give the sink a \
         mapping by `create_index`"
    )]
    MissingIndex {
        /// The index.
        index: String,
    },

    /// The sink was told to write through an alias, and this is none.
    #[error(
        "`{name}` is not an alias, and the sink requires one: create the alias, or give the sink a mapping by `create_index`"
    )]
    NotAnAlias {
        /// The name.
        name: String,
    },

    /// The alias has several indices, none of which is the one to write.
    #[error("the alias `{alias}` has no write index among {indices}: set `is_write_index` for one of them")]
    NoWriteIndex {
        /// The alias.
        alias: String,
        /// Its indices.
        indices: String,
    },

    /// There is an index of the alias's name.
    #[error(
        "`{alias}` is an index, so that no alias can have this name: search by another alias, or remove that index"
    )]
    AliasIsIndex {
        /// The alias.
        alias: String,
    },

    /// The signer that the client was given failed.
    #[error("the request to {attempt} could not be signed")]
    Signature {
        /// What was attempted, as an infinitive.
        attempt: String,
        /// The signer's error.
        #[source]
        source: BoxError,
    },

    /// The server refused this document: a field of the wrong type, for example.
    #[error("the document `{id}` was refused ({status} {kind}): {reason}")]
    Document {
        /// The document's id.
        id: String,
        /// Its status.
        status: u16,
        /// The server's name of the error, such as `mapper_parsing_exception`.
        kind: String,
        /// What the server says.
        reason: String,
    },

    /// The server refuses a request with this document alone as too large.
    #[error("the document `{id}` of {bytes} bytes is too large for the server ({status})")]
    TooLarge {
        /// The document's id.
        id: String,
        /// The size of the request.
        bytes: usize,
        /// 413, or the server's other status.
        status: u16,
    },

    /// The id is empty or longer than the 512 bytes that servers accept.
    #[error("the id of a document must have 1 to 512 bytes, and this one has {bytes}: {start}…")]
    Id {
        /// Its length.
        bytes: usize,
        /// Its beginning.
        start: String,
    },

    /// The record's `Serialize` failed.
    #[error("the document `{id}` could not be written as JSON")]
    Serialize {
        /// The document's id.
        id: String,
        /// What `serde_json` says.
        #[source]
        source: serde_json::Error,
    },

    /// The documents of a sink with `index_by` are in indices that it does not know.
    #[error("the indices of `index_by` are not known, so they cannot be read: name them by `scan_indices`")]
    ScanIndices,

    /// The key has another number of columns than `key_field` was called for.
    #[error(
        "`key_field` names {named} fields, and the key has {columns} columns: call it once for each, in their order"
    )]
    KeyFields {
        /// How many fields are named.
        named: usize,
        /// How many columns the key has.
        columns: usize,
    },

    /// A document cannot be found by its key.
    #[error(
        "the document `{id}` of `{index}` has no field of the key ({fields}), so it cannot be read in the order of keys. If \
         all documents lack it, have the record contain it, or name another by `key_field`; if this one is not of the records, \
         remove it, or leave it out by `scan_query`"
    )]
    NoKeyField {
        /// The document's id.
        id: String,
        /// What was searched.
        index: String,
        /// The fields that it must have.
        fields: String,
    },

    /// The index holds a document whose id no key has.
    #[error(
        "the document `{id}` of `{index}` is none of this entity: {reason}. If the index holds other documents, too, tell them apart          by `scan_query`"
    )]
    ForeignDocument {
        /// The document's id.
        id: String,
        /// The sink's index.
        index: String,
        /// Why no key can be made of it.
        reason: String,
    },

    /// The index does not store what was written.
    #[error("the document `{id}` has no source, so it cannot be compared: the mapping must not turn `_source` off")]
    NoSource {
        /// The document's id.
        id: String,
    },

    /// Some shards did not answer, so that documents are missing.
    #[error("the answer of `{index}` lacks documents of shards that did not answer, or not in time")]
    Partial {
        /// What was read.
        index: String,
    },

    /// A document could not be looked up.
    #[error("the document `{id}` of `{index}` could not be looked up: {reason}")]
    LookUp {
        /// The document's id.
        id: String,
        /// The sink's index.
        index: String,
        /// What the server says.
        reason: String,
    },

    /// The key has no form as an id.
    #[error("the key has no form as the id of a document")]
    Key(#[source] KeyError),
}

impl Error {
    /// Whether the same request may succeed later, and on another node.
    pub(crate) fn may_pass(&self) -> bool {
        matches!(self, Self::Connection { .. } | Self::Timeout { .. } | Self::Answer { .. } | Self::Unavailable { .. })
    }
}
