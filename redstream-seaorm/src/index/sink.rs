//! The sink: a secondary datastore to which the indexer writes.

use std::fmt;

use redstream_core::HandlerError;
use sea_orm::EntityTrait;

use crate::entity::key::Key;

/// A secondary datastore: receives the current records of one entity.
///
/// A record `R` is what the indexer's [`Loader`](crate::Loader) makes of a row; the row's `Model` if there is none.
///
/// Writing the same changes twice must be harmless; changes are repeated after a failure or a crash.
///
/// Implement it by an `async fn write`, whose future must be `Send`.
pub trait Sink<E: EntityTrait, R = <E as EntityTrait>::Model>: Send + Sync + 'static {
    /// Writes the changes, all of them durably, before it returns `Ok`: the offset is committed right after.
    ///
    /// Write each record with [`Changes::version`] and let the datastore refuse an older version than it has (an
    /// *equal* version it must accept). Then a consumer that was paused during a write and continues after another took
    /// over does no harm. For that, deletes need a tombstone with the version. The consumer of such a sink may skip the
    /// second message of each change: [`skip_repeats`](redstream_core::Consumer::skip_repeats).
    ///
    /// # Errors
    ///
    /// An error makes the whole batch be retried. If you know which records failed, return
    /// [`Failures`](crate::Failures): then only these are retried, and the rest counts as written.
    fn write(&self, changes: Changes<E, R>) -> impl Future<Output = Result<(), HandlerError>> + Send;

    /// Whether the datastore should hold something of each row, so that it has to be filled once: see
    /// [`Handler::is_to_be_filled`](redstream_core::Handler::is_to_be_filled). Default: yes.
    fn is_to_be_filled(&self) -> bool {
        true
    }

    /// Whether the datastore refuses a record and a delete with an older [version](Changes::version) than it has. Then
    /// [`Workers::index`](crate::Workers::index) sets
    /// [`skip_repeats(true)`](redstream_core::Consumer::skip_repeats), so that each change is handled once. Default:
    /// no.
    fn compares_versions(&self) -> bool {
        false
    }
}

/// The changes of a batch of messages: records to write, and keys to remove.
pub struct Changes<E: EntityTrait, R = <E as EntityTrait>::Model> {
    /// The records that exist, each with its key as the database spells it, read after the version was issued.
    pub upserts: Vec<(Key<E>, R)>,
    /// The keys that no longer have a record.
    pub deletes: Vec<Key<E>>,
    /// Keys in messages whose records the database has under another spelling, which are among the upserts: `ADA` if
    /// the database treats it as equal to `Ada`. Never keys that are [exact](crate::Streamed::has_exact_key).
    ///
    /// A datastore that compares keys as the database does, or more loosely, ignores them: deleting such a key would
    /// delete the record. A datastore that distinguishes the spellings may have a document under such a key if the row
    /// was renamed from one spelling to another, and deletes it.
    pub respelled: Vec<Key<E>>,
    /// Greater than the version of every earlier batch: usable as an external version in the datastore.
    pub version: u64,
}

impl<E: EntityTrait, R> Changes<E, R> {
    /// How many records change.
    pub fn len(&self) -> usize {
        self.upserts.len() + self.deletes.len()
    }

    /// Whether nothing changes.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl<E: EntityTrait, R: fmt::Debug> fmt::Debug for Changes<E, R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Changes")
            .field("upserts", &self.upserts)
            .field("deletes", &self.deletes)
            .field("respelled", &self.respelled)
            .field("version", &self.version)
            .finish()
    }
}
