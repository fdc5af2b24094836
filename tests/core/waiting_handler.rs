//! A handler that waits in each batch until the test lets it continue.

use std::sync::Arc;

use async_trait::async_trait;
use redstream_core::{Batch, Handler, HandlerError};
use tokio::sync::Notify;

use super::recorder::Recorder;

/// Records each batch, and then waits. Clones share everything.
#[derive(Clone, Default)]
pub(crate) struct Held {
    pub(crate) seen: Recorder,
    turn: Arc<Turn>,
}

#[derive(Default)]
struct Turn {
    begun: Notify,
    go_on: Notify,
}

impl Held {
    /// Returns when the handler has a batch, once for each batch.
    pub(crate) async fn begun(&self) {
        self.turn.begun.notified().await;
    }

    /// Lets the handler finish the batch that it has, or else the next one.
    pub(crate) fn go_on(&self) {
        self.turn.go_on.notify_one();
    }
}

#[async_trait]
impl Handler for Held {
    async fn handle(&self, batch: Batch) -> Result<(), HandlerError> {
        self.seen.handle(batch).await?;
        self.turn.begun.notify_one();
        self.turn.go_on.notified().await;
        Ok(())
    }
}
