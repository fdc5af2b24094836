//! The next batch, which the handler prepares while the batch before is handled.

use std::sync::Arc;

use tokio::task::JoinHandle;

use super::Consumer;
use crate::consumer::batch::Batch;
use crate::consumer::dead_letters::Dead;
use crate::consumer::handler::Prepared;
use crate::consumer::version::Versions;
use crate::error::Result;
use crate::message::Message;

/// The messages of a batch, sorted.
pub(super) struct Sorted {
    /// For this consumer.
    pub(super) own: Arc<[Message]>,
    /// For the handler.
    pub(super) fitting: Arc<[Message]>,
    /// For the dead letters: too large for the handler.
    pub(super) dead: Vec<Dead>,
}

/// A batch of which a preparation is under way, or done.
pub(super) struct Ahead {
    read: Arc<[Message]>,
    pub(super) sorted: Sorted,
    pub(super) first: First,
}

/// A batch for its first attempt.
pub(super) struct First {
    pub(super) batch: Batch,
    preparing: Option<JoinHandle<Option<Prepared>>>,
}

impl Ahead {
    /// Whether these are its messages.
    pub(super) fn is_of(&self, read: &Arc<[Message]>) -> bool {
        Arc::ptr_eq(&self.read, read)
    }
}

impl First {
    pub(super) fn unprepared(batch: Batch) -> Self {
        Self { batch, preparing: None }
    }

    /// The batch, once it is prepared. A preparation that panicked is none: the handler then does without.
    pub(super) async fn prepared(self) -> Batch {
        if let Some(preparing) = self.preparing {
            self.batch.set_prepared(preparing.await.ok().flatten());
        }
        self.batch
    }
}

impl Consumer {
    pub(super) fn sort(&self, read: &Arc<[Message]>) -> Result<Sorted> {
        let own = self.own(read);
        let (fitting, dead) = self.set_aside(&self.wanted(&own))?;
        Ok(Sorted { own, fitting, dead })
    }

    /// Begins to prepare a batch, if the handler prepares any.
    pub(super) fn prepare(&self, read: &Arc<[Message]>, versions: Versions) -> Option<Ahead> {
        if !self.handler.prepares() {
            return None;
        }
        // An error is found again when the batch is handled.
        let sorted = self.sort(read).ok().filter(|sorted| !sorted.fitting.is_empty())?;
        let batch = Batch::new(sorted.fitting.clone(), versions, None);
        let (handler, ours) = (Arc::clone(&self.handler), batch.clone());
        // A task: what was begun is not given up in the middle of a query, and a panic stays in it.
        let preparing = tokio::spawn(async move { handler.prepare(&ours).await });
        Some(Ahead { read: Arc::clone(read), sorted, first: First { batch, preparing: Some(preparing) } })
    }
}
