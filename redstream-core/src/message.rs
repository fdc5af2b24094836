//! Messages: to be written and read; their ids, the names of their streams, and what they carry.
//!
//! Every other module may use this; it only uses `text`.

pub(crate) mod entry;
mod id;
pub(crate) mod name;
pub(crate) mod pack;
mod payload;
pub(crate) mod repeat;
pub(crate) mod trace;

use bytes::Bytes;
use serde::de::DeserializeOwned;

use self::trace::TraceParent;
use crate::text::shortened_json;

pub use id::{InvalidMessageId, MessageId};
pub use name::{InvalidName, StreamName};
pub use payload::{DecodeError, Payload, PayloadError, PayloadLines, PayloadObject};

/// A message to be written: which stream, and what payload.
///
/// Equal messages announce the same change, so a writer may send only one of them.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct NewMessage {
    /// The stream; whether it becomes a main or a delay message is determined by the method.
    pub stream: StreamName,
    /// The JSON text.
    pub payload: Payload,
}

impl NewMessage {
    /// A message for that stream.
    pub fn new(stream: StreamName, payload: Payload) -> Self {
        Self { stream, payload }
    }
}

/// A message that was read from a stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    id: MessageId,
    /// A part of its entry's bytes.
    payload: Option<Bytes>,
    /// The only consumer that it is for: a dead letter of that consumer, redriven.
    consumer: Option<Box<str>>,
    trace: TraceParent,
}

/// The field that names the only consumer an entry is for. It precedes the payload, so that reading entries without it
/// is not slower.
pub(crate) const CONSUMER: &str = "consumer";

impl Message {
    pub(crate) fn is_for(&self, consumer: &str) -> bool {
        self.consumer.as_deref().is_none_or(|only| only == consumer)
    }

    /// Its id: that of its entry, which Redis assigned, and its position in the entry if other messages follow there.
    pub fn id(&self) -> MessageId {
        self.id
    }

    /// The span in which it was written.
    #[cfg(feature = "otel")]
    pub(crate) fn trace(&self) -> &TraceParent {
        &self.trace
    }

    /// The payload's bytes, if the entry has a field `payload` or `payloads`.
    pub(crate) fn bytes(&self) -> Option<&[u8]> {
        self.payload.as_deref()
    }

    /// The payload's bytes as stored in Redis; empty if the entry has neither a field `payload` nor a field `payloads`.
    pub fn raw(&self) -> &[u8] {
        self.payload.as_deref().unwrap_or_default()
    }

    /// The payload, decoded from JSON.
    ///
    /// # Errors
    ///
    /// If the entry has neither a field `payload` nor a field `payloads`, if the payload is not JSON, or if the JSON
    /// does not fit `T`; the error names the message.
    pub fn payload<T: DeserializeOwned>(&self) -> Result<T, DecodeError> {
        let bytes = self.payload.as_deref().ok_or(DecodeError::Missing { id: self.id })?;
        serde_json::from_slice(bytes)
            .map_err(|source| DecodeError::Json { id: self.id, source: shortened_json(source) })
    }
}
