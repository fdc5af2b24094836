//! Rows for reindexes of tests that have no database.

use redstream_core::{BoxError, KeySource, NewMessage, Payload, StreamName};
use serde_json::{Value, json};

/// Rows with the keys from 1 to a last one, whose changes go to a stream of the table's name.
#[derive(Clone, Debug)]
pub struct Rows {
    stream: StreamName,
    last: u64,
}

impl Rows {
    /// The rows of this stream.
    #[must_use]
    pub fn new(stream: &StreamName, last: u64) -> Self {
        Self { stream: stream.clone(), last }
    }
}

impl KeySource for Rows {
    type Key = u64;

    fn entity(&self) -> String {
        self.stream.to_string()
    }

    fn filter(&self) -> String {
        String::new()
    }

    async fn bounds(&self) -> Result<Vec<u64>, BoxError> {
        Ok(vec![self.last])
    }

    async fn estimate(&self) -> Result<u64, BoxError> {
        Ok(self.last)
    }

    async fn page(&self, after: Option<&u64>, until: &u64, limit: u64) -> Result<Vec<u64>, BoxError> {
        let first = after.map_or(1, |after| after + 1);
        Ok((first..=*until).take(usize::try_from(limit)?).collect())
    }

    fn message(&self, key: &u64) -> Result<NewMessage, BoxError> {
        Ok(NewMessage::new(self.stream.clone(), Payload::encode(&json!({ "id": key }))?))
    }

    fn encode(&self, key: &u64) -> Result<Value, BoxError> {
        Ok(json!(key))
    }

    fn decode(&self, json: &Value) -> Result<u64, BoxError> {
        Ok(json.as_u64().ok_or("no key")?)
    }
}
