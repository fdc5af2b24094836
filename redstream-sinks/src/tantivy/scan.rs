//! Reads the index back.

use std::sync::Arc;

use ::tantivy::{Searcher, TantivyError};
use redstream_seaorm::{HandlerError, Key, KeyRange, KeyReader, Scan, Streamed};
use sea_orm::EntityTrait;

use crate::tantivy::error::Error;
use crate::tantivy::fields::OwnFields;
use crate::tantivy::lookup::{Columns, find};
use crate::tantivy::sink::TantivySink;
use crate::tantivy::term::{id_in, term_of};

/// What the index has of one record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Indexed {
    /// The version of the batch that wrote it.
    pub version: u64,
    /// The checksum of all values of the document, stored or not.
    pub checksum: u64,
}

/// Of the documents whose terms are in the range, at most `limit` by ascending term.
fn page(
    searcher: &Searcher,
    fields: &OwnFields,
    (after, until): (Option<&[u8]>, Option<&[u8]>),
    limit: usize,
) -> Result<Vec<(Vec<u8>, Indexed)>, TantivyError> {
    let mut page = Vec::new();
    for segment in searcher.segment_readers() {
        let (index, columns) = (segment.inverted_index(fields.key)?, Columns::of(segment)?);
        let mut range = index.terms().range();
        if let Some(after) = after {
            range = range.gt(after);
        }
        if let Some(until) = until {
            range = range.le(until);
        }
        let (mut terms, mut found) = (range.into_stream()?, 0);
        while found < limit && terms.advance() {
            let postings = index.read_postings_from_terminfo(terms.value(), OwnFields::POSTINGS)?;
            if let Some(current) = columns.current(postings).filter(|current| !current.is_tombstone) {
                found += 1;
                let document = Indexed { version: current.version, checksum: current.checksum };
                page.push((terms.key().to_vec(), document));
            }
        }
    }
    page.sort_unstable_by(|(one, _), (other, _)| one.cmp(other));
    page.truncate(limit);
    Ok(page)
}

impl<E: EntityTrait, R: 'static> TantivySink<E, R> {
    /// Runs on a thread that may block, on the last commit of any process.
    async fn read<T: Send + 'static>(
        &self,
        read: impl FnOnce(&Searcher, &OwnFields) -> Result<T, TantivyError> + Send + 'static,
    ) -> Result<T, Error> {
        let (store, fields) = (Arc::clone(&self.store), self.fields());
        let read = tokio::task::spawn_blocking(move || read(&store.newest()?, &fields)).await;
        read.map_err(|_| Error::Ended)?.map_err(Error::index("read the documents"))
    }
}

/// The keys are in the order of their integers; other values in the order of their texts in the
/// [id](Key::document_id).
impl<E, R> Scan<E, R> for TantivySink<E, R>
where
    E: Streamed,
    R: Send + Sync + 'static,
{
    type Document = Indexed;

    async fn scan(&self, range: KeyRange<'_, E>, limit: usize) -> Result<Vec<(Key<E>, Indexed)>, HandlerError> {
        let bound = |key: Option<&Key<E>>| key.map(|key| term_of(key).map(|(term, _)| term)).transpose();
        let (after, until) = (bound(range.after)?, bound(range.until)?);
        let page =
            self.read(move |searcher, fields| page(searcher, fields, (after.as_deref(), until.as_deref()), limit));
        let keys = KeyReader::<E>::new();
        let key = |term: &[u8]| {
            let id = id_in(term).unwrap_or_default();
            keys.document_id(id).map_err(|what| Error::Foreign { id: id.to_owned(), what })
        };
        Ok(page.await?.into_iter().map(|(term, document)| Ok((key(&term)?, document))).collect::<Result<_, Error>>()?)
    }

    async fn find(&self, keys: &[Key<E>]) -> Result<Option<Vec<(Key<E>, Indexed)>>, HandlerError> {
        let keys: Vec<_> = keys.iter().map(|key| Ok((key.clone(), term_of(key)?.0))).collect::<Result<_, Error>>()?;
        let found = self.read(move |searcher, fields| {
            let mut documents = Vec::with_capacity(keys.len());
            for (key, term) in keys {
                if let Some(found) = find(searcher, fields, &term)?.filter(|found| !found.is_tombstone) {
                    documents.push((key, Indexed { version: found.version, checksum: found.checksum }));
                }
            }
            Ok(documents)
        });
        Ok(Some(found.await?))
    }

    /// Compares all values of the documents, by a checksum.
    fn is_current(&self, key: &Key<E>, record: &R, document: &Indexed) -> Result<bool, HandlerError> {
        let (_, id) = term_of(key)?;
        Ok(self.document(key, &id, record)?.1 == document.checksum)
    }
}
