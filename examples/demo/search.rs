//! The secondary datastore: a tantivy index on disk.
//!
//! Every document carries the version of the batch that wrote it. A batch never replaces a document
//! of a higher version, and a delete leaves a tombstone with its version behind, so that what a
//! paused former owner still writes cannot undo what its successor wrote.
//!
//! tantivy lets one writer at a time into an index, by a `flock` that the kernel gives back when the
//! process dies. So a writer lives for one batch: the standby opens its own as soon as it is the
//! active one, be its predecessor done or dead.

mod documents;
mod look;
#[cfg(test)]
mod tests;
mod write;

use std::path::{Path, PathBuf};

use tantivy::Index;

pub(crate) use look::Look;

/// An index in a folder, which many processes may open.
#[derive(Clone, Debug)]
pub(crate) struct SearchIndex {
    folder: PathBuf,
}

impl SearchIndex {
    /// Creates an empty index in an empty folder.
    pub(crate) fn create(folder: &Path) -> tantivy::Result<Self> {
        Index::create_in_dir(folder, documents::schema())?;
        Ok(Self::at(folder))
    }

    /// The index in a folder, opened when it is used.
    pub(crate) fn at(folder: &Path) -> Self {
        Self { folder: folder.to_owned() }
    }

    /// What is committed right now.
    pub(crate) fn look(&self) -> tantivy::Result<Look> {
        Look::into(&Index::open_in_dir(&self.folder)?)
    }
}
