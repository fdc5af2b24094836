//! Reading the index: one committed state of it.

use std::collections::HashMap;

use tantivy::collector::Count;
use tantivy::columnar::Column;
use tantivy::query::{BooleanQuery, PhraseQuery, Query, TermQuery};
use tantivy::schema::IndexRecordOption;
use tantivy::{
    DocAddress, DocId, DocSet as _, Index, IndexReader, ReloadPolicy, Searcher, SegmentReader, TERMINATED, Term,
};

use super::documents::Fields;
use crate::city;

/// One committed state of the index, which later commits do not change.
pub(crate) struct Look {
    index: Index,
    searcher: Searcher,
    fields: Fields,
}

impl Look {
    pub(super) fn into(index: &Index) -> tantivy::Result<Self> {
        let reader: IndexReader = index.reader_builder().reload_policy(ReloadPolicy::Manual).try_into()?;
        let searcher = reader.searcher();
        Ok(Self { index: index.clone(), searcher, fields: Fields::of(&index.schema())? })
    }

    /// How many documents there are, tombstones among them.
    pub(crate) fn len(&self) -> u64 {
        self.searcher.num_docs()
    }

    /// How many cities of exactly this name a search finds.
    pub(crate) fn hits(&self, name: &str) -> tantivy::Result<usize> {
        let mut terms = Vec::new();
        let mut words = self.index.tokenizer_for_field(self.fields.name)?;
        words.token_stream(name).process(&mut |word| terms.push(Term::from_field_text(self.fields.name, &word.text)));
        let query: Box<dyn Query> = match terms.as_slice() {
            [] => return Ok(0),
            [word] => Box::new(TermQuery::new(word.clone(), IndexRecordOption::Basic)),
            _ => Box::new(PhraseQuery::new(terms)),
        };
        self.searcher.search(&BooleanQuery::intersection(vec![query]), &Count)
    }

    /// The city of this id, unless it is missing or deleted.
    pub(crate) fn city(&self, id: i64) -> tantivy::Result<Option<city::Model>> {
        match self.find(id)? {
            Some((address, _)) => self.read(address),
            None => Ok(None),
        }
    }

    /// The version of the document of this id, or of its tombstone.
    pub(super) fn version(&self, id: i64) -> tantivy::Result<Option<u64>> {
        Ok(self.find(id)?.map(|(_, version)| version))
    }

    /// The address of each city, by id: all of them, without the tombstones.
    pub(crate) fn cities(&self) -> tantivy::Result<HashMap<i64, DocAddress>> {
        let mut cities = HashMap::new();
        for (segment, reader) in (0..).zip(self.searcher.segment_readers()) {
            let ids = reader.fast_fields().i64("id")?;
            let deleted = reader.fast_fields().bool("deleted")?;
            for document in reader.doc_ids_alive().filter(|document| deleted.first(*document) == Some(false)) {
                if let Some(id) = ids.first(document) {
                    cities.insert(id, DocAddress::new(segment, document));
                }
            }
        }
        Ok(cities)
    }

    /// The city at an address; `None` if it is a tombstone.
    pub(crate) fn read(&self, address: DocAddress) -> tantivy::Result<Option<city::Model>> {
        Ok(self.fields.city(&self.searcher.doc(address)?))
    }

    fn find(&self, id: i64) -> tantivy::Result<Option<(DocAddress, u64)>> {
        let term = self.fields.id_term(id);
        for (segment, reader) in (0..).zip(self.searcher.segment_readers()) {
            if let Some(document) = alive(reader, &term)? {
                let versions: Column<u64> = reader.fast_fields().u64("version")?;
                let version = versions.first(document).unwrap_or_default();
                return Ok(Some((DocAddress::new(segment, document), version)));
            }
        }
        Ok(None)
    }
}

/// The one document of a term that no later write has replaced.
fn alive(reader: &SegmentReader, term: &Term) -> tantivy::Result<Option<DocId>> {
    let Some(mut documents) = reader.inverted_index(term.field())?.read_postings(term, IndexRecordOption::Basic)?
    else {
        return Ok(None);
    };
    while documents.doc() != TERMINATED {
        if !reader.is_deleted(documents.doc()) {
            return Ok(Some(documents.doc()));
        }
        documents.advance();
    }
    Ok(None)
}
