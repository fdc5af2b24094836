//! The handler: the application's code that writes a batch to a secondary datastore.

use std::any::Any;
use std::fmt;

use async_trait::async_trait;

use crate::consumer::batch::Batch;
use crate::error::BoxError;
use crate::message::{DecodeError, MessageId};

/// Handles the messages of a batch.
///
/// A message that was handled may be repeated (the process died before the commit, another took over, another message
/// of its batch failed), so handling it twice must be harmless: read the rows that the keys name, and write their
/// current state.
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
    /// Handles one batch, which is committed when this returns `Ok`.
    ///
    /// It is not cancelled on shutdown, which waits for it.
    ///
    /// # Errors
    ///
    /// An error or a panic makes messages be retried, as [`Consumer::attempts`](crate::Consumer::attempts) and
    /// [`OnPoison`](crate::OnPoison) say.
    async fn handle(&self, batch: Batch) -> Result<(), HandlerError>;

    /// Whether [`prepare`](Self::prepare) does anything. Default: no.
    fn prepares(&self) -> bool {
        false
    }

    /// Reads ahead what this batch needs, while the batch before is still being handled. It must write nothing: what it
    /// returns is dropped if the batch before fails. [`Batch::take_prepared`] has it in [`handle`](Self::handle).
    ///
    /// It runs in a task of its own, and only if the batch has arrived by then: so `handle` must manage without it. A
    /// handler that calls another one passes `prepares` and `prepare` on to it, and
    /// [`is_to_be_filled`](Self::is_to_be_filled).
    async fn prepare(&self, batch: &Batch) -> Option<Prepared> {
        _ = batch;
        None
    }

    /// Whether what it feeds should hold something of each row, so that it has to be filled once: a consumer that is
    /// new then warns of rows that were written before. Not so for a handler that evicts or passes on. Default: yes.
    fn is_to_be_filled(&self) -> bool {
        true
    }

    /// What it writes to, such as an index and its address: see [`Consumer::identity`](crate::Consumer::identity).
    /// Default: empty.
    fn identity(&self) -> Option<String> {
        None
    }
}

/// What [`Handler::prepare`] returns.
pub type Prepared = Box<dyn Any + Send>;

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

/// Why a batch could not be handled. Made from any error by `?`; it does not implement `Error` itself, since that would
/// prevent this conversion.
///
/// A [`DecodeError`] names its message: that message can never succeed, so it is not retried.
pub struct HandlerError {
    source: BoxError,
    failed: Failed,
}

/// Which messages of the batch failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Failed {
    /// Unknown. Any message may be at fault, so the whole batch is retried.
    Unknown,
    /// These; the others are handled.
    Only(Vec<MessageId>),
    /// This one fails on every attempt; nothing is known of the others.
    Never(MessageId),
}

impl HandlerError {
    /// Any error, or a text. The whole batch is retried.
    pub fn new(source: impl Into<BoxError>) -> Self {
        let source = source.into();
        let failed = match source.downcast_ref::<DecodeError>() {
            Some(error) => Failed::Never(error.id()),
            None => Failed::Unknown,
        };
        Self { source, failed }
    }

    /// Only these messages failed; the rest of the batch is handled and is not retried. Ids that are not in the batch
    /// are ignored; if none is left, the whole batch is retried.
    pub fn only(failed: impl IntoIterator<Item = MessageId>, source: impl Into<BoxError>) -> Self {
        Self { source: source.into(), failed: Failed::Only(failed.into_iter().collect()) }
    }

    /// This message can never succeed, so it is not retried: it goes to the dead letters at once, as a message that
    /// cannot be decoded. The rest of the batch is handled again. An id that is not in the batch fails the whole batch.
    pub fn permanent(failed: MessageId, source: impl Into<BoxError>) -> Self {
        Self { source: source.into(), failed: Failed::Never(failed) }
    }

    /// The application's error.
    pub fn source(&self) -> &(dyn std::error::Error + Send + Sync + 'static) {
        &*self.source
    }

    /// Returns the application's error.
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
