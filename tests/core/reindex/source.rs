//! A source of the keys from 1 to a last one.

use std::ops::RangeInclusive;

use redstream_core::{BoxError, KeySource, NewMessage, Payload, ShardMap, StreamName};
use serde_json::{Value, json};

#[derive(Clone)]
pub(crate) struct Numbers {
    keys: Vec<u64>,
    ends: Vec<u64>,
    filter: String,
    stream: StreamName,
    shards: Option<ShardMap>,
    fails_behind: u64,
}

impl Numbers {
    pub(crate) fn to(last: u64) -> Self {
        Self::of((1..=last).collect())
    }

    /// Ascending.
    pub(crate) fn of(keys: Vec<u64>) -> Self {
        Self {
            keys,
            ends: Vec::new(),
            filter: String::new(),
            stream: StreamName::new("numbers").unwrap(),
            shards: None,
            fails_behind: u64::MAX,
        }
    }

    /// Ranges that end at these keys, and a last one.
    pub(crate) fn ranges(mut self, ends: &[u64]) -> Self {
        self.ends = ends.to_vec();
        self
    }

    pub(crate) fn filter_text(mut self, filter: &str) -> Self {
        filter.clone_into(&mut self.filter);
        self
    }

    pub(crate) fn on(mut self, stream: &str) -> Self {
        self.stream = StreamName::new(stream).unwrap();
        self
    }

    pub(crate) fn sharded(mut self, map: &ShardMap) -> Self {
        self.shards = Some(map.clone());
        self
    }

    /// Pages that begin behind this key are errors.
    pub(crate) fn failing_behind(mut self, key: u64) -> Self {
        self.fails_behind = key;
        self
    }
}

impl KeySource for Numbers {
    type Key = u64;

    fn entity(&self) -> String {
        "numbers".to_owned()
    }

    fn filter(&self) -> String {
        self.filter.clone()
    }

    async fn bounds(&self) -> Result<Vec<u64>, BoxError> {
        Ok(self.ends.iter().chain(self.keys.last()).copied().collect())
    }

    async fn estimate(&self) -> Result<u64, BoxError> {
        Ok(self.keys.len() as u64)
    }

    async fn page(&self, after: Option<&u64>, until: &u64, limit: u64) -> Result<Vec<u64>, BoxError> {
        let after = after.copied().unwrap_or(0);
        if after >= self.fails_behind {
            return Err("the database is gone".into());
        }
        let behind = self.keys.iter().filter(|key| **key > after && **key <= *until);
        Ok(behind.take(usize::try_from(limit).unwrap()).copied().collect())
    }

    fn message(&self, key: &u64) -> Result<NewMessage, BoxError> {
        let payload = Payload::encode(&json!({ "id": key }))?;
        Ok(match &self.shards {
            Some(shards) => shards.message(payload),
            None => NewMessage::new(self.stream.clone(), payload),
        })
    }

    fn encode(&self, key: &u64) -> Result<Value, BoxError> {
        Ok((*key).into())
    }

    fn decode(&self, key: &Value) -> Result<u64, BoxError> {
        key.as_u64().ok_or_else(|| "no number".into())
    }
}

pub(crate) fn keys(ids: RangeInclusive<u64>) -> Vec<Value> {
    ids.map(|id| json!({ "id": id })).collect()
}
