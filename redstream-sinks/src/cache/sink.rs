//! The sinks: one evicts entries, the other writes them.

use std::fmt;

use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use redstream_seaorm::{Changes, Failures, HandlerError, Key, Loader, Sink, Streamed};
use sea_orm::EntityTrait;
use serde::Serialize;

use crate::cache::entries::{self, Update, Verdict};
use crate::cache::error::Error;
use crate::cache::handle::{Cache, millis};
use crate::cache::metrics;
use crate::updates::Updates;

/// How many commands are in flight at once, and how many on a Cluster, where each is for one entry.
const IN_FLIGHT: usize = 4;
const IN_FLIGHT_ON_CLUSTER: usize = 64;

/// Removes the entry of each record that changes: the next reader fills it. The safe choice.
///
/// It needs no versions: what a paused process evicts late costs a miss, and nothing else. It writes no records, so an
/// indexer with the loader [`KeysOnly`] saves the query for them.
pub struct EvictingSink<E: EntityTrait, R> {
    cache: Cache<E, R>,
}

impl<E: EntityTrait, R> EvictingSink<E, R> {
    /// Evicts from this cache.
    pub fn new(cache: Cache<E, R>) -> Self {
        Self { cache }
    }

    async fn evict(&self, keys: impl Iterator<Item = Key<E>>, failures: &mut Failures<E>) -> Result<(), Error> {
        let mut evicted = Vec::new();
        for key in keys {
            match self.cache.entry_of(&key) {
                Ok(entry) => evicted.push(entry),
                Err(error) => {
                    self.cache.count_entries("failed", 1);
                    failures.failed(key, error);
                }
            }
        }
        let (size, in_flight) = self.cache.commands();
        stream::iter(evicted.chunks(size))
            .map(Ok)
            .try_for_each_concurrent(in_flight, async |entries| entries::evict(&self.cache.client, entries).await)
            .await
            .map_err(|source| self.cache.refused(source))?;
        self.cache.count_entries("evicted", evicted.len());
        Ok(())
    }
}

impl<E, R, T> Sink<E, T> for EvictingSink<E, R>
where
    E: Streamed,
    R: Send + Sync + 'static,
    T: Send + 'static,
{
    /// Readers fill it.
    fn is_to_be_filled(&self) -> bool {
        false
    }

    async fn write(&self, changes: Changes<E, T>) -> Result<(), HandlerError> {
        let mut failures = Failures::new();
        let Changes { upserts, deletes, respelled, .. } = changes;
        let keys = upserts.into_iter().map(|(key, _)| key).chain(deletes).chain(respelled).collect::<Vec<_>>();
        self.evict(keys.into_iter(), &mut failures).await?;
        failures.into_result()
    }
}

/// Writes the record of each key that changes, with the version of its batch, and a tombstone for one that is deleted.
///
/// An entry with a higher version is not replaced: what a paused process writes late is refused, for as long as Redis
/// has the entry ([`ttl`](Cache::ttl), [`tombstone_ttl`](Cache::tombstone_ttl), its `maxmemory-policy`). A refused
/// record is reported by [`Failures::outdated_by`]. Every record that changes is in the cache, read or not.
pub struct WritingSink<E: EntityTrait, R> {
    pub(super) cache: Cache<E, R>,
}

impl<E: EntityTrait, R: Serialize> WritingSink<E, R> {
    /// Writes to this cache.
    pub fn new(cache: Cache<E, R>) -> Self {
        Self { cache }
    }

    /// One update for each entry: of keys that share an entry, a record counts more than a delete, and the last record
    /// counts.
    fn updates(&self, changes: Changes<E, R>, failures: &mut Failures<E>) -> Vec<(Key<E>, Update)> {
        let mut updates = Updates::new();
        let Changes { upserts, deletes, respelled, .. } = changes;
        let deletes = deletes.into_iter().chain(respelled).map(|key| (key, None));
        for (key, record) in deletes.chain(upserts.into_iter().map(|(key, record)| (key, Some(record)))) {
            match self.update(&key, record.as_ref()) {
                Ok(update) => updates.add(update.entry.clone(), (key, update)),
                Err(error) => {
                    self.cache.count_entries("failed", 1);
                    failures.failed(key, error);
                }
            }
        }
        updates.into_vec()
    }

    fn update(&self, key: &Key<E>, record: Option<&R>) -> Result<Update, Error> {
        let entry = self.cache.entry_of(key)?;
        let Some(record) = record else {
            return Ok(Update { entry, document: None, ttl: millis(self.cache.tombstone_ttl) });
        };
        match serde_json::to_string(record) {
            Ok(document) => Ok(Update { ttl: self.cache.ttl_of(&entry), entry, document: Some(document) }),
            Err(source) => Err(Error::Serialize { entry, source }),
        }
    }

    async fn deliver(
        &self,
        version: u64,
        changes: Vec<(Key<E>, Update)>,
        failures: &mut Failures<E>,
    ) -> Result<(), Error> {
        let (keys, updates): (Vec<_>, Vec<_>) = changes.into_iter().unzip();
        let (size, in_flight) = self.cache.commands();
        let verdicts: Vec<Vec<Verdict>> =
            stream::iter(updates.chunks(size).map(<[Update]>::to_vec).collect::<Vec<_>>())
                .map(|updates| {
                    let client = self.cache.client.clone();
                    async move { entries::write(&client, version, &updates).await }
                })
                .buffered(in_flight)
                .try_collect()
                .await
                .map_err(|source| self.cache.refused(source))?;
        let (mut written, mut deleted, mut superseded, mut failed) = (0, 0, 0, 0);
        for ((key, update), verdict) in keys.into_iter().zip(updates).zip(verdicts.into_iter().flatten()) {
            match verdict {
                Verdict::Written if update.document.is_some() => written += 1,
                Verdict::Written => deleted += 1,
                Verdict::Superseded(version) => {
                    superseded += 1;
                    failures.outdated_by(key, version);
                }
                Verdict::WrongType => {
                    failed += 1;
                    failures.failed(key, Error::WrongType { entry: update.entry });
                }
            }
        }
        for (outcome, count) in
            [("written", written), ("deleted", deleted), ("superseded", superseded), ("failed", failed)]
        {
            self.cache.count_entries(outcome, count);
        }
        Ok(())
    }
}

impl<E, R> Sink<E, R> for WritingSink<E, R>
where
    E: Streamed,
    R: Serialize + Send + Sync + 'static,
{
    async fn write(&self, changes: Changes<E, R>) -> Result<(), HandlerError> {
        let mut failures = Failures::new();
        let version = changes.version;
        let updates = self.updates(changes, &mut failures);
        self.deliver(version, updates, &mut failures).await?;
        failures.into_result()
    }
}

impl<E: EntityTrait, R> Cache<E, R> {
    /// How many entries a command has, and how many commands are in flight.
    fn commands(&self) -> (usize, usize) {
        if self.client.is_cluster() { (1, IN_FLIGHT_ON_CLUSTER) } else { (self.max_keys, IN_FLIGHT) }
    }

    pub(super) fn refused(&self, source: redstream_seaorm::core::Error) -> Error {
        Error::Redis { cache: self.name.to_string(), source }
    }

    fn count_entries(&self, outcome: &'static str, count: usize) {
        if count > 0 {
            ::metrics::counter!(metrics::ENTRIES, "cache" => self.name.to_string(), "outcome" => outcome)
                .increment(count as u64);
        }
    }
}

/// A loader that reads nothing, for the indexer of an [`EvictingSink`]: every key counts as changed.
///
/// For an entity whose key is [exact](Streamed::has_exact_key), such as a number or a UUID. Of other keys, messages may
/// have another spelling than rows, which only a loader that reads the rows finds.
#[derive(Clone, Copy, Debug, Default)]
pub struct KeysOnly;

impl<E: EntityTrait, C: Send + Sync + 'static> Loader<E, C> for KeysOnly {
    type Record = ();

    async fn load(&self, _: &C, keys: &[Key<E>]) -> Result<Vec<(Key<E>, ())>, HandlerError> {
        Ok(keys.iter().map(|key| (key.clone(), ())).collect())
    }
}

impl<E: EntityTrait, R> Clone for EvictingSink<E, R> {
    fn clone(&self) -> Self {
        Self { cache: self.cache.clone() }
    }
}

impl<E: EntityTrait, R> fmt::Debug for EvictingSink<E, R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EvictingSink").field("cache", &self.cache).finish()
    }
}

impl<E: EntityTrait, R> Clone for WritingSink<E, R> {
    fn clone(&self) -> Self {
        Self { cache: self.cache.clone() }
    }
}

impl<E: EntityTrait, R> fmt::Debug for WritingSink<E, R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WritingSink").field("cache", &self.cache).finish()
    }
}
