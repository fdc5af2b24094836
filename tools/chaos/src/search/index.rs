//! The indices of a schedule: their names, consumers, mapping and sinks.

use std::time::Duration;

use anyhow::Result;
use redstream_sinks::elasticsearch::{Elasticsearch, ElasticsearchSink};
use serde_json::{Value as Json, json};

use crate::item::Item;
use crate::keys::Keys;

/// The longest that a request takes, unless the server does not answer.
const TIMEOUT: Duration = Duration::from_secs(2);

/// The name of an index.
pub(crate) fn name(alias: &str, nth: u8) -> String {
    format!("{alias}-{nth}")
}

/// The consumer that writes an index.
pub(crate) fn consumer(nth: u8) -> &'static str {
    if nth == 1 { "index-1" } else { "index-2" }
}

/// What an index is created with.
pub(crate) fn mapping(keys: Keys) -> Json {
    let id = if keys == Keys::Integer { "long" } else { "keyword" };
    json!({
        "settings": { "number_of_shards": 1 },
        "mappings": { "dynamic": "strict", "properties": { "id": { "type": id }, "value": { "type": "keyword" } } },
    })
}

/// The sink of an index, by the server at that port.
pub(crate) fn sink<E: Item>(
    port: u16,
    keys: Keys,
    alias: &str,
    nth: u8,
    max_documents: usize,
) -> Result<ElasticsearchSink<E>> {
    let client = Elasticsearch::builder([format!("http://127.0.0.1:{port}")]).timeout(TIMEOUT).build()?;
    Ok(ElasticsearchSink::new(client, name(alias, nth))
        .create_index(mapping(keys))
        .max_documents(max_documents)
        .retry_for(TIMEOUT))
}
