//! The replies of `XREAD`, `XRANGE` and pipelines of `XADD`, parsed without nested maps and without a string for each
//! id.

use redis::{FromRedisValue, ParsingError, Value};

use crate::message::MessageId;
use crate::message::entry::{Entry, Field};
use crate::message::trace::TraceParent;
use crate::transport::pack_readers::Notes;

/// The greatest `COUNT` that Redis accepts.
#[allow(clippy::cast_possible_truncation, reason = "where it is truncated, no number is greater")]
pub(crate) const MOST: usize = i64::MAX as usize;

/// The entries of the one stream that was asked for; empty if the read timed out.
#[derive(Debug)]
pub(crate) struct Entries(pub(crate) Vec<Entry>);

impl FromRedisValue for Entries {
    fn from_redis_value(value: Value) -> Result<Self, ParsingError> {
        let stream = match value {
            Value::Nil => None,
            // RESP2: [[name, entries]]; RESP3: {name: entries}
            Value::Array(streams) => streams.into_iter().next().map(|stream| pair(stream).map(|(_, entries)| entries)),
            Value::Map(streams) => streams.into_iter().next().map(|(_, entries)| Ok(entries)),
            _ => Some(Err("a stream reply is an array or a map".into())),
        };
        let Some(entries) = stream else { return Ok(Self(Vec::new())) };
        Range::from_redis_value(entries?).map(|Range(entries)| Self(entries))
    }
}

/// The entries of an `XRANGE` or `XREVRANGE`.
#[derive(Debug)]
pub(crate) struct Range(pub(crate) Vec<Entry>);

impl FromRedisValue for Range {
    fn from_redis_value(value: Value) -> Result<Self, ParsingError> {
        let Value::Array(entries) = value else { return Err("the entries of a stream are an array".into()) };
        entries.into_iter().map(entry).collect::<Result<_, _>>().map(Self)
    }
}

/// Ids and what they hold in turn, as `read.lua` returns them.
#[derive(Debug)]
pub(crate) struct Flat(pub(crate) Vec<Entry>);

impl FromRedisValue for Flat {
    fn from_redis_value(value: Value) -> Result<Self, ParsingError> {
        let Value::Array(values) = value else { return Err("ids and payloads are an array".into()) };
        let mut values = values.into_iter();
        let mut entries = Vec::with_capacity(values.len() / 2);
        while let (Some(id), Some(holds)) = (values.next(), values.next()) {
            let id = message_id(id)?;
            entries.push(match holds {
                Value::BulkString(payload) => Entry::one(id, payload),
                Value::Nil | Value::Boolean(false) => Entry::empty(id),
                // The name of the field, its value, the only consumer that the entry is for, and the trace of its
                // writer, as far as there are any.
                Value::Array(parts) => {
                    let mut parts = parts.into_iter();
                    let (Some(Value::BulkString(name)), Some(Value::BulkString(payload))) =
                        (parts.next(), parts.next())
                    else {
                        return Err("a field and its value are text".into());
                    };
                    let consumer = text_or_none(parts.next())?;
                    let trace =
                        text_or_none(parts.next())?.map_or_else(TraceParent::default, |text| TraceParent::read(&text));
                    let field = Field::of(&name).ok_or("a field with payloads was expected")?;
                    Entry::of(id, Some((field, payload.into()))).only_for(consumer.as_deref()).traced(trace)
                }
                _ => return Err("a payload is text".into()),
            });
        }
        Ok(Self(entries))
    }
}

/// The acknowledgements of a pipeline of `XADD`, and the replies to `HVALS` and `WAIT` that may end it.
#[derive(Debug)]
pub(crate) struct Acknowledged {
    /// In the order of the entries.
    pub(crate) ids: Vec<MessageId>,
    /// In the order of the registries.
    pub(crate) notes: Vec<Notes>,
    /// How many replicas have them, if `WAIT` was sent.
    pub(crate) replicas: Option<u32>,
}

impl FromRedisValue for Acknowledged {
    fn from_redis_value(value: Value) -> Result<Self, ParsingError> {
        let Value::Array(replies) = value else { return Err("the replies to a pipeline are an array".into()) };
        let mut acknowledged = Self { ids: Vec::with_capacity(replies.len()), notes: Vec::new(), replicas: None };
        for reply in replies {
            match reply {
                Value::BulkString(text) => acknowledged.ids.push(added_id(&text)?),
                Value::Array(_) => acknowledged.notes.push(Notes::from_redis_value(reply)?),
                Value::Int(count) => acknowledged.replicas = Some(u32::try_from(count).unwrap_or(0)),
                _ => return Err("the reply to XADD is an id".into()),
            }
        }
        Ok(acknowledged)
    }
}

/// An entry: `[id, [field, value, …]]`. The fields are nil for an entry that was deleted meanwhile.
fn entry(entry: Value) -> Result<Entry, ParsingError> {
    let (id, fields) = pair(entry)?;
    let id = message_id(id)?;
    let mut fields = match fields {
        Value::Array(fields) => fields.into_iter(),
        Value::Nil => return Ok(Entry::empty(id)),
        _ => return Err("the fields of an entry are an array".into()),
    };
    let (mut consumer, mut trace) = (None, TraceParent::default());
    while let (Some(field), Some(value)) = (fields.next(), fields.next()) {
        let (Value::BulkString(name), Value::BulkString(value)) = (field, value) else {
            return Err("the fields of an entry are text".into());
        };
        match Field::of(&name) {
            Some(Field::Consumer) => consumer = Some(value),
            Some(Field::Trace) => trace = TraceParent::read(&value),
            Some(field) => {
                let entry = Entry::of(id, Some((field, value.into())));
                return Ok(entry.only_for(consumer.as_deref()).traced(trace));
            }
            None => {}
        }
    }
    Ok(Entry::empty(id).only_for(consumer.as_deref()))
}

fn text_or_none(value: Option<Value>) -> Result<Option<Vec<u8>>, ParsingError> {
    match value {
        Some(Value::BulkString(text)) => Ok(Some(text)),
        None | Some(Value::Nil | Value::Boolean(false)) => Ok(None),
        Some(_) => Err("a consumer, and a trace, is text".into()),
    }
}

fn message_id(value: Value) -> Result<MessageId, ParsingError> {
    String::from_redis_value(value)?.parse().map_err(|_| "an entry's id is not an id".into())
}

fn pair(value: Value) -> Result<(Value, Value), ParsingError> {
    if let Value::Array(parts) = value
        && let Ok([first, second]) = <[Value; 2]>::try_from(parts)
    {
        return Ok((first, second));
    }
    Err("a pair was expected".into())
}

fn added_id(text: &[u8]) -> Result<MessageId, ParsingError> {
    let id = std::str::from_utf8(text).ok().and_then(|text| text.parse().ok());
    id.ok_or_else(|| ParsingError::from("the reply to XADD is not an id"))
}
