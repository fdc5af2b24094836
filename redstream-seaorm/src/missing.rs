//! Keys that a batch names and whose records were not loaded.

use std::collections::HashSet;

use sea_orm::{ConnectionTrait, DbErr};

use crate::mutation::{self, Mutation::LooseKeysDeleted};
use crate::stored_key::{is_exact, stored_keys};
use crate::{Key, Streamed};

/// What becomes of them.
pub(crate) struct Missing<E> {
    /// Their rows are gone, or left out by the loader.
    pub(crate) deletes: Vec<Key<E>>,
    /// Their rows are there under other spellings, which follow, and were loaded.
    pub(crate) respelled: Vec<(Key<E>, Key<E>)>,
}

impl<E: Streamed> Missing<E> {
    /// Asks the database which rows it takes these keys for, unless keys are exact: then none.
    pub(crate) async fn sort<C>(db: &C, missing: Vec<Key<E>>, loaded: &HashSet<Key<E>>) -> Result<Self, DbErr>
    where
        C: ConnectionTrait,
    {
        let backend = db.get_database_backend();
        if mutation::is(LooseKeysDeleted) || missing.iter().all(|key| is_exact::<E>(key.values(), backend)) {
            return Ok(Self { deletes: missing, respelled: Vec::new() });
        }
        let mut rows: Vec<Vec<Key<E>>> = missing.iter().map(|_| Vec::new()).collect();
        for (nth, stored) in stored_keys(db, &missing).await? {
            if let Some(rows) = rows.get_mut(nth) {
                rows.push(stored);
            }
        }
        let mut deletes = Deletes::default();
        let mut respelled = Vec::new();
        for (key, rows) in missing.into_iter().zip(rows) {
            if let Some(row) = rows.iter().find(|row| loaded.contains(*row)) {
                respelled.push((key, row.clone()));
                continue;
            }
            // The loader left these rows out, so no document of theirs may stay, under whichever spelling.
            rows.into_iter().chain([key]).for_each(|key| deletes.add(key));
        }
        Ok(Self { deletes: deletes.order, respelled })
    }
}

/// Each key once.
struct Deletes<E> {
    order: Vec<Key<E>>,
    known: HashSet<Key<E>>,
}

impl<E> Deletes<E> {
    fn add(&mut self, key: Key<E>) {
        if self.known.insert(key.clone()) {
            self.order.push(key);
        }
    }
}

impl<E> Default for Deletes<E> {
    fn default() -> Self {
        Self { order: Vec::new(), known: HashSet::new() }
    }
}
