//! Which entities are streamed, and what message a key of theirs becomes.

use std::borrow::Cow;

use redstream_core::{BoxError, NewMessage, Payload, PayloadLines, PayloadObject, ShardMap, StreamName};
use sea_orm::EntityTrait;
use sea_orm::sea_query::ValueTuple;
use serde_json::Value as Json;

use crate::entity::key::{Key, KeyError};
use crate::entity::key_query::key_columns;
use crate::entity::parents::Parent;
use crate::entity::table_name::TableName;
use crate::error::Error;

/// An entity whose changes are streamed; `#[derive(Streamed)]` on its model implements it.
///
/// A message is a function of the primary key alone: a delay message, a main message, a delete that knows no other
/// column and a bulk update that selects keys must all make the same message for a row.
///
/// The key may be of any type that SeaORM has for primary keys, newtypes and enums included. Its payload is made of the
/// database values, in [one form](Key::to_json) that does not depend on the features of any crate.
pub trait Streamed: EntityTrait {
    /// Whether [`payload`](Self::payload) is the default one, which then need not be called. The derive sets it.
    ///
    /// Default: false, which is right for every implementation.
    const PAYLOAD_IS_KEY: bool = false;

    /// Whether the entity has a stream of its own. `#[streamed(parents(…), parents_only)]` says that it has none: its
    /// writes only announce its [`parents`](Self::parents).
    ///
    /// Default: true.
    const HAS_STREAM: bool = true;

    /// The stream's name. Default: the table's, or `SCHEMA.TABLE` if the entity names a schema.
    ///
    /// A name that no stream can have, such as one with a blank or one that ends in `.delay`, is an error of the save
    /// and of [`RedstreamExt::of`](crate::RedstreamExt::of): set another by `#[streamed(stream = "…")]`.
    fn stream() -> Cow<'static, str> {
        table::<Self>().into()
    }

    /// Into how many shards the stream is split: see [`Shards`](redstream_core::Shards). Default: none, it is one
    /// stream.
    ///
    /// All writers and workers must agree on it. [`RedstreamExt::of`](crate::RedstreamExt::of) gives workers that use
    /// the same number.
    fn shards() -> Option<u32> {
        None
    }

    /// The generation of the shards: see [`Shards::generation`](redstream_core::Shards::generation). Default: 1.
    fn generation() -> u32 {
        1
    }

    /// A word in the payloads of this entity that distinguishes them from those of others, if several entities write
    /// one stream: `{"id":1,"kind":"book"}`. `#[streamed(kind = "book")]` sets it. Default: none.
    ///
    /// An [`Indexer`](crate::Indexer), a [`Cascade`](crate::Cascade) and [`batch.keys`](crate::BatchExt::keys) of an
    /// entity with a kind skip payloads of other kinds. The kind is part of the payload, so it also determines the
    /// shard: add a kind to an entity that has messages in shards in the same way as you would change the number of
    /// shards.
    fn kind() -> Option<&'static str> {
        None
    }

    /// The message's payload. Default: an object of the key's columns, such as `{"id":1}`, and the [`kind`](Self::kind)
    /// if there is one.
    ///
    /// Write your own with [`Payload::canonical`]: the fields of objects are sorted by name, and the bytes do not
    /// depend on features of `serde_json`.
    fn payload(key: &Key<Self>) -> Json {
        let mut payload = key.to_json();
        if let (Some(kind), Some(fields)) = (Self::kind(), payload.as_object_mut()) {
            fields.insert(KIND.to_owned(), kind.into());
        }
        payload
    }

    /// Whether the database stores and compares every key of this entity exactly as Rust does; `#[streamed(exact_key)]`
    /// sets it. Default: no.
    ///
    /// Keys of integers, booleans, UUIDs, bytes and dates are exact in any case. For others (text, decimals, floats,
    /// times) the database may have another key than it was given: because of a collation, padding, a scale, a
    /// precision or a trigger. So the stored key is read in the same transaction, before an update or delete and, if
    /// the statement does not return its row, after an insert or update. Declare a key exact if no two of its values
    /// are equal for the database and different in Rust, and nothing in the database changes a key: then nothing is
    /// read.
    fn has_exact_key() -> bool {
        false
    }

    /// The parents whose documents contain data of a row of this entity, so that a write of the row announces them:
    /// those that it had before, and those that it has afterwards. `#[streamed(parents(author::Entity))]` sets them.
    /// Default: none.
    ///
    /// Saves, deletes, [`Bulk`](crate::Bulk) and [`producer.bulk`](crate::BulkExt::bulk) all do so. For that they read
    /// the rows that they update or delete, and lock them if the database can. A save or delete must be in a
    /// transaction; otherwise it errors before the write.
    ///
    /// A column that leads to a parent is always [watched](Self::is_watched).
    fn parents() -> Vec<Parent<Self>> {
        Vec::new()
    }

    /// Whether an update that sets this column is announced. Default: every one is. An update that sets no watched
    /// column is neither insured nor announced; inserts and deletes always are.
    fn is_watched(column: &Self::Column) -> bool {
        let _ = column;
        true
    }
}

/// The field of a payload that holds the entity's kind.
pub(crate) const KIND: &str = "kind";

/// The message of a key.
pub(crate) fn message<E: Streamed>(key: ValueTuple) -> Result<NewMessage, Error> {
    let make = || Ok(Address::of::<E>()?.message(payload::<E>(&Key::from_values(key), &mut PayloadObject::default())?));
    make().map_err(|source| Error::Message { table: table::<E>(), source })
}

/// The messages of several. Errors if the entity has no stream.
pub(crate) fn messages<E: Streamed>(keys: &[Key<E>]) -> Result<Vec<NewMessage>, Error> {
    if !E::HAS_STREAM {
        return Err(Error::NoStream { table: table::<E>() });
    }
    let make = || -> Result<_, BoxError> {
        let address = Address::of::<E>()?;
        Ok(payloads(keys)?.into_iter().map(|payload| address.message(payload)).collect())
    };
    make().map_err(|source| Error::Message { table: table::<E>(), source })
}

/// The payloads of several keys; in one text if that is the keys'.
fn payloads<E: Streamed>(keys: &[Key<E>]) -> Result<Vec<Payload>, BoxError> {
    let mut object = PayloadObject::default();
    if !E::PAYLOAD_IS_KEY {
        return keys.iter().map(|key| payload(key, &mut object)).collect();
    }
    let mut lines = PayloadLines::default();
    for key in keys {
        key.write_to(&mut object)?;
        lines.object(&mut object)?;
    }
    Ok(lines.finish()?)
}

fn payload<E: Streamed>(key: &Key<E>, object: &mut PayloadObject) -> Result<Payload, BoxError> {
    let columns = key.payload_by(object);
    if E::PAYLOAD_IS_KEY {
        return Ok(columns?);
    }
    if E::kind().is_some() && key_columns::<E>().any(|column| column == KIND) {
        return Err(format!(
            "the key has a column `{KIND}`, which is the field of the entity's kind: leave the kind out"
        )
        .into());
    }
    let told = E::payload(key);
    match columns {
        // A payload of the user's own can be made of keys that have no default form; the default one is then null.
        Err(KeyError::MissingFeature { .. } | KeyError::Unsupported { .. }) if !told.is_null() => {}
        // Values such as NaN would silently become null.
        Err(error) => return Err(error.into()),
        Ok(_) => {}
    }
    Ok(Payload::canonical(&told)?)
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

/// The streams that an entity's messages go to: one, or each of its shards.
pub(crate) fn streams_of<E: Streamed>() -> Result<Vec<StreamName>, BoxError> {
    Ok(match Address::of::<E>()? {
        Address::Stream(stream) => vec![stream],
        Address::Shards(shards) => shards.names().collect(),
    })
}

/// The same for the list of what the program writes, in which an unusable name is left out.
pub fn written_streams<E: Streamed>() -> Vec<StreamName> {
    if E::HAS_STREAM { streams_of::<E>().unwrap_or_default() } else { Vec::new() }
}

/// The name of an entity's stream.
pub(crate) fn stream_name<E: Streamed>() -> Result<StreamName, redstream_core::Error> {
    StreamName::new(E::stream()).map_err(|invalid| named_by_attribute(invalid.into()))
}

/// Adds to the error of an unusable name that the entity can set another.
pub(crate) fn named_by_attribute(error: redstream_core::Error) -> redstream_core::Error {
    match error {
        redstream_core::Error::InvalidName { what, name, reason } => {
            let reason = format!("{reason}; set another name by `#[streamed(stream = \"…\")]`");
            redstream_core::Error::InvalidName { what, name, reason }
        }
        error => error,
    }
}

/// `SCHEMA.TABLE`, or the table alone if the entity names no schema.
pub(crate) fn table<E: EntityTrait>() -> String {
    TableName::of::<E>().to_string()
}
