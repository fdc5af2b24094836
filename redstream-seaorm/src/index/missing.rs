//! Keys that a batch names without a loaded record.

use sea_orm::{ConnectionTrait, DbErr};

use crate::entity::key::{Key, KeySet};
use crate::entity::stored_key::is_exact;
use crate::entity::stored_key_by_type::stored_keys_by_own_type;
use crate::entity::streamed::Streamed;

/// Keys without a loaded record, each with the keys of the rows that the database finds by it.
pub(crate) struct Missing<E>(Vec<(Key<E>, Vec<Key<E>>)>);

/// How they are handled.
pub(crate) struct Sorted<E> {
    /// Their rows are deleted, or left out by the loader.
    pub(crate) deletes: Vec<Key<E>>,
    /// Their rows exist under other spellings, which follow, and were loaded.
    pub(crate) respelled: Vec<(Key<E>, Key<E>)>,
}

impl<E: Streamed> Missing<E> {
    /// Asks the database which rows it finds by these keys; empty if they are exact.
    pub(crate) async fn look_up<C>(db: &C, missing: Vec<Key<E>>) -> Result<Self, DbErr>
    where
        C: ConnectionTrait,
    {
        let backend = db.get_database_backend();
        let exact = missing.iter().all(|key| is_exact::<E>(key.values(), backend));
        let stored = if exact { Vec::new() } else { stored_keys_by_own_type(db, &missing).await? };
        let mut found: Vec<_> = missing.into_iter().map(|key| (key, Vec::new())).collect();
        for (nth, stored) in stored {
            if let Some((_, rows)) = found.get_mut(nth) {
                rows.push(stored);
            }
        }
        Ok(Self(found))
    }

    /// The keys of rows that a look-up by the keys' own spellings did not find.
    pub(crate) fn unloaded(&self, asked: &[Key<E>], loaded: &KeySet<E>) -> Vec<Key<E>> {
        let rows = self.0.iter().flat_map(|(_, rows)| rows);
        let unknown = rows.filter(|row| !loaded.contains(*row) && !asked.contains(row));
        let mut keys = Keys::default();
        unknown.for_each(|row| keys.add(row.clone()));
        keys.order
    }

    pub(crate) fn sort(self, loaded: &KeySet<E>) -> Sorted<E> {
        let mut deletes = Keys::default();
        let mut respelled = Vec::new();
        for (key, rows) in self.0 {
            if let Some(row) = rows.iter().find(|row| loaded.contains(*row)) {
                respelled.push((key, row.clone()));
                continue;
            }
            // The loader left these rows out, so no document of theirs may remain under any spelling.
            rows.into_iter().chain([key]).for_each(|key| deletes.add(key));
        }
        Sorted { deletes: deletes.order, respelled }
    }
}

/// Each key once.
struct Keys<E> {
    order: Vec<Key<E>>,
    known: KeySet<E>,
}

impl<E> Keys<E> {
    fn add(&mut self, key: Key<E>) {
        if self.known.insert(key.clone()) {
            self.order.push(key);
        }
    }
}

impl<E> Default for Keys<E> {
    fn default() -> Self {
        Self { order: Vec::new(), known: KeySet::default() }
    }
}
