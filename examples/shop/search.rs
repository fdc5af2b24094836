//! Searches.

use anyhow::Context as _;
use redstream_sinks::elasticsearch::Elasticsearch;
use serde_json::{from_value, json};

use crate::document::Document;

/// Asks the index, through the client of the sink.
#[derive(Clone)]
pub(crate) struct Search(pub(crate) Elasticsearch);

impl Search {
    /// Books whose title, author or category matches, the best first.
    pub(crate) async fn find(&self, words: &str) -> anyhow::Result<Vec<Document>> {
        let query = json!({ "size": 20, "query": { "bool": { "should": [
            { "match": { "title": words } }, { "match": { "author": words } }, { "term": { "categories": words } },
        ] } } });
        let answer = self.0.send_json("POST", &["books", "_search"], Some(&query)).await?;
        let hits = answer["hits"]["hits"].as_array().context("no hits in the answer")?;
        hits.iter().map(|hit| Ok(from_value(hit["_source"].clone())?)).collect()
    }
}
