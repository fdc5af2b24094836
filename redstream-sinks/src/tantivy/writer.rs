//! Opens a writer, which has the index's lock for as long as it lives.

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};

use ::tantivy::directory::error::LockError;
use ::tantivy::indexer::IndexWriterOptions;
use ::tantivy::{Index, IndexWriter, TantivyError};

/// How long to wait for the commit of another process, if the lock is released after each.
const PATIENCE: Duration = Duration::from_secs(10);
const POLL: Duration = Duration::from_millis(5);

#[derive(Clone)]
pub(crate) struct Options {
    pub(crate) threads: usize,
    pub(crate) memory: usize,
    /// How long tombstones are kept.
    pub(crate) keep: Duration,
    /// Opens the index again, if its lock is released after each commit.
    pub(crate) reopen: Option<Arc<Reopen>>,
}

pub(crate) type Reopen = dyn Fn() -> Result<Index, TantivyError> + Send + Sync;

impl Options {
    /// A writer of the index. Blocks while another process commits, if the lock is released in between.
    pub(crate) fn writer(&self, index: &Index) -> Result<IndexWriter, TantivyError> {
        let Some(reopen) = &self.reopen else { return index.writer_with_options(self.of_tantivy()) };
        let start = Instant::now();
        loop {
            // tantivy reads the list of the files that it may remove when the index is opened, and other processes add
            // to it.
            match reopen()?.writer_with_options(self.of_tantivy()) {
                Err(TantivyError::LockFailure(LockError::LockBusy, _)) if start.elapsed() < PATIENCE => {
                    std::thread::sleep(POLL);
                }
                opened => return opened,
            }
        }
    }

    /// Releases the lock if it is to be released after each commit.
    pub(crate) fn keep(&self, writer: IndexWriter) -> Option<IndexWriter> {
        if self.reopen.is_none() {
            return Some(writer);
        }
        // Without this the merges that the commit began would be given up. They are no part of the commit, which has
        // succeeded.
        if let Err(error) = writer.wait_merging_threads() {
            tracing::warn!(%error, "segments of the tantivy index could not be merged; searches become slower until they are");
        }
        None
    }

    fn of_tantivy(&self) -> IndexWriterOptions {
        IndexWriterOptions::builder().num_worker_threads(self.threads).memory_budget_per_thread(self.memory).build()
    }
}

impl fmt::Debug for Options {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { threads, memory, keep, reopen } = self;
        f.debug_struct("Options")
            .field("threads", threads)
            .field("memory", memory)
            .field("keep", keep)
            .field("releases_lock", &reopen.is_some())
            .finish()
    }
}
