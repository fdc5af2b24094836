//! When tombstones are forgotten.

use std::time::{Duration, SystemTime};

use ::tantivy::{IndexWriter, Searcher, TantivyError, Term};

use crate::tantivy::fields::OwnFields;

/// A tombstone's time is kept in minutes, so that an index has few such terms.
const MINUTE: u64 = 60;

/// Now, in minutes since 1970.
pub(crate) fn now() -> u64 {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    since.as_secs() / MINUTE
}

/// Has the next commit remove the tombstones that are older than `keep`.
pub(crate) fn remove_old(
    writer: &IndexWriter,
    searcher: &Searcher,
    fields: &OwnFields,
    keep: Duration,
) -> Result<(), TantivyError> {
    let Some(last) = now().checked_sub(keep.as_secs().div_ceil(MINUTE) + 1) else { return Ok(()) };
    for segment in searcher.segment_readers() {
        let index = segment.inverted_index(fields.deleted)?;
        // The terms of numbers are in the numbers' order.
        let up_to = Term::from_field_u64(fields.deleted, last);
        let mut terms = index.terms().range().le(up_to.serialized_value_bytes()).into_stream()?;
        while terms.advance() {
            let Ok(minute) = terms.key().try_into().map(u64::from_be_bytes) else { continue };
            writer.delete_term(Term::from_field_u64(fields.deleted, minute));
        }
    }
    Ok(())
}
