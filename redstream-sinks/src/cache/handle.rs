//! The cache, and its options.

use std::fmt;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::marker::PhantomData;
use std::sync::Arc;
use std::time::Duration;

use redstream_seaorm::{Key, RedisClient};
use sea_orm::EntityTrait;

use crate::cache::availability::Availability;
use crate::cache::error::Error;

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

type Name<E> = Arc<dyn Fn(&Key<E>) -> String + Send + Sync>;

/// A cache of the records `R` of the entity `E`, in Redis: one entry for each key, with a document in JSON.
///
/// Cloning it is cheap. The application reads by [`get_or_load`](Self::get_or_load); a consumer keeps it up to date by
/// an [`EvictingSink`](super::EvictingSink) or a [`WritingSink`](super::WritingSink) of a clone, or of a cache that
/// is set up alike in another process.
///
/// # Guarantee
///
/// After the sink has evicted or written a record, no read returns a document that was loaded before, nor does one that
/// is still being loaded get into the cache afterwards. It holds for readers that fill by `get_or_load` and load from
/// the primary database, as long as Redis does not lose what it acknowledged; `docs/cache.md` has the limits.
///
/// ```no_run
/// # mod city {
/// #     use redstream_seaorm::Streamed;
/// #     use sea_orm::entity::prelude::*;
/// #     #[derive(Clone, Debug, PartialEq, DeriveEntityModel, Streamed, serde::Serialize, serde::Deserialize)]
/// #     #[sea_orm(table_name = "cities")]
/// #     pub struct Model { #[sea_orm(primary_key)] pub id: i64, pub name: String }
/// #     #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
/// #     pub enum Relation {}
/// # }
/// use redstream_seaorm::{Indexer, Key, RedisClient, Stream};
/// use redstream_sinks::cache::{Cache, EvictingSink};
/// use sea_orm::EntityTrait;
///
/// # async fn example(cities: Stream, db: sea_orm::DatabaseConnection) -> Result<(), Box<dyn std::error::Error>> {
/// let client = RedisClient::connect("redis://cache.internal/").await?;
/// let cache = Cache::<city::Entity, city::Model>::new(client, "cities");
/// let consumer = cities.consumer("cache", Indexer::new(db.clone(), EvictingSink::new(cache.clone())));
///
/// let ulm = cache.get_or_load(&Key::new(7), async || city::Entity::find_by_id(7).one(&db).await).await?;
/// # Ok(()) }
/// ```
#[must_use]
pub struct Cache<E: EntityTrait, R> {
    pub(super) client: RedisClient,
    pub(super) name: Arc<str>,
    entry: Option<Name<E>>,
    ttl: Duration,
    jitter: f64,
    pub(super) tombstone_ttl: Duration,
    pub(super) lease: Duration,
    pub(super) patience: Duration,
    pub(super) max_keys: usize,
    pub(super) availability: Arc<Availability>,
    record: PhantomData<fn() -> R>,
}

impl<E: EntityTrait, R> Cache<E, R> {
    /// A cache whose entries have the keys `NAME:ID` in Redis, with [`Key::document_id`] as the id: `cities:7`.
    ///
    /// A name that contains a revision of the record's type, such as `cities:2`, separates two releases that run at the
    /// same time.
    pub fn new(client: RedisClient, name: impl Into<String>) -> Self {
        let name: Arc<str> = name.into().into();
        Self {
            client,
            availability: Arc::new(Availability::new(name.clone())),
            name,
            entry: None,
            ttl: DAY,
            jitter: 0.1,
            tombstone_ttl: DAY,
            lease: Duration::from_secs(60),
            patience: Duration::from_millis(100),
            max_keys: 200,
            record: PhantomData,
        }
    }

    /// An entry's key in Redis. Default: `NAME:ID`.
    ///
    /// Keys of records that share one share the entry. A cache with keys of its own cannot be
    /// [scanned](redstream_seaorm::Scan::scan).
    pub fn entry(mut self, entry: impl Fn(&Key<E>) -> String + Send + Sync + 'static) -> Self {
        self.entry = Some(Arc::new(entry));
        self
    }

    /// How long a document lives. Default: one day.
    ///
    /// It bounds the age of a document whose change was not seen by Redstream, or whose eviction Redis lost. For a
    /// [`WritingSink`](super::WritingSink) it is also how long the version of a document is remembered.
    pub fn ttl(mut self, ttl: Duration) -> Self {
        self.ttl = ttl;
        self
    }

    /// By which part of the time to live entries live longer than it, at most; each key by its own part, so that
    /// entries that were written together do not expire together. Default: 0.1, that is, up to a tenth. Values below 0
    /// count as 0, above 1 as 1.
    pub fn jitter(mut self, part: f64) -> Self {
        self.jitter = if part.is_finite() { part.clamp(0.0, 1.0) } else { 0.0 };
        self
    }

    /// How long a [`WritingSink`](super::WritingSink) remembers the version of a deleted record. Default: one day.
    ///
    /// It must be longer than a process can be paused in the middle of a write.
    pub fn tombstone_ttl(mut self, ttl: Duration) -> Self {
        self.tombstone_ttl = ttl;
        self
    }

    /// How long a reader may take to load a record; what is loaded later is returned and does not get into the cache.
    /// Default: one minute.
    pub fn lease(mut self, time: Duration) -> Self {
        self.lease = time;
        self
    }

    /// How long a reader waits for Redis, for each of the up to three commands of a read. Default: 100 ms.
    ///
    /// Sinks wait for [`give_up_after`](redstream_seaorm::ConnectOptions::give_up_after).
    pub fn patience(mut self, time: Duration) -> Self {
        self.patience = time;
        self
    }

    /// The most entries of one command of the sink. Default: 200. Zero counts as one. On a Cluster each entry has a
    /// command of its own.
    pub fn max_keys(mut self, keys: usize) -> Self {
        self.max_keys = keys.max(1);
        self
    }

    /// The key in Redis of a record's entry.
    ///
    /// # Errors
    ///
    /// If the key has no form as a text, such as NaN.
    pub fn entry_of(&self, key: &Key<E>) -> Result<String, Error> {
        match &self.entry {
            Some(entry) => Ok(entry(key)),
            None => Ok(format!("{}:{}", self.name, key.document_id().map_err(Error::Key)?)),
        }
    }

    pub(super) fn has_own_entries(&self) -> bool {
        self.entry.is_some()
    }

    /// The milliseconds that the document of this entry lives.
    pub(super) fn ttl_of(&self, entry: &str) -> u64 {
        let mut hasher = DefaultHasher::new();
        entry.hash(&mut hasher);
        let part = f64::from(u32::try_from(hasher.finish() >> 32).unwrap_or(u32::MAX)) / f64::from(u32::MAX);
        millis(self.ttl.mul_f64(1.0 + self.jitter * part))
    }
}

/// At least one, which Redis demands, and no more than it takes.
pub(super) fn millis(time: Duration) -> u64 {
    const LONGEST: u64 = 1 << 50;
    u64::try_from(time.as_millis()).unwrap_or(LONGEST).clamp(1, LONGEST)
}

impl<E: EntityTrait, R> Clone for Cache<E, R> {
    fn clone(&self) -> Self {
        Self {
            client: self.client.clone(),
            name: self.name.clone(),
            entry: self.entry.clone(),
            ttl: self.ttl,
            jitter: self.jitter,
            tombstone_ttl: self.tombstone_ttl,
            lease: self.lease,
            patience: self.patience,
            max_keys: self.max_keys,
            availability: self.availability.clone(),
            record: PhantomData,
        }
    }
}

impl<E: EntityTrait, R> fmt::Debug for Cache<E, R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Cache").field("name", &self.name).field("client", &self.client).finish_non_exhaustive()
    }
}
