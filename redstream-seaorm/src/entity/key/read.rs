//! Reads keys back from payloads.

use std::fmt;
use std::marker::PhantomData;
use std::sync::OnceLock;

use sea_orm::sea_query::Value;
use sea_orm::{ActiveModelTrait, EntityTrait, IdenStatic};
use serde_json::Value as Json;

use super::kind::{KINDS, Kind};
use crate::entity::key::Key;
use crate::entity::key_query::columns;

/// Reads keys of `E` back: from the ids of their documents, and from objects of the key's columns.
///
/// Making one takes some microseconds, in which it finds out which kind of value each column takes; keep it.
///
/// ```
/// # mod city {
/// #     use redstream_seaorm::Streamed;
/// #     use sea_orm::entity::prelude::*;
/// #     #[derive(Clone, Debug, PartialEq, DeriveEntityModel, Streamed)]
/// #     #[sea_orm(table_name = "cities")]
/// #     pub struct Model { #[sea_orm(primary_key)] pub id: i64, pub name: String }
/// #     #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
/// #     pub enum Relation {}
/// # }
/// use redstream_seaorm::{Key, KeyReader};
///
/// let reader = KeyReader::<city::Entity>::new();
/// assert_eq!(reader.document_id("7").unwrap(), Key::new(7));
/// assert!(reader.document_id("seven").is_err());
/// ```
pub struct KeyReader<E: EntityTrait> {
    columns: Vec<Column<E::Column>>,
    /// `{"id":`, if the key has one column: what a payload begins with that has nothing else.
    begin: Option<String>,
    entity: PhantomData<fn() -> E>,
}

struct Column<C> {
    column: C,
    /// The kind of value of the column's Rust type, once it is known.
    kind: OnceLock<&'static Kind>,
}

impl<E: EntityTrait> KeyReader<E> {
    /// Finds out which kind each column takes: the entity's active model accepts one kind of value only, also through
    /// newtypes. An enum accepts no sample; its kind is found with the first key that is read.
    pub fn new() -> Self {
        let known = |column: E::Column| {
            let sample = |kind: &Kind| serde_json::from_str(kind.sample).ok().and_then(|json| (kind.read)(&json));
            let accepts = |kind: &&Kind| sample(kind).is_some_and(|value| set::<E>(column, value).is_some());
            Column { column, kind: KINDS.iter().find(accepts).map_or_else(OnceLock::new, OnceLock::from) }
        };
        let columns: Vec<_> = columns::<E>().into_iter().map(known).collect();
        let begin = match &columns[..] {
            [only] => Some(format!("{{{}:", Json::from(only.column.as_str()))),
            _ => None,
        };
        Self { columns, begin, entity: PhantomData }
    }

    /// The key whose [`Key::document_id`] this is.
    ///
    /// # Errors
    ///
    /// If no key has this id: what is wrong, and in which column. `007` is no id of an integer, because `7` is.
    pub fn document_id(&self, id: &str) -> Result<Key<E>, String> {
        let name = |nth: usize| self.columns[nth].column.as_str().to_owned();
        let object = |values: Vec<Json>| {
            Json::Object(values.into_iter().enumerate().map(|(nth, json)| (name(nth), json)).collect())
        };
        let key = if self.columns.len() == 1 {
            // A text first: a text of digits is no number.
            let text = object(vec![Json::from(id)]);
            let number = || serde_json::from_str(id).ok().map(|json| object(vec![json]));
            self.read(&text).or_else(|error| number().map_or(Err(error), |number| self.read(&number)))?
        } else {
            let values = serde_json::from_str::<Vec<Json>>(id).map_err(|error| format!("{id:?} is no id: {error}"))?;
            if values.len() != self.columns.len() {
                return Err(format!("{id:?} has {} values in place of {}", values.len(), self.columns.len()));
            }
            self.read(&object(values))?
        };
        match key.document_id() {
            Ok(own) if own == id => Ok(key),
            Ok(own) => Err(format!("{id:?} is no id: that key's is {own:?}")),
            Err(error) => Err(error.to_string()),
        }
    }

    /// The key that has the form of [`Key::to_json`]. Fields other than the key's columns are ignored.
    ///
    /// # Errors
    ///
    /// What is wrong, and in which column.
    pub fn read(&self, payload: &Json) -> Result<Key<E>, String> {
        self.read_values(|column| payload.get(column).ok_or_else(|| missing(column, payload)))
    }

    /// The key of a payload's text, if it is exactly the one that a key of one integer or UUID is written as. The same
    /// as to parse and [`read`](Self::read) it, without an object in between. `None` says nothing of the text.
    pub(crate) fn read_plain(&self, text: &[u8]) -> Option<Key<E>> {
        let value = plain(text.strip_prefix(self.begin.as_ref()?.as_bytes())?.strip_suffix(b"}")?)?;
        self.read_values(|_| Ok(&value)).ok()
    }

    fn read_values<'j>(&self, mut value: impl FnMut(&str) -> Result<&'j Json, String>) -> Result<Key<E>, String> {
        let mut model = <E::ActiveModel as ActiveModelTrait>::default();
        for Column { column, kind } in &self.columns {
            let json = value(column.as_str())?;
            let mut accept = |kind: &Kind| (kind.read)(json).is_some_and(|value| model.try_set(*column, value).is_ok());
            if let Some(kind) = kind.get() {
                if !accept(kind) {
                    return Err(format!("column `{}`: expected {}, found {json}", column.as_str(), kind.title));
                }
            } else if let Some(found) = KINDS.iter().find(|kind| accept(kind)) {
                _ = kind.set(found);
            } else {
                return Err(format!("column `{}`: {json} is no value of its type", column.as_str()));
            }
        }
        model.get_primary_key_value().map(Key::from_values).ok_or_else(|| "the entity has no primary key".to_owned())
    }
}

impl<E: EntityTrait> Default for KeyReader<E> {
    fn default() -> Self {
        Self::new()
    }
}

impl<E: EntityTrait> fmt::Debug for KeyReader<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.columns.iter().map(|column| column.column.as_str())).finish()
    }
}

/// The value as the entity has it, if its column takes it.
fn set<E: EntityTrait>(column: E::Column, value: Value) -> Option<Value> {
    let mut model = <E::ActiveModel as ActiveModelTrait>::default();
    model.try_set(column, value).ok()?;
    model.get(column).into_value()
}

/// An integer of up to 18 digits, or a string as long as a UUID that consists of its characters.
fn plain(text: &[u8]) -> Option<Json> {
    let digits = text.strip_prefix(b"-").unwrap_or(text);
    if matches!(digits, [b'0'] | [b'1'..=b'9', ..]) && digits.len() <= 18 && digits.iter().all(u8::is_ascii_digit) {
        // `-0` is no integer for JSON.
        return if text == b"-0" { None } else { str::from_utf8(text).ok()?.parse::<i64>().ok().map(Json::from) };
    }
    let uuid = text.strip_prefix(b"\"")?.strip_suffix(b"\"")?;
    let is_plain = uuid.len() == 36 && uuid.iter().all(|byte| byte.is_ascii_hexdigit() || *byte == b'-');
    if is_plain { str::from_utf8(uuid).ok().map(Json::from) } else { None }
}

fn missing(column: &str, payload: &Json) -> String {
    format!("column `{column}` is missing in {payload}")
}

#[cfg(test)]
mod tests {
    use sea_orm::entity::prelude::*;

    use super::{Key, KeyReader};

    macro_rules! entity {
        ($name:ident { $($column:ident: $type:ty),* }) => {
            mod $name {
                use sea_orm::entity::prelude::*;

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
    entity!(unsigned { id: u64 });
    entity!(truth { id: bool });
    entity!(text { id: String });
    entity!(pair { a: i64, b: String });
    entity!(tiny { id: i8 });

    fn read_back<E: EntityTrait>(key: Key<E>) {
        let id = key.document_id().unwrap();
        assert_eq!(KeyReader::<E>::new().document_id(&id), Ok(key), "{id}");
    }

    fn refused<E: EntityTrait>(id: &str) {
        assert!(KeyReader::<E>::new().document_id(id).is_err(), "{id}");
    }

    #[test]
    fn a_key_is_read_back_from_the_id_of_its_document() {
        for id in [0, 7, -7, i64::MAX, i64::MIN] {
            read_back::<integer::Entity>(Key::new(id));
        }
        read_back::<unsigned::Entity>(Key::new(u64::MAX));
        read_back::<truth::Entity>(Key::new(true));
        for id in ["", "ulm", "7", "007", "true", "\"", "[1]"] {
            read_back::<text::Entity>(Key::new(id.to_owned()));
            read_back::<pair::Entity>(Key::new((i64::MAX, id.to_owned())));
        }
    }

    /// Each text, whatever it is, is read as its JSON is, or not at all.
    fn as_json<E: EntityTrait>(texts: &[String]) -> usize {
        let reader = KeyReader::<E>::new();
        let mut plain = 0;
        for text in texts {
            if let Some(key) = reader.read_plain(text.as_bytes()) {
                let json = serde_json::from_str(text).unwrap_or_else(|error| panic!("{text} is no JSON: {error}"));
                assert_eq!(reader.read(&json), Ok(key), "{text}");
                plain += 1;
            }
        }
        plain
    }

    #[test]
    fn a_plain_payload_is_read_as_its_json_is() {
        let values = [
            "0",
            "-0",
            "7",
            "-7",
            "007",
            "127",
            "128",
            "-129",
            "+7",
            "7.0",
            "1e3",
            "",
            "-",
            " 7",
            "7 ",
            "true",
            "null",
            "999999999999999999",
            "-999999999999999999",
            "9223372036854775807",
            "18446744073709551615",
            "1,\"b\":2",
            "\"6f9619ff-8b86-d011-b42d-00c04fc964ff\"",
            "\"6F9619FF-8B86-D011-B42D-00C04FC964FF\"",
            "\"6f9619ff-8b86-d011-b42d-00c04fc964f\"",
            "\"------------------------------------\"",
            "\"7\"",
            "\"6f9619ff-8b86-d011-b42d-00c04fc964\\n\"",
            "\"9007199254740993\"",
            "[7]",
            "{}",
        ];
        let texts: Vec<_> = values.iter().map(|value| format!("{{\"id\":{value}}}")).collect();
        assert_eq!(as_json::<integer::Entity>(&texts), 8);
        assert_eq!(as_json::<unsigned::Entity>(&texts), 5);
        assert_eq!(as_json::<tiny::Entity>(&texts), 4);
        assert_eq!(as_json::<text::Entity>(&texts), 3);
        assert_eq!(as_json::<truth::Entity>(&texts), 0);
        assert_eq!(as_json::<pair::Entity>(&["{\"a\":7}".to_owned()]), 0);
    }

    #[test]
    fn another_form_of_an_id_is_refused() {
        for id in ["", "007", "+7", " 7", "7.0", "1e3", "seven", "\"7\"", "9223372036854775808"] {
            refused::<integer::Entity>(id);
        }
        for id in ["", "7", "[7]", "[7, \"a\"]", "[7,\"a\",1]", "[\"7\",\"a\"]", "{}"] {
            refused::<pair::Entity>(id);
        }
    }
}
