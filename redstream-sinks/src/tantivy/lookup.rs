//! What the last commit has of a key.

use ::tantivy::columnar::Column;
use ::tantivy::{DocSet, Searcher, SegmentReader, TERMINATED, TantivyError};

use crate::tantivy::fields::{CHECKSUM, DELETED, OwnFields, VERSION};

/// What a document or tombstone has in the sink's own fields.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Found {
    pub(crate) version: u64,
    pub(crate) checksum: u64,
    pub(crate) is_tombstone: bool,
}

/// The sink's fast fields of one segment.
pub(crate) struct Columns<'s> {
    segment: &'s SegmentReader,
    version: Column<u64>,
    checksum: Column<u64>,
    deleted: Column<u64>,
}

impl<'s> Columns<'s> {
    pub(crate) fn of(segment: &'s SegmentReader) -> Result<Self, TantivyError> {
        let column = |name| segment.fast_fields().u64(name);
        Ok(Self { segment, version: column(VERSION)?, checksum: column(CHECKSUM)?, deleted: column(DELETED)? })
    }

    /// The first of these documents that is not deleted; there is one at most.
    pub(crate) fn current(&self, mut postings: impl DocSet) -> Option<Found> {
        while postings.doc() != TERMINATED {
            let document = postings.doc();
            if !self.segment.is_deleted(document) {
                return Some(Found {
                    version: self.version.first(document).unwrap_or_default(),
                    checksum: self.checksum.first(document).unwrap_or_default(),
                    is_tombstone: self.deleted.first(document).is_some(),
                });
            }
            postings.advance();
        }
        None
    }
}

/// The document or tombstone of this key.
pub(crate) fn find(searcher: &Searcher, fields: &OwnFields, key: &[u8]) -> Result<Option<Found>, TantivyError> {
    let term = fields.term(key);
    for segment in searcher.segment_readers() {
        let postings = segment.inverted_index(fields.key)?.read_postings(&term, OwnFields::POSTINGS)?;
        let Some(postings) = postings else { continue };
        if let Some(found) = Columns::of(segment)?.current(postings) {
            return Ok(Some(found));
        }
    }
    Ok(None)
}

/// At least the highest version of all documents and tombstones: no write by this version or a higher one is too late.
pub(crate) fn highest_version(searcher: &Searcher) -> Result<u64, TantivyError> {
    let of = |segment: &SegmentReader| Ok::<_, TantivyError>(segment.fast_fields().u64(VERSION)?.max_value());
    searcher.segment_readers().iter().try_fold(0, |highest, segment| Ok(highest.max(of(segment)?)))
}
