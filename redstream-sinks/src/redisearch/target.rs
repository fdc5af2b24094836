//! Checks and creates the index.

use std::sync::atomic::{AtomicBool, Ordering};

use redstream_seaorm::RedisClient;

use crate::redisearch::definition::Index;
use crate::redisearch::error::Error;
use crate::redisearch::info::Info;
use crate::redisearch::metrics;

/// The index that documents are to be in.
#[derive(Debug)]
pub(crate) struct Target {
    pub(crate) index: Index,
    /// Whether it was there before.
    was_there: AtomicBool,
}

impl Target {
    pub(crate) fn new(index: Index) -> Self {
        Self { index, was_there: AtomicBool::new(false) }
    }

    /// Checks the index, and creates it if it is missing: FLUSHALL removes indices, too. Returns what the server says
    /// of it.
    pub(crate) async fn check(&self, client: &RedisClient, tombstones: &str) -> Result<Info, Error> {
        if client.is_cluster() {
            let reason = "a document and its tombstone would be on different servers of the Cluster".to_owned();
            return Err(Error::InvalidOption { option: "client", reason });
        }
        let info = match self.info(client).await? {
            Some(info) => info,
            None => self.create(client).await?,
        };
        self.compare(&info, tombstones)?;
        self.was_there.store(true, Ordering::Relaxed);
        #[expect(clippy::cast_precision_loss, reason = "a gauge is a float")]
        ::metrics::gauge!(metrics::INDEXING_FAILURES, "index" => self.index.name.clone()).set(info.failures as f64);
        Ok(info)
    }

    pub(crate) async fn info(&self, client: &RedisClient) -> Result<Option<Info>, Error> {
        Info::of(client, &self.index.name).await.map_err(|source| self.refused(source))
    }

    async fn create(&self, client: &RedisClient) -> Result<Info, Error> {
        let index = self.index.name.clone();
        if self.index.fields.is_empty() {
            return Err(Error::MissingIndex { index });
        }
        let created = client.command::<()>("create the index", &self.index.create()).await;
        // Another process may have been faster, or a lost reply hidden that it is done.
        let Some(info) = self.info(client).await? else {
            created.map_err(|source| self.refused(source))?;
            return Err(Error::MissingIndex { index });
        };
        ::metrics::counter!(metrics::INDEX_CREATED, "index" => index.clone()).increment(1);
        if self.was_there.load(Ordering::Relaxed) {
            tracing::warn!(
                index,
                "the index was gone and is created again: if its documents are gone, too (FLUSHALL), reindex the table"
            );
        } else {
            tracing::info!(index, "the index was missing and is created");
        }
        Ok(info)
    }

    fn compare(&self, info: &Info, tombstones: &str) -> Result<(), Error> {
        let Index { name, prefix, kind, fields, .. } = &self.index;
        let other = |what: String| Err(Error::OtherIndex { index: name.clone(), what });
        if !info.kind.eq_ignore_ascii_case(kind.name()) {
            return other(format!("it is over documents of the kind {}, and these are {}", info.kind, kind.name()));
        }
        if !info.prefixes.iter().any(|covered| prefix.starts_with(covered)) {
            return other(format!("it does not cover the prefix `{prefix}`, only {:?}", info.prefixes));
        }
        if let Some(covered) = info.prefixes.iter().find(|covered| tombstones.starts_with(*covered)) {
            return other(format!("its prefix `{covered}` also covers the tombstones, `{tombstones}…`"));
        }
        for field in fields {
            match info.fields.get(&field.name) {
                Some(kind) if kind.eq_ignore_ascii_case(field.kind()) => {}
                Some(kind) => return other(format!("its field `{}` is {kind}, not {}", field.name, field.kind())),
                None => return other(format!("it has no field `{}`", field.name)),
            }
        }
        Ok(())
    }

    /// Counts documents.
    pub(crate) fn count(&self, outcome: &'static str, count: usize) {
        if count > 0 {
            let index = self.index.name.clone();
            ::metrics::counter!(metrics::DOCUMENTS, "index" => index, "outcome" => outcome).increment(count as u64);
        }
    }

    pub(crate) fn refused(&self, source: redstream_seaorm::core::Error) -> Error {
        Error::Redis { index: self.index.name.clone(), source }
    }
}
