//! Which streams a handler is meant for: the keys of another entity would be taken for its own in silence.

use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

use redstream_core::{Batch, StreamName, WrittenStreams};

use crate::Streamed;
use crate::streamed::{table, written_streams};

/// The streams of the entity whose keys a handler reads.
#[derive(Debug)]
pub(crate) struct Meant {
    table: String,
    streams: Vec<StreamName>,
    warned: AtomicBool,
}

impl Meant {
    pub(crate) fn of<E: Streamed>() -> Self {
        Self { table: table::<E>(), streams: written_streams::<E>(), warned: AtomicBool::new(false) }
    }

    /// Warns once if the batch comes from the stream of another entity of the program. A stream of the application's own, such as
    /// one for a reindex, is no mistake.
    pub(crate) fn compare(&self, batch: &Batch) {
        let stream = batch.stream();
        if self.streams.contains(stream) {
            return;
        }
        let is_of_another = inventory::iter::<WrittenStreams>().any(|written| (written.0)().contains(stream));
        if is_of_another && !self.warned.swap(true, Relaxed) {
            let meant: Vec<_> = self.streams.iter().take(3).map(StreamName::as_str).collect();
            tracing::warn!(
                %stream, consumer = batch.consumer(), table = self.table, meant = meant.join(", "),
                "this handler reads keys of `{}`, but its consumer reads the stream of another entity, whose keys it takes for \
                 those: make the consumer by `redstream.of::<Entity>()`",
                self.table
            );
        }
    }
}
