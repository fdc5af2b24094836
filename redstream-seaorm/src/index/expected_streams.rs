//! Which streams a handler is meant for: keys of another entity could silently be mistaken for its own.

use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

use redstream_core::{Batch, StreamName, WrittenStreams};

use crate::entity::streamed::{Streamed, table, written_streams};

/// The streams of the entity whose keys a handler reads.
#[derive(Debug)]
pub(crate) struct Meant {
    table: String,
    streams: Vec<StreamName>,
    /// Payloads of other entities of the stream are recognized.
    tells_apart: bool,
    warned: AtomicBool,
}

impl Meant {
    pub(crate) fn of<E: Streamed>() -> Self {
        let tells_apart = E::kind().is_some();
        Self { table: table::<E>(), streams: written_streams::<E>(), tells_apart, warned: AtomicBool::new(false) }
    }

    /// The decoder skips the payloads of other entities.
    pub(crate) fn tells_apart(&mut self) {
        self.tells_apart = true;
    }

    /// Warns once if the batch comes from the stream of another entity of the program, or from a stream that other
    /// entities write, too, whose payloads cannot be distinguished. A stream of the application's own, such as one for
    /// a reindex, is accepted.
    pub(crate) fn compare(&self, batch: &Batch) {
        let stream = batch.stream();
        if self.warned.load(Relaxed) || (self.tells_apart && self.streams.contains(stream)) {
            return;
        }
        let writers = inventory::iter::<WrittenStreams>().filter(|written| (written.0)().contains(stream)).count();
        if self.streams.contains(stream) {
            if writers > 1 && !self.warned.swap(true, Relaxed) {
                tracing::warn!(
                    %stream, consumer = batch.consumer(), table = self.table, writers,
                    "several entities write this stream, and this handler takes the keys of all of them for keys of `{}`: give each \
                     `#[streamed(kind = \"…\")]`, or a stream of its own",
                    self.table
                );
            }
            return;
        }
        if writers > 0 && !self.warned.swap(true, Relaxed) {
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
