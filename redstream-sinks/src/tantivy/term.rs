//! A key as a term: a form whose order is that of the keys, followed by the document's id.
//!
//! An integer is compared as a number, any other value as its text in the id. The bytes of UUIDs and of byte strings
//! are in the same order as those texts.

use redstream_seaorm::Key;
use sea_orm::sea_query::ValueTuple;
use sea_orm::{EntityTrait, Value};

use crate::tantivy::error::Error;

/// tantivy leaves longer terms out, in silence.
const LONGEST: usize = 65_530;

/// The id follows.
const ID: u8 = 0;
/// A number of eight bytes follows.
const NUMBER: u8 = 1;
/// A text follows, up to a zero byte.
const TEXT: u8 = 2;

/// The term and the id.
pub(crate) fn term_of<E: EntityTrait>(key: &Key<E>) -> Result<(Vec<u8>, String), Error> {
    let id = key.document_id().map_err(Error::Key)?;
    let mut term = Vec::with_capacity(10 * key.values().iter().count() + 1 + id.len());
    if let ValueTuple::One(value) = key.values() {
        if let Some(number) = number(value) {
            push_number(&mut term, number);
        }
    } else {
        // An id that is no array cannot be: it was made of several columns.
        let texts: Vec<serde_json::Value> = serde_json::from_str(&id).unwrap_or_default();
        for (value, text) in key.values().iter().zip(texts) {
            if let Some(number) = number(value) {
                push_number(&mut term, number);
            } else {
                term.push(TEXT);
                // JSON has no zero byte.
                term.extend_from_slice(text.to_string().as_bytes());
                term.push(0);
            }
        }
    }
    term.push(ID);
    term.extend_from_slice(id.as_bytes());
    if term.len() > LONGEST {
        let start = id.chars().take(64).collect();
        return Err(Error::KeyTooLong { bytes: term.len(), longest: LONGEST, start });
    }
    Ok((term, id))
}

/// The id within a term.
pub(crate) fn id_in(mut term: &[u8]) -> Option<&str> {
    loop {
        let (kind, rest) = term.split_first()?;
        term = match *kind {
            ID => return std::str::from_utf8(rest).ok(),
            NUMBER => rest.get(8..)?,
            TEXT => rest.get(rest.iter().position(|byte| *byte == 0)? + 1..)?,
            _ => return None,
        };
    }
}

fn push_number(term: &mut Vec<u8>, number: u64) {
    term.push(NUMBER);
    term.extend_from_slice(&number.to_be_bytes());
}

/// In the order of the integers; a column has one kind of them.
fn number(value: &Value) -> Option<u64> {
    let signed = |number: i64| Some(number.cast_unsigned() ^ (1 << 63));
    match value {
        Value::TinyInt(Some(number)) => signed((*number).into()),
        Value::SmallInt(Some(number)) => signed((*number).into()),
        Value::Int(Some(number)) => signed((*number).into()),
        Value::BigInt(Some(number)) => signed(*number),
        Value::TinyUnsigned(Some(number)) => Some((*number).into()),
        Value::SmallUnsigned(Some(number)) => Some((*number).into()),
        Value::Unsigned(Some(number)) => Some((*number).into()),
        Value::BigUnsigned(Some(number)) => Some(*number),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use sea_orm::entity::prelude::*;

    use super::*;

    macro_rules! entity {
        ($name:ident { $($column:ident: $type:ty),* }) => {
            mod $name {
                use super::*;

                #[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
                #[sea_orm(table_name = "t")]
                pub(super) struct Model {
                    $(#[sea_orm(primary_key, auto_increment = false)] pub(super) $column: $type,)*
                }
                #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
                pub(super) enum Relation {}
                impl ActiveModelBehavior for ActiveModel {}
            }
        };
    }

    entity!(integer { id: i64 });
    entity!(unsigned { id: u32 });
    entity!(text { id: String });
    entity!(bytes { id: Vec<u8> });
    entity!(pair { a: i32, b: Vec<u8> });

    /// The keys are given in their order.
    fn ordered<E: EntityTrait>(keys: impl IntoIterator<Item = Key<E>>) {
        let terms: Vec<_> = keys.into_iter().map(|key| term_of(&key).unwrap()).collect();
        assert!(terms.is_sorted_by(|(one, _), (next, _)| one < next), "{terms:?}");
        for (term, id) in &terms {
            assert_eq!(id_in(term), Some(&**id));
        }
    }

    #[test]
    fn terms_are_in_the_order_of_the_keys_and_end_with_the_id() {
        ordered([i64::MIN, -10, -9, -1, 0, 1, 9, 10, i64::MAX].map(Key::<integer::Entity>::new));
        ordered([0, 9, 10, u32::MAX].map(Key::<unsigned::Entity>::new));
        ordered([vec![], vec![0], vec![0, 0], vec![1], vec![9, 1], vec![10]].map(Key::<bytes::Entity>::new));
        let pairs = [(-1, vec![2]), (2, vec![]), (2, vec![0]), (2, vec![0, 1]), (2, vec![1]), (10, vec![])];
        ordered(pairs.map(Key::<pair::Entity>::new));
        ordered(["", "\0", "\0\0", "ulm", "ulm\0"].map(|id| Key::<text::Entity>::new(id.to_owned())));
    }

    #[test]
    fn a_key_that_no_term_holds_is_refused() {
        let key = |bytes| Key::<text::Entity>::new("x".repeat(bytes));
        assert!(term_of(&key(LONGEST - 1)).is_ok());
        assert!(matches!(term_of(&key(LONGEST)), Err(Error::KeyTooLong { .. })));
    }
}
