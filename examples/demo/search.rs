//! The secondary datastore: a tantivy index on disk.
//!
//! Every document has the version of the batch that wrote it. A batch never replaces a document of a higher version,
//! and a delete leaves a tombstone with its version, so that late writes of a paused former owner cannot undo those of
//! its successor.
//!
//! tantivy allows one writer of an index at a time, by a `flock` that the kernel releases when the process dies. So a
//! writer exists for one batch: the standby opens its own as soon as it becomes active, whether its predecessor has
//! finished or died.

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

    /// The index in a folder, opened on use.
    pub(crate) fn at(folder: &Path) -> Self {
        Self { folder: folder.to_owned() }
    }

    /// What is committed right now.
    pub(crate) fn look(&self) -> tantivy::Result<Look> {
        Look::into(&Index::open_in_dir(&self.folder)?)
    }
}
