//! Reads documents back, in the order of their keys.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use redstream_seaorm::{HandlerError, Key, KeyRange, KeyReader, Scan, Streamed};
use reqwest::Method;
use sea_orm::EntityTrait;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value as Json, json};
use tokio::time::Instant;

use crate::elasticsearch::client::Request;
use crate::elasticsearch::error::Error;
use crate::elasticsearch::found::{Got, Hit, Search};
use crate::elasticsearch::key_query::{key_columns, search_after, until};
use crate::elasticsearch::same::is_same;
use crate::elasticsearch::sink::ElasticsearchSink;

/// The most documents of one search: servers refuse more than 10,000, and each is held in memory.
const MOST: usize = 5000;
/// The most ids of one look-up.
const MOST_IDS: usize = 1000;
/// An index that was refreshed less long ago is not refreshed again.
const FRESH: Duration = Duration::from_secs(1);

/// How documents are read back.
#[derive(Clone, Debug, Default)]
pub(crate) struct Reading {
    /// Names of the fields, in the order of the key's columns; those of the columns if it is empty.
    pub(crate) key_fields: Vec<String>,
    /// Of all documents, if that is not the sink's own index.
    pub(crate) indices: Vec<String>,
    /// Only documents that it matches.
    pub(crate) query: Option<Json>,
    refreshed: Arc<Mutex<Option<Instant>>>,
}

impl<E: EntityTrait> ElasticsearchSink<E> {
    pub(super) fn key_fields(&self) -> Result<Vec<String>, Error> {
        let columns: Vec<String> = key_columns::<E>().collect();
        let fields = &self.reading.key_fields;
        match fields.len() {
            0 => Ok(columns),
            named if named == columns.len() => Ok(fields.clone()),
            named => Err(Error::KeyFields { named, columns: columns.len() }),
        }
    }

    /// The index, or all that are scanned, as they stand in a path.
    pub(super) fn scanned(&self) -> Result<String, Error> {
        if !self.reading.indices.is_empty() {
            return Ok(self.reading.indices.join(","));
        }
        if self.addressing.index.is_some() { Err(Error::ScanIndices) } else { Ok(self.index.clone()) }
    }

    pub(super) async fn ask<T: DeserializeOwned>(
        &self,
        attempt: &str,
        path: &[&str],
        query: &[(&'static str, String)],
        body: Json,
    ) -> Result<T, Error> {
        let content = (!body.is_null()).then(|| ("application/json", body.to_string().into()));
        let answer = self.client.send(&Request { attempt, method: Method::POST, path, query, content }).await?;
        if let Some(error) = answer.error(attempt) {
            return Err(error);
        }
        serde_json::from_slice(&answer.body).map_err(|source| Error::Answer {
            attempt: attempt.to_owned(),
            node: answer.node,
            what: "it is not the expected JSON".to_owned(),
            source: Some(source),
        })
    }

    /// Drops what the server keeps of a search that was read page by page.
    pub(super) async fn end(&self, scroll: &str) -> Result<(), Error> {
        let attempt = "end a search";
        let content = Some(("application/json", json!({ "scroll_id": scroll }).to_string().into()));
        let path = &["_search", "scroll"];
        self.client.send(&Request { attempt, method: Method::DELETE, path, query: &[], content }).await.map(drop)
    }

    /// Makes what was written visible to searches.
    async fn refresh_now(&self, scanned: &str, is_first: bool) -> Result<(), Error> {
        let at = || self.reading.refreshed.lock().unwrap_or_else(PoisonError::into_inner);
        if !is_first && at().is_some_and(|at| at.elapsed() < FRESH) {
            return Ok(());
        }
        let began = Instant::now();
        let attempt = format!("refresh `{scanned}`");
        self.ask::<Json>(&attempt, &[scanned, "_refresh"], &[], Json::Null).await?;
        *at() = Some(began);
        Ok(())
    }

    async fn search(&self, scanned: &str, body: Json) -> Result<Vec<Hit>, Error> {
        let attempt = format!("search `{scanned}`");
        // Without it, documents of a shard that does not answer would silently be missing.
        let query = [
            ("allow_partial_search_results", "false".to_owned()),
            ("filter_path", "timed_out,_shards.failed,hits.hits._id,hits.hits._source,hits.hits.sort".to_owned()),
        ];
        let found: Search = self.ask(&attempt, &[scanned, "_search"], &query, body).await?;
        found.whole().ok_or(Error::Partial { index: scanned.to_owned() })
    }

    /// Errors if some documents have no key field: they would never be found.
    async fn check_fields(&self, scanned: &str, fields: &[String]) -> Result<(), Error> {
        let lacks: Vec<Json> =
            fields.iter().map(|field| json!({ "bool": { "must_not": { "exists": { "field": field } } } })).collect();
        let lacks = json!({ "bool": { "should": lacks, "minimum_should_match": 1 } });
        let query = self.with_own_query(vec![lacks]);
        let hits = self.search(scanned, json!({ "size": 1, "query": query, "_source": false })).await?;
        match hits.into_iter().next() {
            None => Ok(()),
            Some(hit) => Err(Error::NoKeyField { id: hit.id, index: scanned.to_owned(), fields: fields.join(", ") }),
        }
    }

    pub(super) fn with_own_query(&self, mut filters: Vec<Json>) -> Json {
        filters.extend(self.reading.query.clone());
        json!({ "bool": { "filter": filters } })
    }

    /// A page of up to `limit` documents, by several requests if it is long.
    async fn page(&self, range: KeyRange<'_, E>, limit: usize) -> Result<Vec<(Key<E>, Json)>, Error> {
        let (scanned, fields, reader) = (self.scanned()?, self.key_fields()?, KeyReader::new());
        self.refresh_now(&scanned, range.after.is_none()).await?;
        if range.after.is_none() {
            self.check_fields(&scanned, &fields).await?;
        }
        let sort: Vec<Json> = fields.iter().map(|field| json!({ field: { "order": "asc" } })).collect();
        let mut after = range.after.map(search_after);
        let mut documents = Vec::new();
        while documents.len() < limit {
            let size = (limit - documents.len()).min(MOST);
            let mut filters: Vec<Json> = fields.iter().map(|field| json!({ "exists": { "field": field } })).collect();
            filters.extend(range.until.map(|key| until(&fields, key)));
            let query = self.with_own_query(filters);
            let mut body = json!({ "size": size, "sort": sort, "query": query, "track_total_hits": false });
            if let Some(after) = after.take() {
                body["search_after"] = after;
            }
            let hits = self.search(&scanned, body).await?;
            let is_last = hits.len() < size;
            for hit in hits {
                let key = self.key_of(&reader, &hit)?;
                let source = hit.source.ok_or(Error::NoSource { id: hit.id })?;
                documents.push((key, source));
            }
            if is_last {
                break;
            }
            after = documents.last().map(|(key, _)| search_after(key));
        }
        Ok(documents)
    }

    /// From the id, or from the sorted fields if the application makes the ids.
    pub(super) fn key_of(&self, reader: &KeyReader<E>, hit: &Hit) -> Result<Key<E>, Error> {
        let key = if self.addressing.id.is_none() {
            reader.document_id(&hit.id)
        } else {
            let object: Map<String, Json> = key_columns::<E>().zip(hit.sort.iter().map(key_json)).collect();
            reader.read(&Json::Object(object))
        };
        key.map_err(|reason| Error::ForeignDocument { id: hit.id.clone(), index: self.index.clone(), reason })
    }

    async fn get(&self, keys: &[Key<E>]) -> Result<Vec<(Key<E>, Json)>, Error> {
        let attempt = format!("look up {} documents of `{}`", keys.len(), self.index);
        let mut documents = Vec::with_capacity(keys.len());
        for keys in keys.chunks(MOST_IDS) {
            let (mut asked, mut addressed) = (Vec::with_capacity(keys.len()), Vec::with_capacity(keys.len()));
            for key in keys {
                let address = match self.addressing.address(key) {
                    Ok(address) => address,
                    // Its record cannot be written.
                    Err(Error::Id { .. }) => continue,
                    Err(error) => return Err(error),
                };
                addressed.push(key);
                let mut document = json!({ "_id": address.id });
                if let Some(index) = address.index {
                    document["_index"] = index.into();
                }
                if let Some(routing) = address.routing {
                    document["routing"] = routing.into();
                }
                asked.push(document);
            }
            if addressed.is_empty() {
                continue;
            }
            let path = [&*self.index, "_mget"];
            let got: Got = self.ask(&attempt, &path, &[], json!({ "docs": asked })).await?;
            if got.docs.len() != addressed.len() {
                return Err(Error::Partial { index: self.index.clone() });
            }
            for (key, document) in addressed.into_iter().zip(got.docs) {
                if let Some(source) = document.source(&self.index)? {
                    documents.push((key.clone(), source));
                }
            }
        }
        Ok(documents)
    }
}

/// As [`Key::to_json`] has it: an integer that a float cannot hold is a text.
fn key_json(value: &Json) -> Json {
    const EXACT: u64 = (1 << 53) - 1;
    let is_exact = value.as_i64().is_none_or(|number| number.unsigned_abs() <= EXACT)
        && value.as_u64().is_none_or(|number| number <= EXACT);
    if is_exact { value.clone() } else { value.to_string().into() }
}

/// Documents are read by searches that are sorted by the [key fields](ElasticsearchSink::key_field), page by page, and
/// looked up by their ids in real time. No context stays open on the server.
///
/// A write is visible to a page a second after it was acknowledged at the latest, since the index is refreshed before
/// the first page, and again once a second; a look-up finds it at once.
impl<E, R> Scan<E, R> for ElasticsearchSink<E>
where
    E: Streamed,
    R: Serialize + Send + Sync + 'static,
{
    /// The source.
    type Document = Json;

    async fn scan(&self, range: KeyRange<'_, E>, limit: usize) -> Result<Vec<(Key<E>, Json)>, HandlerError> {
        Ok(self.page(range, limit).await?)
    }

    async fn find(&self, keys: &[Key<E>]) -> Result<Option<Vec<(Key<E>, Json)>>, HandlerError> {
        Ok(Some(self.get(keys).await?))
    }

    /// Whether the record as JSON equals the source. Numbers are equal by value, `1` and `1.0`; a field that is null
    /// equals one that is missing.
    fn is_current(&self, key: &Key<E>, record: &R, source: &Json) -> Result<bool, HandlerError> {
        let record = serde_json::to_value(record).map_err(|source| {
            let id = key.document_id().unwrap_or_default();
            HandlerError::new(Error::Serialize { id, source })
        })?;
        Ok(is_same(&record, source))
    }
}
