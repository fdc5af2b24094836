//! Checks a document of the application, and sums up its values.

use ::tantivy::TantivyDocument;
use ::tantivy::schema::document::{CompactDocValue, ReferenceValue, ReferenceValueLeaf};
use ::tantivy::schema::{FieldEntry, FieldType, Schema, Value as _};

use crate::tantivy::error::Error;
use crate::tantivy::fields::OwnFields;

/// A checksum of all values. It is stored, so that it must be the same in every version of the crate.
///
/// # Errors
///
/// If a value is not of its field's type. tantivy would stop its writer, or index another type of column.
pub(crate) fn checked(document: &TantivyDocument, schema: &Schema, own: &OwnFields, id: &str) -> Result<u64, Error> {
    let mut sum = Checksum::new();
    for (field, value) in document.field_values() {
        let entry = schema.fields().nth(field.field_id() as usize).map(|(_, entry)| entry);
        let wrong = |what: &str| {
            let name = entry.map_or_else(|| field.field_id().to_string(), |entry| entry.name().to_owned());
            Error::Value { id: id.to_owned(), field: name, what: what.to_owned() }
        };
        let Some(kind) = entry.map(FieldEntry::field_type) else {
            return Err(wrong("is none of the index's schema"));
        };
        if own.all().contains(&field) {
            return Err(wrong("is one of the sink's own"));
        }
        if !accepts(kind, &value) {
            return Err(wrong(&format!("must be of the type {:?} and is {:?}", kind.value_type(), value.as_value())));
        }
        sum.add(&field.field_id().to_be_bytes());
        sum.value(value);
    }
    Ok(sum.0)
}

fn accepts(kind: &FieldType, value: &CompactDocValue<'_>) -> bool {
    use ReferenceValueLeaf as Leaf;

    let leaf = match value.as_value() {
        ReferenceValue::Leaf(leaf) => leaf,
        ReferenceValue::Object(_) => return matches!(kind, FieldType::JsonObject(_)),
        ReferenceValue::Array(_) => return false,
    };
    matches!(
        (kind, leaf),
        (FieldType::Str(_), Leaf::Str(_) | Leaf::PreTokStr(_))
            | (FieldType::U64(_), Leaf::U64(_))
            | (FieldType::I64(_), Leaf::I64(_))
            | (FieldType::F64(_), Leaf::F64(_))
            | (FieldType::Bool(_), Leaf::Bool(_))
            | (FieldType::Date(_), Leaf::Date(_))
            | (FieldType::Facet(_), Leaf::Facet(_))
            | (FieldType::Bytes(_), Leaf::Bytes(_))
            | (FieldType::IpAddr(_), Leaf::IpAddr(_))
            | (FieldType::Custom(_), Leaf::Custom(_))
    )
}

/// FNV-1a of 64 bits, which needs no library and never changes.
struct Checksum(u64);

impl Checksum {
    fn new() -> Self {
        Self(0xcbf2_9ce4_8422_2325)
    }

    fn add(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = (self.0 ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
        }
    }

    /// With its length, so that no two lists of values have the same bytes.
    fn bytes(&mut self, kind: u8, bytes: &[u8]) {
        self.add(&[kind]);
        self.add(&bytes.len().to_be_bytes());
        self.add(bytes);
    }

    fn value(&mut self, value: CompactDocValue<'_>) {
        use ReferenceValueLeaf as Leaf;

        match value.as_value() {
            ReferenceValue::Leaf(leaf) => match leaf {
                Leaf::Null => self.add(&[0]),
                Leaf::Str(text) => self.bytes(1, text.as_bytes()),
                Leaf::U64(number) => self.bytes(2, &number.to_be_bytes()),
                Leaf::I64(number) => self.bytes(3, &number.to_be_bytes()),
                Leaf::F64(number) => self.bytes(4, &number.to_bits().to_be_bytes()),
                Leaf::Date(date) => self.bytes(5, &date.into_timestamp_nanos().to_be_bytes()),
                Leaf::Facet(facet) => self.bytes(6, facet.as_bytes()),
                Leaf::Bytes(bytes) => self.bytes(7, bytes),
                Leaf::IpAddr(address) => self.bytes(8, &address.octets()),
                Leaf::Bool(is_true) => self.bytes(9, &[is_true.into()]),
                Leaf::PreTokStr(text) => {
                    self.bytes(10, text.text.as_bytes());
                    text.tokens.iter().for_each(|token| self.bytes(11, token.text.as_bytes()));
                }
                Leaf::Custom(bytes) => self.bytes(12, bytes),
            },
            ReferenceValue::Array(values) => {
                self.add(&[13]);
                values.for_each(|value| self.value(value));
                self.add(&[14]);
            }
            ReferenceValue::Object(fields) => {
                self.add(&[15]);
                for (name, value) in fields {
                    self.bytes(16, name.as_bytes());
                    self.value(value);
                }
                self.add(&[17]);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use ::tantivy::doc;
    use ::tantivy::schema::{FAST, STORED, TEXT};

    use super::*;

    #[test]
    fn the_checksum_is_of_all_values_and_stays_what_it_is() {
        let mut schema = Schema::builder();
        let name = schema.add_text_field("name", TEXT);
        let size = schema.add_i64_field("size", FAST);
        let more = schema.add_json_field("more", STORED);
        let own = OwnFields::add_to(&mut schema);
        let schema = schema.build();
        let sum = |document: TantivyDocument| checked(&document, &schema, &own, "1").map_err(|error| error.to_string());
        assert_eq!(sum(doc!(name => "Ulm", size => 3_i64)), Ok(10_795_954_892_214_515_904));
        let object = |json: &str| TantivyDocument::parse_json(&schema, json).unwrap();
        let different = [
            doc!(),
            doc!(name => "Ulm"),
            doc!(name => "Ulm", size => 3_i64),
            doc!(name => "Ulm", size => -3_i64),
            doc!(name => "Ul", name => "m"),
            object(r#"{ "more": { "a": 1 } }"#),
            object(r#"{ "more": { "a": [1] } }"#),
        ];
        let sums: std::collections::HashSet<_> = different.map(|document| sum(document).unwrap()).into();
        assert_eq!(sums.len(), 7);

        let refused = [
            (doc!(size => 3_u64), "the field `size` of the document `1` must be of the type I64"),
            (doc!(name => 3_i64), "must be of the type Str"),
            (doc!(more => "text"), "must be of the type Json"),
            (doc!(own.version => 3_u64), "the field `_version` of the document `1` is one of the sink's own"),
            (doc!(::tantivy::schema::Field::from_field_id(99) => 3_u64), "the field `99`"),
        ];
        for (document, expected) in refused {
            let error = sum(document).unwrap_err();
            assert!(error.contains(expected), "{error}");
        }
    }
}
