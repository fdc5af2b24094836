//! Reading a cache back, to verify it.

use std::collections::{BTreeSet, HashMap};

use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use redstream_seaorm::{HandlerError, Key, KeyRange, KeyReader, Scan, Streamed};
use sea_orm::EntityTrait;
use serde::Serialize;
use serde_json::Value as Json;

use crate::cache::entries;
use crate::cache::error::Error;
use crate::cache::handle::Cache;
use crate::cache::sink::WritingSink;
use crate::redis_keys::Keys;

/// By ids as texts, not by keys. A page goes through all keys of the Redis, so ask for large pages.
///
/// A record that is not in the cache is not missing: it expired, or did not change since the cache exists.
impl<E, R> Scan<E, R> for Cache<E, R>
where
    E: Streamed,
    R: Serialize + Send + Sync + 'static,
{
    type Document = Json;

    async fn scan(&self, range: KeyRange<'_, E>, limit: usize) -> Result<Vec<(Key<E>, Json)>, HandlerError> {
        let mut after = range.after.map(Key::document_id).transpose().map_err(Error::Key)?;
        let until = range.until.map(Key::document_id).transpose().map_err(Error::Key)?;
        let mut page = Vec::new();
        loop {
            let ids = self.ids(after.as_deref(), until.as_deref(), limit - page.len()).await?;
            let is_last = ids.len() < limit - page.len();
            after = ids.last().cloned().or(after);
            let reader = KeyReader::<E>::new();
            let mut keys = Vec::with_capacity(ids.len());
            for id in ids {
                let key = reader.document_id(&id);
                let entry = format!("{}:{id}", self.name);
                keys.push(key.map_err(|reason| Error::ForeignKey { entry, reason })?);
            }
            // Tombstones and leases are left out, so a page may need more ids.
            page.extend(self.documents(&keys).await?);
            if is_last || page.len() >= limit {
                return Ok(page);
            }
        }
    }

    async fn find(&self, keys: &[Key<E>]) -> Result<Option<Vec<(Key<E>, Json)>>, HandlerError> {
        Ok(Some(self.documents(keys).await?))
    }

    fn is_current(&self, key: &Key<E>, record: &R, document: &Json) -> Result<bool, HandlerError> {
        let entry = || self.entry_of(key).unwrap_or_default();
        let expected = serde_json::to_value(record).map_err(|source| Error::Serialize { entry: entry(), source })?;
        Ok(expected == *document)
    }
}

/// That of its cache.
impl<E, R> Scan<E, R> for WritingSink<E, R>
where
    E: Streamed,
    R: Serialize + Send + Sync + 'static,
{
    type Document = Json;

    async fn scan(&self, range: KeyRange<'_, E>, limit: usize) -> Result<Vec<(Key<E>, Json)>, HandlerError> {
        self.cache.scan(range, limit).await
    }

    async fn find(&self, keys: &[Key<E>]) -> Result<Option<Vec<(Key<E>, Json)>>, HandlerError> {
        self.cache.find(keys).await
    }

    fn is_current(&self, key: &Key<E>, record: &R, document: &Json) -> Result<bool, HandlerError> {
        self.cache.is_current(key, record, document)
    }
}

impl<E: EntityTrait, R> Cache<E, R> {
    /// The first ids of the range, in ascending order.
    async fn ids(&self, after: Option<&str>, until: Option<&str>, limit: usize) -> Result<BTreeSet<String>, Error> {
        let no_scan = |reason| Error::NoScan { cache: self.name.to_string(), reason };
        if self.client.is_cluster() {
            return Err(no_scan("its keys are spread over a Cluster; `find` works"));
        }
        if self.has_own_entries() {
            return Err(no_scan("no key can be made of what `entry` returns; `find` works"));
        }
        let prefix = format!("{}:", self.name);
        let keys = Keys { prefix: &prefix, kind: "hash", after, until };
        keys.first(&self.client, limit).await.map_err(|source| self.refused(source))
    }

    async fn documents(&self, keys: &[Key<E>]) -> Result<Vec<(Key<E>, Json)>, Error> {
        let size = if self.client.is_cluster() { 1 } else { self.max_keys };
        let entries = keys.iter().map(|key| self.entry_of(key)).collect::<Result<Vec<_>, _>>()?;
        let documents: Vec<Vec<Option<String>>> =
            stream::iter(entries.chunks(size).map(<[String]>::to_vec).collect::<Vec<_>>())
                .map(|entries| {
                    let client = self.client.clone();
                    async move { entries::read_all(&client, &entries).await }
                })
                .buffered(8)
                .try_collect()
                .await
                .map_err(|source| self.refused(source))?;
        let documents: HashMap<_, _> = entries.iter().zip(documents.into_iter().flatten()).collect();
        let mut found = Vec::with_capacity(keys.len());
        for (key, entry) in keys.iter().zip(&entries) {
            if let Some(Some(document)) = documents.get(entry) {
                let document = serde_json::from_str(document);
                let unreadable = |source| Error::Unreadable { entry: entry.clone(), source };
                found.push((key.clone(), document.map_err(unreadable)?));
            }
        }
        Ok(found)
    }
}
