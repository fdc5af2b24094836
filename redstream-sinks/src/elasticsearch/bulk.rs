//! The bodies of bulk requests: newline-delimited JSON, written once.

use std::collections::{HashMap, HashSet};
use std::ops::Range;

use bytes::Bytes;
use redstream_seaorm::{Changes, Failures, Key};
use sea_orm::EntityTrait;
use serde::Serialize;

use crate::elasticsearch::addressing::{Address, Addressing};
use crate::elasticsearch::error::Error;

/// The documents of one write, in one buffer.
pub(crate) struct Bulk<E> {
    body: Bytes,
    documents: Vec<Document<E>>,
}

/// One line or two of the buffer.
pub(crate) struct Document<E> {
    pub(crate) key: Key<E>,
    pub(crate) id: String,
    /// If it is not that of the sink.
    index: Option<String>,
    lines: Range<usize>,
    pub(crate) is_delete: bool,
}

/// How large a request may be.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    pub(crate) documents: usize,
    pub(crate) bytes: usize,
}

/// The fields of an action's line, in this order.
#[derive(Serialize)]
struct Action<'a> {
    #[serde(rename = "_id")]
    id: &'a str,
    #[serde(rename = "_index", skip_serializing_if = "Option::is_none")]
    index: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    routing: Option<&'a str>,
    version: u64,
    version_type: &'static str,
}

/// `index` and `delete` alone: other actions do not accept external versions.
#[derive(Serialize)]
#[serde(rename_all = "lowercase")]
enum Line<'a> {
    Index(Action<'a>),
    Delete(Action<'a>),
}

impl<E: EntityTrait> Bulk<E> {
    /// Writes all changes to the buffer. Records without an id or without JSON are failures.
    ///
    /// Each document is written once: if several keys have one document, because ids are made by the application, the
    /// last record stays, and no delete removes it.
    pub(crate) fn new<R: Serialize>(
        changes: Changes<E, R>,
        addressing: &Addressing<E>,
        failures: &mut Failures<E>,
    ) -> Self {
        let version = changes.version;
        let mut addresses = |key: &Key<E>| {
            let address = addressing.address(key);
            address.map_err(|error| failures.failed(key.clone(), error)).ok()
        };
        let upserts: Vec<_> = changes.upserts.into_iter().map(|(key, record)| (addresses(&key), key, record)).collect();
        let deletes = changes.deletes.into_iter().chain(changes.respelled);
        let deletes: Vec<_> = deletes.map(|key| (addresses(&key), key)).collect();
        let last: HashMap<_, _> = upserts.iter().enumerate().map(|(nth, (address, ..))| (address, nth)).collect();

        let mut buffer = Vec::with_capacity(256 * (upserts.len() + deletes.len()));
        let mut documents = Vec::with_capacity(upserts.len() + deletes.len());
        for (nth, (address, key, record)) in upserts.iter().enumerate() {
            let Some(address) = address.as_ref().filter(|_| last[address] == nth) else { continue };
            let start = buffer.len();
            let written = write_line(&mut buffer, &Line::Index(Action::new(address, version)))
                .and_then(|()| write_line(&mut buffer, record));
            match written {
                Ok(()) => documents.push(Document::new(key, address, start..buffer.len(), false)),
                Err(source) => {
                    buffer.truncate(start);
                    failures.failed(key.clone(), Error::Serialize { id: address.id.clone(), source });
                }
            }
        }
        let mut deleted = HashSet::new();
        for (address, key) in &deletes {
            let Some(written) = address.as_ref().filter(|_| !last.contains_key(address)) else { continue };
            let start = buffer.len();
            // An action has no field that fails.
            if deleted.insert(written) && write_line(&mut buffer, &Line::Delete(Action::new(written, version))).is_ok()
            {
                documents.push(Document::new(key, written, start..buffer.len(), true));
            }
        }
        drop((last, deleted));
        Self { body: buffer.into(), documents }
    }

    /// The numbers of the documents of each request.
    pub(crate) fn requests(&self, limits: Limits) -> Vec<Vec<usize>> {
        let mut requests: Vec<Vec<usize>> = Vec::new();
        let mut bytes = 0;
        for (nth, document) in self.documents.iter().enumerate() {
            bytes += document.lines.len();
            match requests.last_mut() {
                Some(request) if request.len() < limits.documents && bytes <= limits.bytes => request.push(nth),
                _ => {
                    requests.push(vec![nth]);
                    bytes = document.lines.len();
                }
            }
        }
        requests
    }

    /// The body of a request: a part of the buffer if the documents stand together in it, as they do at first.
    pub(crate) fn body(&self, request: &[usize]) -> Bytes {
        let lines = |nth: &usize| self.documents[*nth].lines.clone();
        let (Some(first), Some(last)) = (request.first().map(lines), request.last().map(lines)) else {
            return Bytes::new();
        };
        let length = request.iter().map(|nth| lines(nth).len()).sum();
        if last.end - first.start == length {
            return self.body.slice(first.start..last.end);
        }
        let mut body = Vec::with_capacity(length);
        for nth in request {
            body.extend_from_slice(&self.body[lines(nth)]);
        }
        body.into()
    }

    /// The indices that the documents are written to, in any order and several times.
    pub(crate) fn indices<'b>(&'b self, default: &'b str) -> impl Iterator<Item = &'b str> {
        self.documents.iter().map(move |document| document.index.as_deref().unwrap_or(default))
    }

    pub(crate) fn document(&self, nth: usize) -> &Document<E> {
        &self.documents[nth]
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.documents.is_empty()
    }
}

impl<E> Document<E> {
    fn new(key: &Key<E>, address: &Address, lines: Range<usize>, is_delete: bool) -> Self {
        let Address { id, index, .. } = address.clone();
        Self { key: key.clone(), id, index, lines, is_delete }
    }
}

impl<'a> Action<'a> {
    fn new(Address { id, index, routing }: &'a Address, version: u64) -> Self {
        Self { id, index: index.as_deref(), routing: routing.as_deref(), version, version_type: "external_gte" }
    }
}

/// A value, and a newline.
fn write_line(buffer: &mut Vec<u8>, value: &impl Serialize) -> Result<(), serde_json::Error> {
    let start = buffer.len();
    serde_json::to_writer(&mut *buffer, value)?;
    // Raw JSON may have newlines between its values; within a string JSON has none.
    for byte in buffer[start..].iter_mut().filter(|byte| matches!(**byte, b'\n' | b'\r')) {
        *byte = b' ';
    }
    buffer.push(b'\n');
    Ok(())
}

#[cfg(test)]
mod tests;
