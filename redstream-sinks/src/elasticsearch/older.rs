//! Finds documents by their versions, which no query can compare.

use redstream_seaorm::{KeyReader, Older};
use sea_orm::EntityTrait;
use serde_json::{Value as Json, json};

use crate::elasticsearch::error::Error;
use crate::elasticsearch::found::Scroll;
use crate::elasticsearch::sink::ElasticsearchSink;

/// For how long the server keeps the rest, from one page to the next: the consumer is waited for in between.
const KEEP: &str = "15m";

impl<E: EntityTrait> ElasticsearchSink<E> {
    /// A page of the documents that have a lower version. They are read in the order of the index, which needs no field
    /// to sort by, unless the application makes the ids.
    pub(crate) async fn older(&self, version: u64, page: Option<String>) -> Result<Older<E>, Error> {
        let attempt = format!("read the versions of `{}`", self.index);
        let found: Scroll = if let Some(scroll) = page {
            let body = json!({ "scroll": KEEP, "scroll_id": scroll });
            self.ask(&attempt, &["_search", "scroll"], &[], body).await?
        } else {
            let (scanned, body) = (self.scanned()?, self.first()?);
            let query = [("scroll", KEEP.to_owned()), ("allow_partial_search_results", "false".to_owned())];
            self.ask(&attempt, &[&scanned, "_search"], &query, body).await?
        };
        let (scroll, reader) = (found.id, KeyReader::new());
        let hits = found.search.whole().ok_or_else(|| Error::Partial { index: self.index.clone() })?;
        let is_last = hits.is_empty();
        let older = hits.iter().filter(|hit| hit.version.is_some_and(|has| has < version));
        // Those without a key are of others.
        let keys = older.filter_map(|hit| self.key_of(&reader, hit).ok()).collect();
        if is_last {
            // The server would drop it by itself later.
            let _dropped = self.end(&scroll).await;
        }
        Ok(Older { keys, next: (!is_last).then_some(scroll) })
    }

    fn first(&self) -> Result<Json, Error> {
        let ascending = |field: String| json!({ field: { "order": "asc" } });
        let sort: Vec<Json> = match &self.addressing.id {
            None => vec![json!("_doc")],
            Some(_) => self.key_fields()?.into_iter().map(ascending).collect(),
        };
        let query = self.with_own_query(Vec::new());
        Ok(json!({ "size": self.page_size(), "sort": sort, "query": query, "version": true, "_source": false }))
    }
}
