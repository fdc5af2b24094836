//! What can go wrong.

use std::time::Duration;

use redstream_seaorm::{BoxError, KeyError};

/// An error of the sink.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The options cannot be used.
    #[error("the webhook cannot be built: {what}")]
    Options {
        /// What is wrong.
        what: String,
        /// What the library says.
        #[source]
        source: Option<BoxError>,
    },

    /// No connection, or one that broke. The receiver may have handled the message.
    #[error("the receiver at {host} cannot be reached")]
    Connection {
        /// The receiver's host.
        host: String,
        /// What the HTTP client says.
        #[source]
        source: BoxError,
    },

    /// The receiver did not answer in time. It may handle the message nevertheless.
    #[error("the receiver at {host} did not answer within {after:?}")]
    Timeout {
        /// The receiver's host.
        host: String,
        /// The timeout of requests.
        after: Duration,
    },

    /// The receiver is overloaded or not available (408, 429, 5xx).
    #[error("the receiver at {host} cannot take messages now ({status}): {reason}")]
    Unavailable {
        /// The receiver's host.
        host: String,
        /// The HTTP status.
        status: u16,
        /// The beginning of the answer.
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

    /// The receiver answered 410: it wants no messages any more. The sink sends none until the process restarts or
    /// [`enable`](crate::webhook::WebhookSink::enable) is called. Nothing is given up.
    #[error(
        "the receiver at {host} wants no messages any more (410): remove the consumer, or correct the URL and start it \
         again"
    )]
    Gone {
        /// The receiver's host.
        host: String,
    },

    /// The URL or the credentials are wrong (401, 403, 404, 405), or the receiver redirects. Nothing is given up: the
    /// batch is retried until that is corrected.
    #[error(
        "the receiver at {host} refuses all messages ({status}): {reason}. Check the URL, the secrets and the headers"
    )]
    Misconfigured {
        /// The receiver's host.
        host: String,
        /// The HTTP status.
        status: u16,
        /// The beginning of the answer, or where it redirects to.
        reason: String,
    },

    /// The receiver refuses this change.
    #[error("the receiver at {host} refuses the change of `{id}` ({status}): {reason}")]
    Refused {
        /// The receiver's host.
        host: String,
        /// The key, as the id of a document.
        id: String,
        /// The HTTP status.
        status: u16,
        /// The beginning of the answer.
        reason: String,
    },

    /// The record's `Serialize` failed.
    #[error("the record `{id}` could not be written as JSON")]
    Serialize {
        /// The key, as the id of a document.
        id: String,
        /// What `serde_json` says.
        #[source]
        source: serde_json::Error,
    },

    /// The key has no form as an id.
    #[error("the key has no form as an id")]
    Key(#[source] KeyError),
}

impl Error {
    /// Whether the same message may be accepted later.
    pub(crate) fn may_pass(&self) -> bool {
        matches!(self, Self::Connection { .. } | Self::Timeout { .. } | Self::Unavailable { .. })
    }
}
