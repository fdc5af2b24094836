//! Which entities are streamed, and what message a key of theirs becomes.

use std::borrow::Cow;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::marker::PhantomData;

use redstream_core::{BoxError, NewMessage, Payload, ShardMap, StreamName};
use sea_orm::sea_query::{Condition, FromValueTuple, IntoValueTuple, ValueTuple};
use sea_orm::{EntityTrait, IdenStatic, Iterable, ModelTrait, PrimaryKeyToColumn, PrimaryKeyTrait};
use serde::Serialize;
use serde_json::{Map, Value as Json};

use crate::Error;
use crate::keyset::is_one_of;
use crate::table_name::TableName;

/// The type of an entity's primary key: `i64`, `(i32, String)`, …
pub type KeyOf<E> = <<E as EntityTrait>::PrimaryKey as PrimaryKeyTrait>::ValueType;

/// An entity whose changes are streamed; `#[derive(Streamed)]` on its model implements it.
///
/// What is said of a message is a function of the primary key alone: a delay message, a main message, a delete that knows
/// no other column and a bulk update that selects keys must all make the same message of a row.
///
/// The key's type is `Serialize`, and `Deserialize` where an [`Indexer`](crate::Indexer) is to read the key back; SeaORM's own
/// key types are. A newtype derives both.
pub trait Streamed: EntityTrait<PrimaryKey: PrimaryKeyTrait<ValueType: Serialize>> {
    /// The stream's name. Default: the table's, or `SCHEMA.TABLE` if the entity names a schema.
    ///
    /// A name that no stream can have, such as one with a blank or one that ends in `.delay`, is an error of the save and of
    /// [`Entities::of`](crate::Entities::of): set another by `#[streamed(stream = "…")]`.
    fn stream() -> Cow<'static, str> {
        table::<Self>().into()
    }

    /// Into how many shards the stream is cut: see [`Shards`](redstream_core::Shards). Default: none, it is one stream.
    ///
    /// All writers and workers must agree on it. [`Entities::of`](crate::Entities::of) gives workers that do.
    fn shards() -> Option<u32> {
        None
    }

    /// The generation of the shards: see [`Shards::generation`](redstream_core::Shards::generation). Default: 1.
    fn generation() -> u32 {
        1
    }

    /// The message's payload. Default: an object of the key's columns, such as `{"id":1}`.
    fn payload(key: &Key<Self>) -> Json {
        key.to_json()
    }

    /// Whether the database stores and compares every key of this entity exactly as Rust does; `#[streamed(exact_key)]`
    /// says so. Default: no.
    ///
    /// Keys of integers, booleans, UUIDs, bytes and dates are exact in any case. For others (text, decimals, floats, times) the
    /// database may have another key than it was given: by a collation, padding, a scale, a precision or a trigger. So the
    /// key that it has is read in the same transaction, before an update or delete and, if the statement does not give its row
    /// back, after an insert or update. Declare a key exact if no two of its values are equal for the database and different
    /// in Rust, and nothing in the database changes a key: then nothing is read.
    fn has_exact_key() -> bool {
        false
    }

    /// Whether an update that sets this column is announced. Default: every one is. An update that sets no watched
    /// column is neither insured nor announced; inserts and deletes always are.
    fn is_watched(column: &Self::Column) -> bool {
        let _ = column;
        true
    }
}

/// The primary key of a row of `E`.
pub struct Key<E> {
    values: ValueTuple,
    entity: PhantomData<fn() -> E>,
}

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
    /// One statement takes 5000 keys at the most, or 400 where a key has several columns;
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

impl<E: Streamed> Key<E> {
    /// An object of the key's columns: `{"id":1}`, `{"order_id":1,"line":2}`, each value as its type serializes. So no digit
    /// of a decimal is lost, and what is read back is the same key. A key that cannot be serialized is `null` here;
    /// a save of it is refused.
    pub fn to_json(&self) -> Json {
        let columns = || E::PrimaryKey::iter().map(|key| key.into_column().as_str().to_owned());
        let mut object = Map::new();
        match serde_json::to_value(self.value()) {
            Ok(Json::Array(values)) if columns().count() > 1 => object.extend(columns().zip(values)),
            Ok(value) => object.extend(columns().zip([value])),
            Err(_) => return Json::Null,
        }
        Json::Object(object)
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
impl<E: Streamed> fmt::Display for Key<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.to_json().fmt(f)
    }
}

impl<E> fmt::Debug for Key<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Key").field(&self.values).finish()
    }
}

/// The message of a key.
pub(crate) fn message<E: Streamed>(key: ValueTuple) -> Result<NewMessage, Error> {
    let make = || Ok(Address::of::<E>()?.message(payload::<E>(&Key::from_values(key))?));
    make().map_err(|source| Error::Message { table: table::<E>(), source })
}

/// The messages of several.
pub(crate) fn messages<E: Streamed>(keys: &[Key<E>]) -> Result<Vec<NewMessage>, Error> {
    let make = || -> Result<_, BoxError> {
        let address = Address::of::<E>()?;
        keys.iter().map(|key| Ok(address.message(payload(key)?))).collect()
    };
    make().map_err(|source| Error::Message { table: table::<E>(), source })
}

fn payload<E: Streamed>(key: &Key<E>) -> Result<Payload, BoxError> {
    // What `to_json` has no word for, such as NaN, would otherwise become `null` in silence.
    Payload::check(&key.value())?;
    Ok(Payload::encode(&E::payload(key))?)
}

/// Where an entity's messages go.
enum Address {
    Stream(StreamName),
    Shards(ShardMap),
}

impl Address {
    fn of<E: Streamed>() -> Result<Self, BoxError> {
        Ok(match E::shards() {
            None => Self::Stream(stream_name::<E>()?),
            Some(count) => {
                let shards = ShardMap::new(E::stream(), count).map_err(named_by_attribute)?;
                Self::Shards(shards.generation(E::generation())?)
            }
        })
    }

    fn message(&self, payload: Payload) -> NewMessage {
        match self {
            Self::Stream(stream) => NewMessage::new(stream.clone(), payload),
            Self::Shards(shards) => shards.message(payload),
        }
    }
}

/// The name of an entity's stream.
pub(crate) fn stream_name<E: Streamed>() -> Result<StreamName, redstream_core::Error> {
    StreamName::new(E::stream()).map_err(named_by_attribute)
}

/// Adds to the complaint of a name that an entity can have another.
pub(crate) fn named_by_attribute(error: redstream_core::Error) -> redstream_core::Error {
    match error {
        redstream_core::Error::InvalidName { what: _, name, reason } => {
            let what = "set another name by `#[streamed(stream = \"…\")]`: stream name";
            redstream_core::Error::InvalidName { what, name, reason }
        }
        error => error,
    }
}

/// `SCHEMA.TABLE`, or the table alone if the entity names no schema.
pub(crate) fn table<E: EntityTrait>() -> String {
    TableName::of::<E>().to_string()
}
