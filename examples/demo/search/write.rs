//! Writing the index: one batch, one commit.

use std::time::{Duration, Instant};

use tantivy::directory::error::LockError;
use tantivy::{Index, IndexWriter, TantivyError};

use super::documents::Fields;
use super::{Look, SearchIndex};
use crate::city;

/// Memory for documents not yet on disk: tantivy asks for 15 MB at least.
const MEMORY: usize = 32 << 20;
/// How long to wait for a writer of another process to finish its batch.
const PATIENCE: Duration = Duration::from_secs(10);
const POLL: Duration = Duration::from_millis(20);

impl SearchIndex {
    /// Writes a batch and returns when it is on disk. Waits for another process's writer, at most ten seconds. Blocks:
    /// call it on a thread that may block.
    pub(crate) fn write(&self, version: u64, upserts: &[city::Model], deletes: &[i64]) -> tantivy::Result<()> {
        let (index, mut writer) = self.writer()?;
        let fields = Fields::of(&index.schema())?;
        let current = Look::into(&index)?; // no other process writes while we hold the writer
        for city in upserts {
            if newer(&current, city.id, version)? {
                writer.delete_term(fields.id_term(city.id));
                writer.add_document(fields.document(city, version))?;
            }
        }
        for id in deletes {
            if newer(&current, *id, version)? {
                writer.delete_term(fields.id_term(*id));
                writer.add_document(fields.tombstone(*id, version))?;
            }
        }
        writer.commit()?;
        writer.wait_merging_threads()
    }

    /// Opens the index again each time: another process may have written in between, and tantivy reads the list of
    /// files to clean up when the index is opened.
    fn writer(&self) -> tantivy::Result<(Index, IndexWriter)> {
        let start = Instant::now();
        loop {
            let index = Index::open_in_dir(&self.folder)?;
            match index.writer_with_num_threads(1, MEMORY) {
                Ok(writer) => return Ok((index, writer)),
                Err(TantivyError::LockFailure(LockError::LockBusy, _)) if start.elapsed() < PATIENCE => {
                    std::thread::sleep(POLL);
                }
                Err(e) => return Err(e),
            }
        }
    }
}

/// Whether a batch of this version may write this city: an equal version is a retry of our own.
fn newer(current: &Look, id: i64, version: u64) -> tantivy::Result<bool> {
    Ok(current.version(id)?.is_none_or(|stored| stored <= version))
}
