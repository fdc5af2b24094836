//! Messages: one to be written, and one that was read; their ids, the names of their streams, and what they carry.
//!
//! Everything else may use this; it uses `text` alone.

mod id;
pub(crate) mod name;
mod payload;
pub(crate) mod repeat;

use serde::de::DeserializeOwned;

use crate::text::shortened_json;

pub use id::{InvalidMessageId, MessageId};
pub use name::{InvalidName, StreamName};
pub use payload::{DecodeError, Payload, PayloadError, PayloadObject};

/// A message to be written: which stream, and what payload.
///
/// Equal messages announce the same change, so a writer may send one of them only.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct NewMessage {
    /// The stream; whether it becomes a main or a delay message is the verb's choice.
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
    payload: Option<Vec<u8>>,
    /// The only consumer that it is for: a dead letter of that one, put back into the stream.
    consumer: Option<Box<str>>,
}

/// The field that names the only consumer an entry is for. It stands before the payload, so that reading is no slower without it.
pub(crate) const CONSUMER: &str = "consumer";

impl Message {
    /// `payload`: the bytes of the field of that name, where the entry has one.
    pub(crate) fn new(id: MessageId, payload: Option<Vec<u8>>) -> Self {
        Self { id, payload, consumer: None }
    }

    /// For this consumer alone; where the name is none, for all.
    pub(crate) fn only_for(mut self, consumer: Option<&[u8]>) -> Self {
        self.consumer = consumer.and_then(|name| std::str::from_utf8(name).ok()).map(Into::into);
        self
    }

    pub(crate) fn is_for(&self, consumer: &str) -> bool {
        self.consumer.as_deref().is_none_or(|only| only == consumer)
    }

    /// The id that Redis gave it.
    pub fn id(&self) -> MessageId {
        self.id
    }

    /// The payload's bytes, where the entry has a field `payload`.
    pub(crate) fn bytes(&self) -> Option<&[u8]> {
        self.payload.as_deref()
    }

    /// The payload's bytes as they stand in Redis; empty where the entry has no field `payload`.
    pub fn raw(&self) -> &[u8] {
        self.payload.as_deref().unwrap_or_default()
    }

    /// The payload, decoded from JSON.
    ///
    /// Errors where the entry has no field `payload`, where that is not JSON, and where the JSON
    /// does not fit `T`; the error names the message.
    pub fn payload<T: DeserializeOwned>(&self) -> Result<T, DecodeError> {
        let bytes = self.payload.as_deref().ok_or(DecodeError::Missing { id: self.id })?;
        serde_json::from_slice(bytes)
            .map_err(|source| DecodeError::Json { id: self.id, source: shortened_json(source) })
    }
}
