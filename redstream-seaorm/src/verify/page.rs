//! What is read at once.

use crate::entity::key::Key;
use crate::verify::sides::Keyed;

/// What both sides have of a range of keys.
pub(super) struct Page<E, R, D> {
    pub(super) part: Part<E>,
    pub(super) records: Keyed<E, R>,
    pub(super) documents: Keyed<E, D>,
    /// The last key that was read.
    pub(super) position: Option<Key<E>>,
}

/// Which part of the work a page is.
pub(super) enum Part<E> {
    /// The rows of a range of keys, and the first page of documents of that range.
    Merged { after: Option<Key<E>>, until: Key<E> },
    /// A page of rows, and the documents of their keys.
    Rows,
    /// A page of documents, and the records of their keys.
    Documents { after: Option<Key<E>> },
}

/// What is to be read next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Phase {
    Rows,
    Documents,
    Done,
}

/// A page of one side, by which the other side is read.
pub(super) enum Lead<E, R, D> {
    Keys(Vec<Key<E>>),
    /// The rows were read as a whole.
    Records(Keyed<E, R>),
    Documents(Keyed<E, D>),
}
