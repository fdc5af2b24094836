//! One batch of the query form: the next page, written and followed.

use std::collections::HashSet;

use sea_orm::sea_query::Condition;
use sea_orm::{ConnectionTrait, DbBackend, EntityTrait};

use super::batch::{follow, follow_page, follow_parents, messages};
use super::error::BulkError;
use super::filter::is_deterministic;
use super::page::{are_exact, check_zones, kept, key_chunks, stored_as};
use super::query::Bulk;
use super::returning::{Returning, gives_back, returning};
use super::strategy::{Failure, Strategy, may_rename};
use super::walk::Walk;
use crate::entity::key::Key;
use crate::entity::key_query::{from_to, is_one_of};
use crate::entity::parents;
use crate::entity::streamed::{Streamed, table};
use crate::unit_of_work::UnitOfWork;

/// What is done to the rows.
pub(super) struct Write<F> {
    /// The statement that does it to the rows that meet this.
    pub(super) of: F,
    pub(super) is_announced: bool,
    /// It sets columns of the entity alone; see [`Update`](super::update::Update).
    pub(super) is_of_entity: bool,
}

impl<F> Write<F> {
    /// The strategy to begin with: on SQLite it remains to be seen whether it [will
    /// do](super::strategy::is_plain_table).
    pub(super) fn first_strategy<E: Streamed>(&self, backend: DbBackend, filter: &Condition) -> Strategy {
        let is_snapshot = backend == DbBackend::Sqlite
            && self.is_announced
            && self.is_of_entity
            && !parents::are_known::<E>()
            && is_deterministic(filter);
        if is_snapshot { Strategy::Snapshot } else { Strategy::LockRange }
    }

    /// Whether the statement says which rows it wrote, and need not be told which.
    pub(super) fn is_told<E: Streamed, S: Returning>(&self, db: &impl ConnectionTrait) -> bool {
        self.is_announced && gives_back::<S>(db) && !parents::are_known::<E>()
    }
}

impl<E: Streamed> Bulk<E> {
    /// The next keys, and how many of their rows were written.
    pub(super) async fn batch<T, F, S>(
        &self,
        transaction: &T,
        unit: &UnitOfWork,
        walk: &mut Walk<E>,
        write: &Write<F>,
    ) -> Result<(Vec<Key<E>>, u64), Failure>
    where
        T: ConnectionTrait,
        F: Fn(Condition) -> S,
        S: Returning,
    {
        let keys = walk.next_page(transaction, &self.condition, self.batch_size).await?;
        let Some(last) = keys.last() else { return Ok((keys, 0)) };
        if S::KEEPS_ROWS && write.is_announced {
            check_zones(&keys, transaction.get_database_backend())?;
        }
        // Named by their range: a database finds a range far faster than a list of keys.
        let range = || (write.of)(from_to(walk.after.as_ref(), last).add(self.condition.clone()));
        let rows = match walk.strategy {
            _ if !write.is_announced => transaction.execute(&range()).await?.rows_affected(),
            Strategy::Snapshot => write_snapshot::<E, _, _>(transaction, unit, &keys, range()).await?,
            Strategy::LockRange | Strategy::ReturnRange if write.is_told::<E, S>(transaction) => {
                self.write_range(transaction, unit, walk, &keys, range()).await?
            }
            _ => self.write_named(transaction, unit, walk, &keys, write).await?,
        };
        Ok((keys, rows))
    }

    /// Writes the range of a page, and follows the page and what else was written.
    async fn write_range<T, S>(
        &self,
        transaction: &T,
        unit: &UnitOfWork,
        walk: &Walk<E>,
        keys: &[Key<E>],
        statement: S,
    ) -> Result<u64, Failure>
    where
        T: ConnectionTrait,
        S: Returning,
    {
        // The statement is sent first: the messages are sent while the database works on it.
        let following = async { follow_page(unit, keys) };
        let (written, followed) = tokio::join!(returning::<Key<E>, _>(transaction, statement), following);
        let mut written = written?;
        followed?;
        let rows = written.len() as u64;
        if S::KEEPS_ROWS {
            written = kept(transaction, written).await?;
        }
        let others = others(&written, keys);
        if walk.strategy == Strategy::ReturnRange && written.len() - others.len() < keys.len() {
            // Another transaction took a row out of the filter after the page was read. It would be announced although
            // nothing of it was written; once the rows are locked, the page does not have it.
            return Err(Failure::Again(Strategy::LockRange));
        }
        if others.is_empty() {
            return Ok(rows);
        }
        // The table's triggers may have given them these keys, and a row that came to meet the filter after the page
        // was read had a key that is not known.
        if S::KEEPS_ROWS && may_rename::<E>(transaction).await? {
            return Err(Failure::Again(Strategy::NameKeys));
        }
        if S::KEEPS_ROWS && keys.len() as u64 == self.batch_size {
            walk.passes_once(transaction, keys, &others).await?;
        }
        follow(unit, messages(&others)?)?;
        Ok(rows)
    }

    /// Writes the rows of a page, chunk by chunk, and follows them, their parents, and the keys that they have now.
    async fn write_named<T, F, S>(
        &self,
        transaction: &T,
        unit: &UnitOfWork,
        walk: &Walk<E>,
        keys: &[Key<E>],
        write: &Write<F>,
    ) -> Result<u64, Failure>
    where
        T: ConnectionTrait,
        F: Fn(Condition) -> S,
        S: Returning,
    {
        follow_parents(transaction, unit, keys).await?;
        follow_page(unit, keys)?;
        let mut rows = 0;
        for chunk in key_chunks(keys) {
            let statement = (write.of)(is_one_of(chunk));
            let written = if gives_back::<S>(transaction) && S::KEEPS_ROWS {
                let written = returning::<Key<E>, _>(transaction, statement).await?;
                rows += written.len() as u64;
                kept(transaction, written).await?
            } else {
                rows += transaction.execute(&statement).await?.rows_affected();
                if !S::KEEPS_ROWS || are_exact(chunk, transaction.get_database_backend()) {
                    continue;
                }
                let written = stored_as(transaction, chunk).await?;
                written.ok_or_else(|| BulkError::RewrittenKeys { table: table::<E>() })?
            };
            let others = others(&written, chunk);
            if keys.len() as u64 == self.batch_size {
                walk.passes_once(transaction, keys, &others).await?;
            }
            follow_parents(transaction, unit, &others).await?;
            follow(unit, messages(&others)?)?;
        }
        if S::KEEPS_ROWS {
            follow_parents(transaction, unit, keys).await?;
        }
        Ok(rows)
    }
}

/// Writes the range of a page, which can hold no other rows that the statement writes, and follows the page.
async fn write_snapshot<E, T, S>(
    transaction: &T,
    unit: &UnitOfWork,
    keys: &[Key<E>],
    statement: S,
) -> Result<u64, Failure>
where
    E: Streamed,
    T: ConnectionTrait,
    S: Returning,
{
    // The statement is sent first: the messages are sent while the database works on it.
    let following = async { follow_page(unit, keys) };
    let (written, followed) = tokio::join!(transaction.execute(&statement), following);
    let rows = written?.rows_affected();
    followed?;
    // A set of rows of which the filter does not tell the truth, against all that is known of it.
    if rows > keys.len() as u64 { Err(Failure::Again(Strategy::LockRange)) } else { Ok(rows) }
}

/// Rows that were written and do not belong to the page: they came to meet the filter after it was read, or have new
/// keys.
fn others<E: EntityTrait>(written: &[Key<E>], page: &[Key<E>]) -> Vec<Key<E>> {
    if written == page {
        return Vec::new();
    }
    let page: HashSet<_> = page.iter().map(Key::values).collect();
    written.iter().filter(|key| !page.contains(key.values())).cloned().collect()
}
