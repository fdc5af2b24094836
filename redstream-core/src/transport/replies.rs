//! The replies of `XREAD`, `XRANGE` and pipelines of `XADD`, parsed without nested maps and without a string for each
//! id.

use redis::{FromRedisValue, ParsingError, Value};

use crate::message::{CONSUMER, Message, MessageId};

/// The greatest `COUNT` that Redis accepts.
#[allow(clippy::cast_possible_truncation, reason = "where it is truncated, no number is greater")]
pub(crate) const MOST: usize = i64::MAX as usize;

/// The entries of the one stream that was asked for; empty if the read timed out.
#[derive(Debug)]
pub(crate) struct Entries(pub(crate) Vec<Message>);

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
pub(crate) struct Range(pub(crate) Vec<Message>);

impl FromRedisValue for Range {
    fn from_redis_value(value: Value) -> Result<Self, ParsingError> {
        let Value::Array(entries) = value else { return Err("the entries of a stream are an array".into()) };
        entries.into_iter().map(message).collect::<Result<_, _>>().map(Self)
    }
}

/// Ids and payloads in turn, as `read.lua` returns them.
#[derive(Debug)]
pub(crate) struct Flat(pub(crate) Vec<Message>);

impl FromRedisValue for Flat {
    fn from_redis_value(value: Value) -> Result<Self, ParsingError> {
        let Value::Array(values) = value else { return Err("ids and payloads are an array".into()) };
        let mut values = values.into_iter();
        let mut messages = Vec::with_capacity(values.len() / 2);
        while let (Some(id), Some(payload)) = (values.next(), values.next()) {
            messages.push(match payload {
                // With the only consumer that it is for.
                Value::Array(parts) => match <[Value; 2]>::try_from(parts) {
                    Ok([Value::BulkString(payload), Value::BulkString(consumer)]) => {
                        Message::new(message_id(id)?, Some(payload)).only_for(Some(&consumer))
                    }
                    _ => return Err("a payload and a consumer are text".into()),
                },
                Value::BulkString(payload) => Message::new(message_id(id)?, Some(payload)),
                Value::Nil | Value::Boolean(false) => Message::new(message_id(id)?, None),
                _ => return Err("a payload is text".into()),
            });
        }
        Ok(Self(messages))
    }
}

/// The acknowledgements of a pipeline of `XADD`, and of the `WAIT` that may end it.
#[derive(Debug)]
pub(crate) struct Acknowledged {
    /// In the order of the messages.
    pub(crate) ids: Vec<MessageId>,
    /// How many replicas have them, if `WAIT` was sent.
    pub(crate) replicas: Option<u32>,
}

impl FromRedisValue for Acknowledged {
    fn from_redis_value(value: Value) -> Result<Self, ParsingError> {
        let Value::Array(replies) = value else { return Err("the replies to a pipeline are an array".into()) };
        let mut acknowledged = Self { ids: Vec::with_capacity(replies.len()), replicas: None };
        for reply in replies {
            match reply {
                Value::BulkString(text) => acknowledged.ids.push(added_id(&text)?),
                Value::Int(count) => acknowledged.replicas = Some(u32::try_from(count).unwrap_or(0)),
                _ => return Err("the reply to XADD is an id".into()),
            }
        }
        Ok(acknowledged)
    }
}

/// An entry: `[id, [field, value, …]]`. The fields are nil for an entry that was deleted meanwhile.
fn message(entry: Value) -> Result<Message, ParsingError> {
    let (id, fields) = pair(entry)?;
    let id = message_id(id)?;
    let mut fields = match fields {
        Value::Array(fields) => fields.into_iter(),
        Value::Nil => return Ok(Message::new(id, None)),
        _ => return Err("the fields of an entry are an array".into()),
    };
    let mut consumer = None;
    while let (Some(field), Some(value)) = (fields.next(), fields.next()) {
        let (Value::BulkString(name), Value::BulkString(value)) = (field, value) else {
            return Err("the fields of an entry are text".into());
        };
        if name == b"payload" {
            return Ok(Message::new(id, Some(value)).only_for(consumer.as_deref()));
        }
        if name == CONSUMER.as_bytes() {
            consumer = Some(value);
        }
    }
    Ok(Message::new(id, None).only_for(consumer.as_deref()))
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
