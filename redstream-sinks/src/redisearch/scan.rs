//! Reading the index back, to verify it. Only what the index has counts: a document that it has left out is missing.

use std::collections::HashMap;

use redis::Value;
use redstream_seaorm::{HandlerError, Key, KeyRange, KeyReader, Scan, Streamed};
use sea_orm::EntityTrait;
use serde::Serialize;
use serde_json::Value as Json;

use crate::redis_keys::Keys;
use crate::redisearch::definition::Kind;
use crate::redisearch::documents;
use crate::redisearch::error::Error;
use crate::redisearch::record::expected;
use crate::redisearch::sink::RediSearchSink;

/// The largest integer up to which all are told apart in a NUMERIC field.
const EXACT: u64 = 1 << 53;

impl<E, R> Scan<E, R> for RediSearchSink<E>
where
    E: Streamed,
    R: Serialize + Send + Sync + 'static,
{
    /// The document without its version: a hash as an object of texts.
    type Document = Json;

    async fn scan(&self, range: KeyRange<'_, E>, limit: usize) -> Result<Vec<(Key<E>, Json)>, HandlerError> {
        Ok(match &self.scan_by {
            Some(field) => self.by_number(field, range, limit).await?,
            None => self.by_id(range, limit).await?,
        })
    }

    async fn find(&self, keys: &[Key<E>]) -> Result<Option<Vec<(Key<E>, Json)>>, HandlerError> {
        Ok(Some(self.documents(keys).await?))
    }

    fn is_current(&self, key: &Key<E>, record: &R, document: &Json) -> Result<bool, HandlerError> {
        let key = self.document(key)?;
        Ok(expected(record, self.target.index.kind, &key, &self.version_field)? == *document)
    }
}

impl<E: EntityTrait> RediSearchSink<E> {
    /// Ranges of the key and not offsets: those end at a million.
    async fn by_number(&self, field: &str, range: KeyRange<'_, E>, limit: usize) -> Result<Vec<(Key<E>, Json)>, Error> {
        let number = |key: Option<&Key<E>>| key.map(Self::number).transpose();
        let range = (number(range.after)?, number(range.until)?);
        let index = &self.target.index.name;
        let mut asked = limit;
        loop {
            let found = documents::range(&self.client, index, field, range, asked).await;
            let found = found.map_err(|source| self.target.refused(source))?;
            let is_last = found.len() < asked;
            let mut page = self.read_all(found)?;
            // Documents of another prefix are left out, so a page may need more.
            if is_last || page.len() >= limit {
                page.truncate(limit);
                if let Some((key, _)) = page.last() {
                    Self::number(key)?;
                }
                return Ok(page);
            }
            asked = asked.saturating_mul(2);
        }
    }

    fn number(key: &Key<E>) -> Result<i64, Error> {
        let id = key.document_id().map_err(Error::Key)?;
        let number = id.parse().ok().filter(|number: &i64| number.unsigned_abs() < EXACT);
        number.ok_or_else(|| Error::InvalidOption {
            option: "scan_by",
            reason: format!("the key `{id}` is no integer within ±2⁵³: leave the option unset"),
        })
    }

    async fn by_id(&self, range: KeyRange<'_, E>, limit: usize) -> Result<Vec<(Key<E>, Json)>, Error> {
        let mut after = range.after.map(Key::document_id).transpose().map_err(Error::Key)?;
        let until = range.until.map(Key::document_id).transpose().map_err(Error::Key)?;
        let (prefix, kind) = (&self.target.index.prefix, self.target.index.kind.of_keys());
        let mut page = Vec::new();
        loop {
            let wanted = limit - page.len();
            let keys = Keys { prefix, kind, after: after.as_deref(), until: until.as_deref() };
            let ids = keys.first(&self.client, wanted).await.map_err(|source| self.target.refused(source))?;
            let is_last = ids.len() < wanted;
            let reader = KeyReader::<E>::new();
            let keys = ids.iter().map(|id| self.key(&reader, id)).collect::<Result<Vec<_>, _>>()?;
            // Documents that the index has left out are none, so a page may need more ids.
            page.extend(self.documents(&keys).await?);
            if is_last || page.len() >= limit {
                return Ok(page);
            }
            after = ids.into_iter().next_back();
        }
    }

    async fn documents(&self, keys: &[Key<E>]) -> Result<Vec<(Key<E>, Json)>, Error> {
        let mut found = Vec::with_capacity(keys.len());
        for keys in keys.chunks(self.max_documents) {
            let documents = keys.iter().map(|key| self.document(key)).collect::<Result<Vec<_>, _>>()?;
            let documents: Vec<_> = documents.iter().map(String::as_str).collect();
            let read = documents::read(&self.client, &self.target.index.name, &documents).await;
            found.extend(self.read_all(read.map_err(|source| self.target.refused(source))?)?);
        }
        // In the order of the keys, which is that of the page.
        let positions = keys.iter().zip(0..).collect::<HashMap<_, usize>>();
        found.sort_by_key(|(key, _)| positions.get(key).copied());
        Ok(found)
    }

    fn read_all(&self, documents: Vec<(String, Value)>) -> Result<Vec<(Key<E>, Json)>, Error> {
        let reader = KeyReader::<E>::new();
        let mut read = Vec::with_capacity(documents.len());
        for (document, fields) in documents {
            // Of another prefix of the same index.
            let Some(id) = document.strip_prefix(&self.target.index.prefix) else { continue };
            // Removed between the search and the look-up of its fields.
            if fields == Value::Nil {
                continue;
            }
            read.push((self.key(&reader, id)?, self.content(&fields)?));
        }
        Ok(read)
    }

    fn key(&self, reader: &KeyReader<E>, id: &str) -> Result<Key<E>, Error> {
        let key = || format!("{}{id}", self.target.index.prefix);
        reader.document_id(id).map_err(|reason| Error::ForeignKey { key: key(), reason })
    }

    /// The document without its version.
    fn content(&self, fields: &Value) -> Result<Json, Error> {
        let answer = |what: String| Error::Answer { index: self.target.index.name.clone(), what };
        let fields: Vec<(String, String)> =
            redis::from_redis_value_ref(fields).map_err(|error| answer(error.to_string()))?;
        let mut members: serde_json::Map<_, _> = match self.target.index.kind {
            Kind::Hash => fields.into_iter().map(|(name, value)| (name, Json::from(value))).collect(),
            Kind::Json => {
                let json = fields.into_iter().find(|(name, _)| name == "$").map(|(_, json)| json);
                let json = json.ok_or_else(|| answer("a result has no document".to_owned()))?;
                serde_json::from_str(&json).map_err(|error| answer(error.to_string()))?
            }
        };
        members.remove(&self.version_field);
        Ok(Json::Object(members))
    }
}
