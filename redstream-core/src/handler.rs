//! The handler: the application's code that carries a batch to a secondary datastore.

use std::fmt;

use async_trait::async_trait;

use crate::{Batch, BoxError};

/// Carries the messages of a batch to wherever they have to go.
///
/// A batch that was handled may come again (the process died before the commit, another took over), so
/// handle it in a way that is harmless twice: read the rows that the keys name, and write what stands
/// there now.
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
    /// Handles one batch. It is committed when this returns `Ok`; an error or a panic makes the same
    /// messages come again, after a pause.
    ///
    /// It is not cancelled on shutdown, which waits for it.
    async fn handle(&self, batch: Batch) -> Result<(), HandlerError>;
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
pub struct HandlerError {
    source: BoxError,
}

impl HandlerError {
    /// Any error, or a text.
    pub fn new(source: impl Into<BoxError>) -> Self {
        Self { source: source.into() }
    }

    /// The application's error.
    pub fn into_source(self) -> BoxError {
        self.source
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
