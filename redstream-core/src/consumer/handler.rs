//! The handler: the application's code that carries a batch to a secondary datastore.

use std::fmt;

use async_trait::async_trait;

use crate::consumer::batch::Batch;
use crate::error::BoxError;
use crate::message::{DecodeError, MessageId};

/// Carries the messages of a batch to wherever they have to go.
///
/// A message that was handled may come again (the process died before the commit, another took over, a
/// neighbour in its batch failed), so handle it in a way that is harmless twice: read the rows that the keys
/// name, and write what stands there now.
///
/// Any `Fn(Batch) -> impl Future<Output = Result<(), HandlerError>>` is a handler:
///
/// ```
/// # use redstream_core::{Batch, Handler};
/// # fn takes(_: impl Handler) {}
/// takes(async |batch: Batch| {
///     for key in batch.payloads::<serde_json::Value>() {
///         println!("changed: {}", key?);
///     }
///     Ok(())
/// });
/// ```
#[async_trait]
pub trait Handler: Send + Sync + 'static {
    /// Handles one batch. It is committed when this returns `Ok`; an error or a panic makes messages come
    /// again, as [`Consumer::attempts`](crate::Consumer::attempts) and [`OnPoison`](crate::OnPoison) say.
    ///
    /// It is not cancelled on shutdown, which waits for it.
    async fn handle(&self, batch: Batch) -> Result<(), HandlerError>;

    /// What it writes to, such as an index and its address: see [`Consumer::identity`](crate::Consumer::identity). Default: nothing
    /// is said.
    fn identity(&self) -> Option<String> {
        None
    }
}

#[async_trait]
impl<F, Fut> Handler for F
where
    F: Fn(Batch) -> Fut + Send + Sync + 'static,
    Fut: Future<Output = Result<(), HandlerError>> + Send,
{
    async fn handle(&self, batch: Batch) -> Result<(), HandlerError> {
        self(batch).await
    }
}

/// Why a batch could not be handled. Made from any error by `?`; it is not an error itself, since
/// that would forbid just this.
///
/// A [`DecodeError`] names its message by itself: that message will never do, so it is not tried again.
pub struct HandlerError {
    source: BoxError,
    failed: Failed,
}

/// Which messages of the batch a failure is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Failed {
    /// It is not known which messages failed: perhaps one, perhaps all.
    Unknown,
    /// These; the others are done.
    Only(Vec<MessageId>),
    /// This one, whenever it is tried; nothing is said of the others.
    Never(MessageId),
}

impl HandlerError {
    /// Any error, or a text. The whole batch is tried again.
    pub fn new(source: impl Into<BoxError>) -> Self {
        let source = source.into();
        let failed = match source.downcast_ref::<DecodeError>() {
            Some(error) => Failed::Never(error.id()),
            None => Failed::Unknown,
        };
        Self { source, failed }
    }

    /// Only these messages failed; the rest of the batch is done and is not handled again. Ids that are not in the
    /// batch are ignored; where none is left, the whole batch is tried again.
    pub fn only(failed: impl IntoIterator<Item = MessageId>, source: impl Into<BoxError>) -> Self {
        Self { source: source.into(), failed: Failed::Only(failed.into_iter().collect()) }
    }

    /// This message can never succeed, so it is not tried again: it goes to the dead letters at once, as one that cannot be decoded. The
    /// rest of the batch is handled again. An id that is not in the batch fails the whole batch.
    pub fn permanent(failed: MessageId, source: impl Into<BoxError>) -> Self {
        Self { source: source.into(), failed: Failed::Never(failed) }
    }

    /// The application's error.
    pub fn source(&self) -> &(dyn std::error::Error + Send + Sync + 'static) {
        &*self.source
    }

    /// The application's error, taken out.
    pub fn into_source(self) -> BoxError {
        self.source
    }

    pub(crate) fn into_parts(self) -> (BoxError, Failed) {
        (self.source, self.failed)
    }
}

impl<E: Into<BoxError>> From<E> for HandlerError {
    fn from(source: E) -> Self {
        Self::new(source)
    }
}

impl fmt::Debug for HandlerError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.source, f)
    }
}
