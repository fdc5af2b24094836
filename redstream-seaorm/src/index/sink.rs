//! The sink: a secondary datastore, as the indexer writes to it.

use std::fmt;

use redstream_core::HandlerError;
use sea_orm::EntityTrait;

use crate::entity::key::Key;

/// A secondary datastore: takes the records of one entity as they stand now.
///
/// A record `R` is what the indexer's [`Loader`](crate::Loader) makes of a row; the row's `Model` where there is none.
///
/// Writing the same changes twice must be harmless; they come again after a failure or a crash.
///
/// Implement it by an `async fn write`, whose future must be `Send`.
pub trait Sink<E: EntityTrait, R = <E as EntityTrait>::Model>: Send + Sync + 'static {
    /// Writes the changes, all of them durably, before it returns `Ok`: the offset is committed right after.
    ///
    /// Write each record with [`Changes::version`] and let the datastore refuse an older one than it has (an
    /// *equal* one it must take). Then a consumer that was paused in mid-write and wakes up after another took over does no
    /// harm. Deletes need a tombstone with the version for that. The consumer of such a sink may pass over the second message of each
    /// change: [`skip_repeats`](redstream_core::Consumer::skip_repeats).
    ///
    /// An error makes the whole batch come again. Where you know which records failed, return
    /// [`Failures`](crate::Failures): then only these do, and the rest is done.
    fn write(&self, changes: Changes<E, R>) -> impl Future<Output = Result<(), HandlerError>> + Send;
}

/// What a batch of messages amounts to: records to write, and keys to remove.
pub struct Changes<E: EntityTrait, R = <E as EntityTrait>::Model> {
    /// The records that exist, read after the version was issued.
    pub upserts: Vec<R>,
    /// The keys that have no record any more.
    pub deletes: Vec<Key<E>>,
    /// Keys that messages name, of records that the database has under another spelling, which are among the upserts: `ADA`
    /// where the database takes it for `Ada`. Never keys that are [exact](crate::Streamed::has_exact_key).
    ///
    /// A datastore that compares keys as the database does, or more loosely, ignores them: to delete such a key would delete
    /// the record. One that tells the spellings apart may hold a document under such a key if the row was renamed from one
    /// spelling to another, and deletes it.
    pub respelled: Vec<Key<E>>,
    /// Greater than the version of every earlier batch: an external version for the datastore.
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
