//! The records of a batch that are loaded and not written yet.

use redstream_core::{Batch, HandlerError};
use sea_orm::ConnectionTrait;

use crate::entity::decode::{BatchKeys, Decoder};
use crate::entity::key::{Key, KeySet};
use crate::entity::streamed::Streamed;
use crate::index::loader::Loader;
use crate::index::missing::{Missing, Sorted};

/// What the database has of some keys.
pub(crate) struct Loaded<E, R> {
    pub(crate) upserts: Vec<(Key<E>, R)>,
    pub(crate) deletes: Vec<Key<E>>,
    pub(crate) respelled: Vec<Key<E>>,
}

/// A batch whose records are loaded.
pub(crate) struct LoadedBatch<E, R> {
    pub(crate) named: BatchKeys<E>,
    /// Issued before the first record was read, so that the records are at least as new as it says.
    pub(crate) version: u64,
    pub(crate) loaded: Loaded<E, R>,
}

impl<E: Streamed, R> Loaded<E, R> {
    /// The records of these keys, or of all that the batch names.
    pub(crate) async fn of<C, L>(
        primary: &C,
        loader: &L,
        named: &mut BatchKeys<E>,
        keys: Option<Vec<Key<E>>>,
    ) -> Result<Self, HandlerError>
    where
        C: ConnectionTrait,
        L: Loader<E, C, Record = R>,
    {
        let keys = keys.as_deref().unwrap_or(named.keys());
        let mut upserts = loader.load(primary, keys).await?;
        // Mostly nothing is missing, and a walk's rows come in the order of their keys.
        if upserts.iter().map(|(key, _)| key).eq(keys) {
            return Ok(Self { upserts, deletes: Vec::new(), respelled: Vec::new() });
        }
        let mut found: KeySet<E> = upserts.iter().map(|(key, _)| key.clone()).collect();
        let missing: Vec<_> = keys.iter().filter(|key| !found.contains(*key)).cloned().collect();
        let missing = Missing::look_up(primary, missing).await?;
        let unloaded = missing.unloaded(keys, &found);
        if !unloaded.is_empty() {
            for (key, record) in loader.load(primary, &unloaded).await? {
                if found.insert(key.clone()) {
                    upserts.push((key, record));
                }
            }
        }
        let Sorted { deletes, respelled } = missing.sort(&found);
        let respelled = respelled.into_iter().map(|(key, stored)| {
            named.add_alias(&key, stored);
            key
        });
        let respelled = respelled.collect();
        Ok(Self { upserts, deletes, respelled })
    }
}

impl<E: Streamed, R> LoadedBatch<E, R> {
    /// Loads all that a batch names; `None` if that is nothing.
    pub(crate) async fn of<C, L>(
        primary: &C,
        loader: &L,
        batch: &Batch,
        decoder: &Decoder<E>,
    ) -> Result<Option<Self>, HandlerError>
    where
        C: ConnectionTrait,
        L: Loader<E, C, Record = R>,
    {
        let mut named = BatchKeys::in_batch(batch, decoder)?;
        if named.keys().is_empty() {
            named.count_passed_over(batch);
            return Ok(None);
        }
        let version = batch.version().await?;
        let loaded = Loaded::of(primary, loader, &mut named, None).await?;
        Ok(Some(Self { named, version, loaded }))
    }
}
