//! The replies to a pipeline of `XADD`, and of the `WAIT` that may end it: read as ids, without a text for each.

use redis::{FromRedisValue, ParsingError, Value};

use crate::MessageId;

/// What Redis acknowledged.
#[derive(Debug)]
pub(crate) struct Acknowledged {
    /// In the order of the messages.
    pub(crate) ids: Vec<MessageId>,
    /// How many replicas have them, where `WAIT` asked.
    pub(crate) replicas: Option<u32>,
}

impl FromRedisValue for Acknowledged {
    fn from_redis_value(value: Value) -> Result<Self, ParsingError> {
        let Value::Array(replies) = value else { return Err("the replies to a pipeline are an array".into()) };
        let mut acknowledged = Self { ids: Vec::with_capacity(replies.len()), replicas: None };
        for reply in replies {
            match reply {
                Value::BulkString(text) => acknowledged.ids.push(id(&text)?),
                Value::Int(count) => acknowledged.replicas = Some(u32::try_from(count).unwrap_or(0)),
                _ => return Err("the reply to XADD is an id".into()),
            }
        }
        Ok(acknowledged)
    }
}

fn id(text: &[u8]) -> Result<MessageId, ParsingError> {
    let id = std::str::from_utf8(text).ok().and_then(|text| text.parse().ok());
    id.ok_or_else(|| ParsingError::from("the reply to XADD is not an id"))
}
