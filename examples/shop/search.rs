//! Searches.

use anyhow::Context as _;
use redstream_seaorm::Key;
use serde_json::{Value as Json, json};

use crate::document::Document;
use crate::entities::book;

/// A client that asks the index.
#[derive(Clone)]
pub(crate) struct Search {
    client: reqwest::Client,
    url: String,
}

impl Search {
    pub(crate) fn new(url: &str) -> anyhow::Result<Self> {
        let client = reqwest::Client::builder().timeout(std::time::Duration::from_secs(10)).build()?;
        Ok(Self { client, url: url.trim_end_matches('/').to_owned() })
    }

    /// Books whose title, author or category matches, the best first.
    pub(crate) async fn find(&self, words: &str) -> anyhow::Result<Vec<Document>> {
        let query = json!({ "size": 20, "query": { "bool": { "should": [
            { "match": { "title": words } }, { "match": { "author": words } }, { "term": { "categories": words } },
        ] } } });
        let answer = self.client.post(format!("{}/books/_search", self.url)).json(&query).send().await?;
        let answer: Json = answer.error_for_status()?.json().await?;
        let hits = answer["hits"]["hits"].as_array().context("no hits in the answer")?;
        hits.iter().map(|hit| Ok(serde_json::from_value(hit["_source"].clone())?)).collect()
    }

    /// The document of one book, as soon as it was written.
    pub(crate) async fn get(&self, key: &Key<book::Entity>) -> anyhow::Result<Option<Document>> {
        let answer = self.client.get(format!("{}/books/_doc/{}", self.url, key.document_id()?)).send().await?;
        if answer.status() == 404 {
            return Ok(None);
        }
        let answer: Json = answer.error_for_status()?.json().await?;
        Ok(serde_json::from_value(answer["_source"].clone())?)
    }
}
