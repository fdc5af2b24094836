//! Reading through the cache.

use std::error::Error as StdError;

use redstream_seaorm::{Key, RedisClient};
use sea_orm::EntityTrait;
use serde::Serialize;
use serde::de::DeserializeOwned;
use uuid::Uuid;

use crate::cache::entries::{self, Miss};
use crate::cache::error::{Error, LoadError};
use crate::cache::handle::{Cache, millis};
use crate::cache::metrics;

/// What a read found.
enum Found<R> {
    Record(R),
    /// Nothing, and the right to fill it.
    Lease(Lease),
}

struct Lease {
    entry: String,
    id: String,
}

impl<E, R> Cache<E, R>
where
    E: EntityTrait,
    R: Serialize + DeserializeOwned + Send + Sync + 'static,
{
    /// The record, if the cache has it. `None` says nothing of the database: the record may not be cached, or not
    /// exist.
    ///
    /// # Errors
    ///
    /// If Redis does not answer within the [`patience`](Self::patience), or the document cannot be read.
    pub async fn get(&self, key: &Key<E>) -> Result<Option<R>, Error> {
        let entry = self.entry_of(key)?;
        let read = self.read(&entry).await.inspect_err(|_| self.count(metrics::READS, "unavailable"))?;
        let Some(document) = read else {
            self.count(metrics::READS, "miss");
            return Ok(None);
        };
        match parse(&entry, &document) {
            Ok(record) => {
                self.count(metrics::READS, "hit");
                Ok(Some(record))
            }
            Err(error) => {
                self.count(metrics::READS, "unreadable");
                Err(error)
            }
        }
    }

    /// The record: from the cache, or else by `load`, whose result is put into the cache unless the entry was evicted
    /// or written since this read began.
    ///
    /// `load` must read the primary database, not a replica with replication lag, and outside of a transaction that
    /// began before. Its `None` is returned and not cached.
    ///
    /// The cache's own failures are logged, and never returned: the record is then loaded. While Redis does not answer,
    /// one reader at a time waits for it, for up to its [`patience`](Self::patience), and the others load at once; so
    /// the database must bear the load without a cache. If it cannot, use [`try_get_or_load`](Self::try_get_or_load).
    ///
    /// # Errors
    ///
    /// The loader's.
    pub async fn get_or_load<X>(
        &self,
        key: &Key<E>,
        load: impl AsyncFnOnce() -> Result<Option<R>, X>,
    ) -> Result<Option<R>, X> {
        match self.get_or_lease(key).await {
            Ok(Found::Record(record)) => Ok(Some(record)),
            Ok(Found::Lease(lease)) => {
                let loaded = load().await?;
                self.fill(lease, loaded.as_ref()).await;
                Ok(loaded)
            }
            Err(error) => {
                self.tell(&error);
                load().await
            }
        }
    }

    /// The same, except that nothing is loaded if the cache cannot be read: for a database that does not bear the load
    /// without its cache.
    ///
    /// # Errors
    ///
    /// [`LoadError::Cache`] if the cache cannot be read, [`LoadError::Load`] if the loader fails.
    pub async fn try_get_or_load<X: StdError + 'static>(
        &self,
        key: &Key<E>,
        load: impl AsyncFnOnce() -> Result<Option<R>, X>,
    ) -> Result<Option<R>, LoadError<X>> {
        match self.get_or_lease(key).await? {
            Found::Record(record) => Ok(Some(record)),
            Found::Lease(lease) => {
                let loaded = load().await.map_err(LoadError::Load)?;
                self.fill(lease, loaded.as_ref()).await;
                Ok(loaded)
            }
        }
    }

    async fn get_or_lease(&self, key: &Key<E>) -> Result<Found<R>, Error> {
        let entry = self.entry_of(key)?;
        let found = self.find(entry).await;
        let outcome = match &found {
            Ok((Found::Record(_), _)) => "hit",
            Ok((Found::Lease(_), is_unreadable)) => {
                if *is_unreadable {
                    "unreadable"
                } else {
                    "miss"
                }
            }
            Err(_) => "unavailable",
        };
        self.count(metrics::READS, outcome);
        found.map(|(found, _)| found)
    }

    /// Also returns whether there was a document that could not be read, which is then loaded anew.
    async fn find(&self, entry: String) -> Result<(Found<R>, bool), Error> {
        let mut unreadable = String::new();
        if let Some(document) = self.read(&entry).await? {
            match parse(&entry, &document) {
                Ok(record) => return Ok((Found::Record(record), false)),
                Err(error) => {
                    self.warn_unreadable(&error);
                    unreadable = document;
                }
            }
        }
        let is_unreadable = !unreadable.is_empty();
        let (key, name, millis) = (entry.clone(), Uuid::new_v4().simple().to_string(), millis(self.lease));
        let lease = self.ask(async move |client| entries::lease(&client, &key, &name, millis, &unreadable).await);
        match lease.await? {
            Miss::Lease(id) => Ok((Found::Lease(Lease { entry, id }), is_unreadable)),
            Miss::Document(document) => Ok((Found::Record(parse(&entry, &document)?), false)),
        }
    }

    async fn read(&self, entry: &str) -> Result<Option<String>, Error> {
        let name = entry.to_owned();
        let read = self.ask(async move |client| entries::read(&client, &name).await).await;
        read.map_err(|error| error.of_entry(entry))
    }

    /// A fill that fails is no failure of the read.
    async fn fill(&self, Lease { entry, id }: Lease, record: Option<&R>) {
        let Some(record) = record else { return };
        let filled = match serde_json::to_string(record) {
            Ok(document) => {
                let ttl = self.ttl_of(&entry);
                self.ask(async move |client| entries::fill(&client, &entry, &id, &document, ttl).await).await
            }
            Err(source) => Err(Error::Serialize { entry, source }),
        };
        let outcome = match filled {
            Ok(true) => "filled",
            Ok(false) => "refused",
            Err(error) => {
                tracing::debug!(cache = &*self.name, error = &error as &dyn StdError, "an entry was not filled");
                "failed"
            }
        };
        self.count(metrics::FILLS, outcome);
    }

    async fn ask<T, C, Fut>(&self, command: C) -> Result<T, Error>
    where
        T: Send + 'static,
        C: FnOnce(RedisClient) -> Fut,
        Fut: Future<Output = Result<T, redstream_seaorm::core::Error>> + Send + 'static,
    {
        let cache = self.name.clone();
        let answer = command(self.client.clone());
        let command = async move { answer.await.map_err(|source| Error::Redis { cache: cache.to_string(), source }) };
        self.availability.bounded(self.patience, command).await
    }

    /// Of a record that is loaded without the cache.
    fn tell(&self, error: &Error) {
        let (cache, error, is_refusal) = (&*self.name, error as &dyn StdError, error.is_refusal());
        // The log tells of an outage when it begins, and not of this.
        if is_refusal {
            tracing::warn!(cache, error, "the cache refuses to be read: the record is loaded without it");
        } else {
            tracing::debug!(cache, error, "loaded without the cache");
        }
    }

    fn warn_unreadable(&self, error: &Error) {
        tracing::warn!(
            cache = &*self.name,
            error = error as &dyn StdError,
            "a document is loaded anew: give the cache another name if the record's type has changed"
        );
    }

    fn count(&self, name: &'static str, outcome: &'static str) {
        ::metrics::counter!(name, "cache" => self.name.to_string(), "outcome" => outcome).increment(1);
    }
}

fn parse<R: DeserializeOwned>(entry: &str, document: &str) -> Result<R, Error> {
    serde_json::from_str(document).map_err(|source| Error::Unreadable { entry: entry.to_owned(), source })
}
