//! Primary keys, and their form in messages.
//!
//! # Layout
//! `write` makes JSON of a database value, `read` a key of JSON; `read` asks the entity which `kind` of value a column
//! takes.

#[cfg(any(feature = "with-chrono", feature = "with-time"))]
mod calendar;
#[cfg(feature = "with-chrono")]
mod chrono;
#[cfg(any(feature = "with-rust_decimal", feature = "with-bigdecimal"))]
mod decimal;
mod document_id;
mod error;
mod kind;
mod read;
mod serde;
#[cfg(all(
    test,
    feature = "with-bigdecimal",
    feature = "with-chrono",
    feature = "with-rust_decimal",
    feature = "with-time",
    feature = "with-uuid"
))]
mod tests;
#[cfg(feature = "with-time")]
mod time;
mod write;
mod zero;
mod zone;

use std::collections::HashSet;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::marker::PhantomData;

use foldhash::fast::RandomState;
use redstream_core::{NewMessage, Payload, PayloadObject};
use sea_orm::sea_query::{Condition, FromValueTuple, IntoValueTuple, ValueTuple};
use sea_orm::{EntityTrait, IdenStatic, Iterable, ModelTrait, PrimaryKeyToColumn, PrimaryKeyTrait};
use serde_json::Value as Json;

pub use error::KeyError;
pub use read::KeyReader;
pub(crate) use zero::{has_zero, is_zero};
pub(crate) use zone::{has_midnight, is_beside_utc};

use crate::entity::key_query::is_one_of;
use crate::entity::streamed::{Streamed, message, table};
use crate::error::Error;
use write::write;

/// The type of an entity's primary key: `i64`, `(i32, String)`, …
pub type KeyOf<E> = <<E as EntityTrait>::PrimaryKey as PrimaryKeyTrait>::ValueType;

/// The primary key of a row of `E`.
pub struct Key<E> {
    values: ValueTuple,
    entity: PhantomData<fn() -> E>,
}

/// Keys, each once.
pub(crate) type KeySet<E> = HashSet<Key<E>, RandomState>;

impl<E: EntityTrait> Key<E> {
    /// A key from its value: `Key::<city::Entity>::new(1)`, `Key::<line::Entity>::new((1, "a".to_owned()))`.
    pub fn new(key: KeyOf<E>) -> Self
    where
        KeyOf<E>: IntoValueTuple,
    {
        Self::from_values(key.into_value_tuple())
    }

    /// A key from SeaORM's untyped form, in the order of the key's columns.
    pub fn from_values(values: ValueTuple) -> Self {
        Self { values, entity: PhantomData }
    }

    /// The key of a row.
    pub fn of<M: ModelTrait<Entity = E>>(row: &M) -> Self {
        Self::from_values(row.get_primary_key_value())
    }

    /// The condition that a row has one of these keys, for a query of your own: `E::find().filter(Key::any_of(&keys))`.
    ///
    /// One statement takes at most 5000 keys, or 400 if a key has several columns;
    /// [`find_by_keys`](crate::find_by_keys) takes any number.
    pub fn any_of(keys: &[Self]) -> Condition {
        is_one_of(keys)
    }

    /// SeaORM's untyped form.
    pub fn values(&self) -> &ValueTuple {
        &self.values
    }

    /// The key's value.
    pub fn value(&self) -> KeyOf<E>
    where
        KeyOf<E>: FromValueTuple,
    {
        FromValueTuple::from_value_tuple(self.values.clone())
    }
}

impl<E: EntityTrait> Key<E> {
    /// An object of the key's columns, as payloads have it: `{"id":1}`, `{"line":2,"order_id":1}`.
    ///
    /// The form depends only on the database's values, reads back as the same key, and does not depend on enabled
    /// features. A key that has no form, such as NaN, is `null` here; a save of it is refused by a [`KeyError`].
    ///
    /// | value | JSON |
    /// |---|---|
    /// | boolean | `true`, `false` |
    /// | integer | a number; beyond ±(2⁵³ − 1) a string of digits |
    /// | float | a number: the shortest digits that read back |
    /// | text, character, enum | a string: the database's value |
    /// | bytes | a string of hexadecimal digits, lower case |
    /// | UUID | `"6f9619ff-8b86-d011-b42d-00c04fc964ff"` |
    /// | decimal | a string, without trailing zeros: `"1.5"` |
    /// | date, time, both | `"2026-02-01"`, `"12:34:56.789"`, `"2026-02-01T12:34:56"` |
    /// | date and time with time zone | in UTC: `"2026-02-01T12:34:56Z"` |
    /// | IP network, MAC address | `"10.0.0.0/8"`, `"00:1b:44:11:3a:b7"` |
    pub fn to_json(&self) -> Json {
        self.payload().ok().and_then(|payload| serde_json::from_str(payload.as_str()).ok()).unwrap_or_default()
    }

    /// An id for a datastore whose ids are texts, such as a search index.
    ///
    /// A key of one column is its plain value: `7`, `ulm`, `6f9619ff-8b86-d011-b42d-00c04fc964ff`. A key of several
    /// columns is a JSON array of their values, in the order of the columns: `[2,"ulm"]`. Values have the form of
    /// [`to_json`](Self::to_json), integers beyond ±(2⁵³ − 1) included: plain digits alone, a string in an array.
    ///
    /// Two different keys of one entity have different ids, from which [`KeyReader::document_id`] makes the keys again.
    /// Keys of different entities may have the same id.
    ///
    /// # Errors
    ///
    /// If the key has no form, such as NaN; its row can then not be saved through a streamed connection either.
    pub fn document_id(&self) -> Result<String, KeyError> {
        let mut columns = E::PrimaryKey::iter().map(|key| key.into_column().as_str());
        match &self.values {
            ValueTuple::One(value) => document_id::of_one(columns.next().unwrap_or_default(), value),
            values => document_id::of_several(columns.zip(values.iter())),
        }
    }

    /// The same, as text.
    pub(crate) fn payload(&self) -> Result<Payload, KeyError> {
        self.payload_by(&mut PayloadObject::default())
    }

    /// The same, by an object that is empty before and afterwards. After an error it is not.
    pub(crate) fn payload_by(&self, object: &mut PayloadObject) -> Result<Payload, KeyError> {
        self.write_to(object)?;
        Ok(object.finish())
    }

    /// Writes its columns to an empty object.
    pub(crate) fn write_to(&self, object: &mut PayloadObject) -> Result<(), KeyError> {
        let columns = || E::PrimaryKey::iter().map(|key| key.into_column().as_str());
        if let ValueTuple::One(value) = &self.values {
            columns().try_for_each(|column| write(object, column, value))?;
        } else {
            let mut fields: Vec<_> = columns().zip(self.values.iter()).collect();
            fields.sort_unstable_by_key(|(column, _)| *column);
            fields.into_iter().try_for_each(|(column, value)| write(object, column, value))?;
        }
        Ok(())
    }

    /// Whether it is the number zero, which `MySQL` and `MariaDB` replace by a generated key.
    pub(crate) fn is_zero(&self) -> bool {
        is_zero(&self.values)
    }
}

impl<E: Streamed> Key<E> {
    /// The message that announces a change of this row: its stream, or its shard, and its payload.
    ///
    /// # Errors
    ///
    /// As a save of the row: if the key has no form in messages, or the entity has no stream.
    pub fn message(&self) -> Result<NewMessage, Error> {
        if !E::HAS_STREAM {
            return Err(Error::NoStream { table: table::<E>() });
        }
        message::<E>(self.values.clone())
    }
}

impl<E> Clone for Key<E> {
    fn clone(&self) -> Self {
        Self { values: self.values.clone(), entity: PhantomData }
    }
}

impl<E> PartialEq for Key<E> {
    fn eq(&self, other: &Self) -> bool {
        self.values == other.values
    }
}

impl<E> Eq for Key<E> {}

impl<E> Hash for Key<E> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.values.hash(state);
    }
}

/// As JSON: `{"id":1}`.
impl<E: EntityTrait> fmt::Display for Key<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.payload() {
            Ok(payload) => payload.fmt(f),
            Err(_) => f.write_str("null"),
        }
    }
}

impl<E> fmt::Debug for Key<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Key").field(&self.values).finish()
    }
}
