//! A batch: the messages of one call of the handler, and their version.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use serde::de::DeserializeOwned;
use tokio::sync::OnceCell;

use crate::consumer::handler::Prepared;
use crate::consumer::version::Versions;
use crate::error::Result;
use crate::message::{DecodeError, Message, MessageId, StreamName};

/// Messages of one stream in stream order, for one attempt of a [`Handler`](crate::Handler). Cheap to clone.
#[derive(Clone)]
pub struct Batch {
    messages: Arc<[Message]>,
    version: Arc<OnceCell<u64>>,
    versions: Versions,
    prepared: Arc<Mutex<Option<Prepared>>>,
}

impl Batch {
    pub(crate) fn new(messages: Arc<[Message]>, versions: Versions, issued: Option<u64>) -> Self {
        Self { messages, version: Arc::new(OnceCell::new_with(issued)), versions, prepared: Arc::default() }
    }

    /// Takes this version, which was issued after the batch had arrived, unless it has one.
    pub(crate) fn offer(&self, version: u64) {
        _ = self.version.set(version);
    }

    pub(crate) fn set_prepared(&self, prepared: Option<Prepared>) {
        *self.prepared.lock().unwrap_or_else(PoisonError::into_inner) = prepared;
    }

    pub(crate) fn versions(&self) -> &Versions {
        &self.versions
    }

    /// The stream that was read.
    pub fn stream(&self) -> &StreamName {
        &self.versions.member().stream_name
    }

    /// The consumer that handles the batch.
    pub fn consumer(&self) -> &str {
        &self.versions.member().name
    }

    /// The messages, oldest first; never empty.
    pub fn messages(&self) -> &[Message] {
        &self.messages
    }

    /// How many messages.
    pub fn len(&self) -> usize {
        self.messages.len()
    }

    /// Whether there is no message. A handler never sees such a batch.
    pub fn is_empty(&self) -> bool {
        self.messages.is_empty()
    }

    /// The payloads, decoded from JSON; each error names its message.
    ///
    /// # Errors
    ///
    /// Each item is an error if its message has no payload, or its payload is not JSON of this type.
    pub fn payloads<T: DeserializeOwned>(&self) -> impl Iterator<Item = Result<T, DecodeError>> {
        self.messages.iter().map(Message::payload)
    }

    /// The id of the oldest message.
    pub fn first_id(&self) -> MessageId {
        self.messages.first().map_or(MessageId::MIN, Message::id)
    }

    /// The id of the newest message: the offset once the batch is committed.
    pub fn last_id(&self) -> MessageId {
        self.messages.last().map_or(MessageId::MIN, Message::id)
    }

    /// What [`Handler::prepare`](crate::Handler::prepare) has returned for this attempt, if it ran and this is its
    /// type.
    pub fn take_prepared<T: 'static>(&self) -> Option<Box<T>> {
        self.prepared.lock().unwrap_or_else(PoisonError::into_inner).take()?.downcast().ok()
    }

    /// The version of what this attempt writes: microseconds of the clock of Redis, greater than every version before
    /// it, also those of former owners of the lock. A datastore that uses it as an external version refuses late writes
    /// of a paused former owner.
    ///
    /// **Call it before the first row is read** from the primary database: rows are then at least as new as the version
    /// says. Later calls return the same number.
    ///
    /// Usually free: the commit of the previous batch already returned it. Otherwise one round trip.
    ///
    /// # Errors
    ///
    /// [`Error::LockLost`](crate::Error::LockLost) if another process owns the lock by now.
    pub async fn version(&self) -> Result<u64> {
        self.version.get_or_try_init(|| self.versions.issue()).await.copied()
    }

    /// A new version, greater than `version` and than all before it, for a datastore that refused a record because it
    /// has it with a higher version: **read the record again after this call**, and write it again.
    ///
    /// Pass the version that the datastore has if it reports it, otherwise the version that was refused.
    /// [`version`](Self::version) does not change. One round trip.
    ///
    /// # Errors
    ///
    /// [`Error::LockLost`](crate::Error::LockLost) if another process owns the lock by now: the refusal was then
    /// justified.
    pub async fn version_above(&self, version: u64) -> Result<u64> {
        self.versions.issue_above(version).await
    }
}

impl fmt::Debug for Batch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Batch")
            .field("stream", self.stream())
            .field("consumer", &self.consumer())
            .field("len", &self.len())
            .field("first", &self.first_id())
            .field("last", &self.last_id())
            .finish_non_exhaustive()
    }
}
