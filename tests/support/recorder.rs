//! A handler that records its messages.

use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use redstream_core::{Batch, Handler, HandlerError, Message, MessageId};
use serde_json::Value;

/// Records the messages it handles; clones share the record.
#[derive(Clone, Default)]
pub(crate) struct Recorder {
    batches: Arc<Mutex<Vec<Vec<Message>>>>,
}

impl Recorder {
    pub(crate) fn batches(&self) -> Vec<Vec<Message>> {
        self.batches.lock().unwrap().clone()
    }

    /// The payloads, in the order in which they were handled.
    pub(crate) fn payloads(&self) -> Vec<Value> {
        self.batches().iter().flatten().map(|message| message.payload().unwrap()).collect()
    }

    pub(crate) fn ids(&self) -> Vec<MessageId> {
        self.batches().iter().flatten().map(Message::id).collect()
    }

    pub(crate) fn len(&self) -> usize {
        self.batches().iter().map(Vec::len).sum()
    }
}

#[async_trait]
impl Handler for Recorder {
    async fn handle(&self, batch: Batch) -> Result<(), HandlerError> {
        self.batches.lock().unwrap().push(batch.messages().to_vec());
        Ok(())
    }
}
