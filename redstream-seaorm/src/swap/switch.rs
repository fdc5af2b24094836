//! What a datastore does for a swap.

use async_trait::async_trait;
use redstream_core::BoxError;
use sea_orm::EntityTrait;

use crate::entity::key::Key;

/// An index of `E` that searches reach by another name, its alias, which can be pointed at another index in one step.
#[async_trait]
pub trait Switch<E: EntityTrait>: Send + Sync {
    /// The index's name.
    fn name(&self) -> &str;

    /// Creates the index if it is missing. Returns what distinguishes it from an index that had the same name before
    /// and was removed, such as its UUID; 100 bytes at most.
    ///
    /// # Errors
    ///
    /// If it cannot be created, or is not known how.
    async fn prepare(&self) -> Result<String, BoxError>;

    /// The index that the alias points at; `None` if there is no such alias yet.
    ///
    /// # Errors
    ///
    /// If the datastore does not answer, or the alias points at several indices.
    async fn current(&self) -> Result<Option<String>, BoxError>;

    /// Returns when searches find all that was written.
    ///
    /// # Errors
    ///
    /// If the datastore does not answer.
    async fn refresh(&self) -> Result<(), BoxError>;

    /// The keys of all documents that were last written by a lower [version](crate::Changes::version) than this, page
    /// by page: a page begins with what the one before returned as [`next`](Older::next). All writes that were
    /// acknowledged before the last [refresh](Self::refresh) must be known. Documents of others, if there are any, are
    /// left out.
    ///
    /// # Errors
    ///
    /// If the datastore does not answer, or no longer knows the page.
    async fn older(&self, version: u64, page: Option<String>) -> Result<Older<E>, BoxError>;

    /// Points the alias at this index, and no longer at `before`, in one step.
    ///
    /// # Errors
    ///
    /// If it cannot: the alias then points where it did.
    async fn switch(&self, before: Option<&str>) -> Result<(), BoxError>;

    /// Removes an index. One that is missing counts as removed.
    ///
    /// # Errors
    ///
    /// If it cannot be removed.
    async fn remove(&self, index: &str) -> Result<(), BoxError>;
}

/// A page of documents that were written long ago.
#[derive(Debug)]
pub struct Older<E: EntityTrait> {
    /// Their keys. There may be none, and pages to come nevertheless.
    pub keys: Vec<Key<E>>,
    /// Where the next page begins, in the datastore's own words; `None` after the last page.
    pub next: Option<String>,
}
