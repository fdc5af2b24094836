//! The fields that the sink adds to each document.

use ::tantivy::Term;
use ::tantivy::query::{BooleanQuery, ExistsQuery, Occur, Query};
use ::tantivy::schema::{
    BytesOptions, FAST, Field, FieldType, INDEXED, IndexRecordOption, STORED, Schema, SchemaBuilder,
};

use crate::tantivy::error::Error;

pub(crate) const KEY: &str = "_key";
pub(crate) const ID: &str = "_id";
pub(crate) const VERSION: &str = "_version";
pub(crate) const CHECKSUM: &str = "_checksum";
pub(crate) const DELETED: &str = "_deleted";

/// The sink's own fields of an index's schema.
///
/// | field | type | of |
/// |---|---|---|
/// | `_key` | bytes, indexed | the key, in a form whose order is that of the keys |
/// | `_id` | text, stored | [`Key::document_id`](redstream_seaorm::Key::document_id) |
/// | `_version` | u64, fast | the version of the batch |
/// | `_checksum` | u64, fast | all values of the document, to [compare](redstream_seaorm::Scan) it with its record |
/// | `_deleted` | u64, fast, indexed | tombstones alone: when the record was deleted, in minutes since 1970 |
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OwnFields {
    pub(crate) key: Field,
    pub(crate) id: Field,
    pub(crate) version: Field,
    pub(crate) checksum: Field,
    pub(crate) deleted: Field,
}

impl OwnFields {
    /// Adds them to a schema.
    ///
    /// # Panics
    ///
    /// As tantivy does, if the schema has a field of one of these names.
    pub fn add_to(schema: &mut SchemaBuilder) -> Self {
        Self {
            key: schema.add_bytes_field(KEY, BytesOptions::default().set_indexed()),
            id: schema.add_text_field(ID, STORED),
            version: schema.add_u64_field(VERSION, FAST),
            checksum: schema.add_u64_field(CHECKSUM, FAST),
            deleted: schema.add_u64_field(DELETED, FAST | INDEXED),
        }
    }

    /// Those of a schema.
    ///
    /// # Errors
    ///
    /// [`Error::Schema`] if one is missing or has options that would make deletes find nothing.
    pub fn of(schema: &Schema) -> Result<Self, Error> {
        let field = |name: &'static str, is_right: fn(&FieldType) -> bool, expected: &str| {
            let wrong = |what: String| Error::Schema { field: name, what };
            let field = schema.get_field(name).map_err(|_| wrong("is missing".to_owned()))?;
            let found = schema.get_field_entry(field).field_type();
            if is_right(found) { Ok(field) } else { Err(wrong(format!("is {found:?} and must be {expected}"))) }
        };
        Ok(Self {
            key: field(KEY, |kind| matches!(kind, FieldType::Bytes(_)) && kind.is_indexed(), "indexed bytes")?,
            id: field(ID, |kind| matches!(kind, FieldType::Str(text) if text.is_stored()), "a stored text")?,
            version: field(VERSION, is_fast_number, "a fast u64")?,
            checksum: field(CHECKSUM, is_fast_number, "a fast u64")?,
            deleted: field(DELETED, |kind| is_fast_number(kind) && kind.is_indexed(), "a fast, indexed u64")?,
        })
    }

    /// The query without tombstones.
    ///
    /// A tombstone has none of the application's fields, so that only two kinds of queries find it: one for all
    /// documents, and one that consists of exclusions only. Collectors that count all documents count tombstones, too.
    pub fn live(&self, query: Box<dyn Query>) -> Box<dyn Query> {
        let tombstones: Box<dyn Query> = Box::new(ExistsQuery::new(DELETED.to_owned(), false));
        Box::new(BooleanQuery::new(vec![(Occur::Must, query), (Occur::MustNot, tombstones)]))
    }

    pub(crate) fn term(&self, key: &[u8]) -> Term {
        Term::from_field_bytes(self.key, key)
    }

    pub(crate) fn all(&self) -> [Field; 5] {
        [self.key, self.id, self.version, self.checksum, self.deleted]
    }

    /// How a posting of a key is read.
    pub(crate) const POSTINGS: IndexRecordOption = IndexRecordOption::Basic;
}

fn is_fast_number(kind: &FieldType) -> bool {
    matches!(kind, FieldType::U64(_)) && kind.is_fast()
}

#[cfg(test)]
mod tests {
    use ::tantivy::schema::{STRING, TEXT};

    use super::*;

    #[test]
    fn fields_that_were_added_are_found_again() {
        let mut schema = Schema::builder();
        schema.add_text_field("name", TEXT);
        let added = OwnFields::add_to(&mut schema);
        assert_eq!(OwnFields::of(&schema.build()).unwrap(), added);
    }

    #[test]
    fn fields_by_which_deletes_find_nothing_are_refused() {
        type Add = fn(&mut SchemaBuilder);
        let wrong: [(&str, Add); 5] = [
            ("_key` of the index's schema is missing", |_| {}),
            ("must be indexed bytes", |schema| _ = schema.add_text_field(KEY, TEXT)),
            ("must be indexed bytes", |schema| _ = schema.add_bytes_field(KEY, STORED)),
            ("must be a stored text", |schema| {
                schema.add_bytes_field(KEY, INDEXED);
                schema.add_text_field(ID, STRING);
            }),
            ("must be a fast u64", |schema| {
                schema.add_bytes_field(KEY, INDEXED);
                schema.add_text_field(ID, STORED);
                schema.add_i64_field(VERSION, FAST);
            }),
        ];
        for (expected, add) in wrong {
            let mut schema = Schema::builder();
            add(&mut schema);
            let error = OwnFields::of(&schema.build()).unwrap_err().to_string();
            assert!(error.contains(expected), "{error}");
        }
    }
}
