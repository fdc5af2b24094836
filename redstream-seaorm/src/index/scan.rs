//! Reading back what a sink wrote.

use std::fmt;

use redstream_core::HandlerError;
use sea_orm::EntityTrait;

use crate::entity::key::Key;

/// A secondary datastore that can be read back, and so be verified against the primary database.
///
/// For a key that every database and datastore sorts alike (integers, UUIDs, bytes), implement
/// [`scan`](Self::scan) and [`is_current`](Self::is_current). For other keys, such as texts, implement
/// [`find`](Self::find), too.
///
/// A document is what the datastore has of one record: whatever `is_current` needs to compare it, such as the JSON
/// itself, a few of its fields or a checksum of them.
pub trait Scan<E: EntityTrait, R = <E as EntityTrait>::Model>: Send + Sync + 'static {
    /// What the datastore has of one record.
    type Document: Send + 'static;

    /// The documents in the range, by ascending key; at most `limit`, and fewer only if there are no more. All writes
    /// that were acknowledged before must be visible.
    ///
    /// Tombstones are left out. A document from whose id no key can be made is none of this entity's: report it as an
    /// error, or leave it out if the datastore holds others' documents, too.
    ///
    /// If [`find`](Self::find) is implemented for a key that is not sorted alike everywhere, any order will do that
    /// stays the same from page to page and in which [`KeyRange::after`] is understood;
    /// [`KeyRange::until`] is then not set.
    ///
    /// # Errors
    ///
    /// If the datastore cannot be read. The page is asked for again, a few times.
    #[expect(clippy::type_complexity, reason = "an alias would hide what an implementation returns")]
    fn scan(
        &self,
        range: KeyRange<'_, E>,
        limit: usize,
    ) -> impl Future<Output = Result<Vec<(Key<E>, Self::Document)>, HandlerError>> + Send;

    /// The documents of these keys, in any order; a key without a document is left out. `None`, by default, if the
    /// datastore has no such look-up.
    ///
    /// # Errors
    ///
    /// If the datastore cannot be read.
    #[expect(clippy::type_complexity, reason = "an alias would hide what an implementation returns")]
    fn find(
        &self,
        keys: &[Key<E>],
    ) -> impl Future<Output = Result<Option<Vec<(Key<E>, Self::Document)>>, HandlerError>> + Send {
        _ = keys;
        async { Ok(None) }
    }

    /// Whether the document is what the sink writes for this record now.
    ///
    /// # Errors
    ///
    /// If no document can be made of the record, so that nothing can be compared.
    fn is_current(&self, key: &Key<E>, record: &R, document: &Self::Document) -> Result<bool, HandlerError>;
}

/// A half-open range of keys: behind `after`, up to and with `until`.
pub struct KeyRange<'a, E> {
    /// The last key before the range; `None`: from the first key on.
    pub after: Option<&'a Key<E>>,
    /// The last key of the range; `None`: to the end.
    pub until: Option<&'a Key<E>>,
}

impl<E> Clone for KeyRange<'_, E> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<E> Copy for KeyRange<'_, E> {}

impl<E> fmt::Debug for KeyRange<'_, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KeyRange").field("after", &self.after).field("until", &self.until).finish()
    }
}
