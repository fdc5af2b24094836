//! What searches and look-ups answer.

use serde::Deserialize;
use serde_json::Value as Json;

use crate::elasticsearch::error::Error;

/// The answer to a search.
#[derive(Debug, Deserialize)]
pub(crate) struct Search {
    #[serde(default)]
    timed_out: bool,
    #[serde(rename = "_shards", default)]
    shards: Shards,
    /// Left out by `filter_path` if there are none.
    #[serde(default)]
    hits: Hits,
}

/// The answer to a search that is read page by page.
#[derive(Debug, Deserialize)]
pub(crate) struct Scroll {
    #[serde(rename = "_scroll_id")]
    pub(crate) id: String,
    #[serde(flatten)]
    pub(crate) search: Search,
}

#[derive(Debug, Default, Deserialize)]
struct Shards {
    #[serde(default)]
    failed: u64,
}

#[derive(Debug, Default, Deserialize)]
struct Hits {
    #[serde(default)]
    hits: Vec<Hit>,
}

#[derive(Debug, Deserialize)]
pub(crate) struct Hit {
    #[serde(rename = "_id")]
    pub(crate) id: String,
    #[serde(rename = "_source")]
    pub(crate) source: Option<Json>,
    #[serde(default)]
    pub(crate) sort: Vec<Json>,
    #[serde(rename = "_version")]
    pub(crate) version: Option<u64>,
}

impl Search {
    /// The documents; `None` if some shards did not answer.
    pub(crate) fn whole(self) -> Option<Vec<Hit>> {
        (!self.timed_out && self.shards.failed == 0).then_some(self.hits.hits)
    }
}

/// The answer to a look-up: a document for each that was asked for.
#[derive(Debug, Deserialize)]
pub(crate) struct Got {
    pub(crate) docs: Vec<Document>,
}

#[derive(Debug, Deserialize)]
pub(crate) struct Document {
    #[serde(rename = "_id", default)]
    id: String,
    #[serde(default)]
    found: bool,
    #[serde(rename = "_source")]
    source: Option<Json>,
    error: Option<Json>,
}

impl Document {
    /// The source; `None` if there is no such document, or no such index.
    pub(crate) fn source(self, index: &str) -> Result<Option<Json>, Error> {
        match self.error {
            Some(error) if error["type"] == "index_not_found_exception" => Ok(None),
            Some(error) => {
                let reason = error["reason"].as_str().unwrap_or("it does not say why").to_owned();
                Err(Error::LookUp { id: self.id, index: index.to_owned(), reason })
            }
            None if !self.found => Ok(None),
            None => self.source.map(Some).ok_or(Error::NoSource { id: self.id }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn search(text: &str) -> Option<usize> {
        serde_json::from_str::<Search>(text).unwrap().whole().map(|hits| hits.len())
    }

    #[test]
    fn a_search_without_all_shards_is_not_whole() {
        assert_eq!(search(r#"{"timed_out":false,"_shards":{"failed":0}}"#), Some(0));
        assert_eq!(search(r#"{"_shards":{"failed":0},"hits":{"hits":[{"_id":"1","sort":[1]}]}}"#), Some(1));
        assert_eq!(search(r#"{"timed_out":true,"_shards":{"failed":0}}"#), None);
        assert_eq!(search(r#"{"_shards":{"failed":1},"hits":{"hits":[{"_id":"1"}]}}"#), None);
    }

    #[test]
    fn a_document_is_found_missing_or_unknown() {
        let source = |text: &str| serde_json::from_str::<Document>(text).unwrap().source("cities");
        assert_eq!(source(r#"{"_id":"1","found":true,"_source":{"a":1}}"#).unwrap(), Some(serde_json::json!({"a": 1})));
        assert_eq!(source(r#"{"_id":"1","found":false}"#).unwrap(), None);
        assert_eq!(source(r#"{"_id":"1","error":{"type":"index_not_found_exception"}}"#).unwrap(), None);
        let error = source(r#"{"_id":"1","error":{"type":"x","reason":"shard failed"}}"#).unwrap_err();
        assert!(error.to_string().contains("shard failed"), "{error}");
        assert!(matches!(source(r#"{"_id":"1","found":true}"#), Err(Error::NoSource { .. })));
    }
}
