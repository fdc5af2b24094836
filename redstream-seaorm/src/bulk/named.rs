//! The records that a bulk operation of the classic form names, before and after it writes.

use std::collections::HashSet;

use sea_orm::{ConnectionTrait, DbBackend, DbErr, EntityTrait};

use super::batch::{follow, messages};
use super::error::BulkError;
use super::page::{are_exact, check_zones, present};
use crate::entity::key::Key;
use crate::entity::stored_key::stored_keys;
use crate::entity::streamed::{Streamed, table};
use crate::entity::table_name::TableName;
use crate::guard::permits::UNREAD;
use crate::unit_of_work::UnitOfWork;

pub(super) struct BatchKeys<E> {
    keys: Vec<Key<E>>,
    /// The keys that the database had for them, by position; nothing is read if the keys are exact.
    before: Option<Vec<(usize, Key<E>)>>,
}

impl<E: Streamed> BatchKeys<E> {
    /// Insures the records; those whose keys are exact are announced by the commit.
    pub(super) async fn insure(db: &impl ConnectionTrait, unit: &UnitOfWork, keys: Vec<Key<E>>) -> Result<Self, DbErr> {
        check_zones(&keys, db.get_database_backend())?;
        if are_exact(&keys, db.get_database_backend()) {
            follow(unit, messages(&keys)?)?;
            return Ok(Self { keys, before: None });
        }
        unit.insure(messages(&keys)?)?;
        // Locked, if the database can, so that no other transaction renames them before the closure writes them.
        let locked = match db.get_database_backend() {
            DbBackend::Sqlite => Vec::new(),
            _ => present(db, &keys).await?,
        };
        let before = stored_keys(db, &keys).await?;
        follow(unit, messages(&keys_of(&before))?)?;
        follow(unit, messages(&locked)?)?;
        Ok(Self { keys, before: Some(before) })
    }

    /// Has the commit announce the keys that the database has now. Errors if it may have stored a record under a key
    /// that is not known.
    pub(super) async fn announce(self, db: &impl ConnectionTrait, unit: &UnitOfWork) -> Result<(), DbErr> {
        let Self { keys, before: Some(before) } = self else { return Ok(()) };
        let after = stored_keys(db, &keys).await?;
        follow(unit, messages(&keys_of(&after))?)?;
        let written = Written::of::<E>(unit);
        let (had, has) = (places(&before), places(&after));
        for (nth, key) in keys.iter().enumerate().filter(|(nth, _)| !has.contains(nth)) {
            if written.may_have_moved(had.contains(&nth)) {
                return Err(BulkError::UnknownRow { table: table::<E>(), key: key.to_string() }.into());
            }
            if !had.contains(&nth) {
                follow(unit, messages(std::slice::from_ref(key))?)?;
            }
        }
        Ok(())
    }
}

/// What statements of the closure did with the entity's table.
struct Written {
    inserts: bool,
    updates: bool,
    deletes: bool,
}

impl Written {
    fn of<E: EntityTrait>(unit: &UnitOfWork) -> Self {
        let verbs = unit.permits.verbs(&TableName::of::<E>());
        let any = |known: &[&str]| verbs.iter().any(|verb| known.contains(verb));
        Self {
            inserts: any(&["INSERT", "REPLACE", "MERGE", "COPY", "LOAD", UNREAD]),
            updates: any(&["UPDATE", "MERGE", UNREAD]),
            deletes: any(&["DELETE", "TRUNCATE", "REPLACE", "MERGE"]),
        }
    }

    /// Whether a record without a row may have one under a key that cannot be known. `had`: it had one before.
    fn may_have_moved(&self, had: bool) -> bool {
        if had { self.updates && !self.deletes } else { self.inserts }
    }
}

fn places<E>(found: &[(usize, Key<E>)]) -> HashSet<usize> {
    found.iter().map(|(nth, _)| *nth).collect()
}

fn keys_of<E>(found: &[(usize, Key<E>)]) -> Vec<Key<E>> {
    found.iter().map(|(_, key)| key.clone()).collect()
}
