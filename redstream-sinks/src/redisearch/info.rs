//! What the server says of an index.

use std::collections::HashMap;

use redis::Value;
use redstream_seaorm::RedisClient;
use redstream_seaorm::core::Error;

use crate::redisearch::documents::is_missing_index;

/// The part of `FT.INFO` that the sink reads.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Info {
    /// `HASH` or `JSON`.
    pub(crate) kind: String,
    pub(crate) prefixes: Vec<String>,
    /// The types of the fields by their names.
    pub(crate) fields: HashMap<String, String>,
    pub(crate) failures: u64,
    pub(crate) last_failure: Option<Failure>,
    pub(crate) is_building: bool,
    pub(crate) percent: u32,
}

/// The last document that the index has left out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Failure {
    pub(crate) key: String,
    pub(crate) reason: String,
}

impl Info {
    /// `None`: there is no such index.
    pub(crate) async fn of(client: &RedisClient, index: &str) -> Result<Option<Self>, Error> {
        let mut info = redis::cmd("FT.INFO");
        info.arg(index);
        match client.command::<Value>("look at the index", &info).await {
            Ok(answer) => Ok(Some(Self::read(&answer))),
            Err(error) if is_missing_index(&error) => Ok(None),
            Err(error) => Err(error),
        }
    }

    fn read(answer: &Value) -> Self {
        let number = |name: &str| member(answer, name).and_then(text).and_then(|text| text.parse::<f64>().ok());
        let definition = member(answer, "index_definition");
        let prefixes = definition.and_then(|definition| member(definition, "prefixes")).map(items).unwrap_or_default();
        let fields = member(answer, "attributes").map(items).unwrap_or_default();
        let field = |field: &Value| Some((text(member(field, "attribute")?)?, text(member(field, "type")?)?));
        let errors = member(answer, "Index Errors");
        let said = |name: &str| errors.and_then(|errors| member(errors, name)).and_then(text);
        let last_failure = said("last indexing error key").zip(said("last indexing error"));
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a count and a percentage")]
        Self {
            kind: definition.and_then(|definition| member(definition, "key_type")).and_then(text).unwrap_or_default(),
            prefixes: prefixes.into_iter().filter_map(text).collect(),
            fields: fields.into_iter().filter_map(field).collect(),
            failures: number("hash_indexing_failures").unwrap_or_default() as u64,
            last_failure: last_failure.map(|(key, reason)| Failure { key, reason }),
            is_building: number("indexing").unwrap_or_default() != 0.0,
            percent: (number("percent_indexed").unwrap_or(1.0) * 100.0) as u32,
        }
    }
}

fn items(value: &Value) -> Vec<&Value> {
    match value {
        Value::Array(items) | Value::Set(items) => items.iter().collect(),
        _ => Vec::new(),
    }
}

/// Of a map, or of an array of names and values.
fn member<'v>(value: &'v Value, name: &str) -> Option<&'v Value> {
    let is_it = |key: &Value| text(key).is_some_and(|key| key == name);
    match value {
        Value::Map(members) => members.iter().find(|(key, _)| is_it(key)).map(|(_, value)| value),
        Value::Array(items) => items.iter().position(is_it).and_then(|at| items.get(at + 1)),
        _ => None,
    }
}

fn text(value: &Value) -> Option<String> {
    redis::from_redis_value_ref(value).ok()
}
