//! The scan of the query form: batch after batch, in the order of the keys.

use std::sync::Arc;

use sea_orm::sea_query::Condition;
use sea_orm::{ConnectionTrait, DbBackend, DbErr, TransactionTrait};

use super::batch::{begin, finish};
use super::error::BulkError;
use super::key_list::KeyList;
use super::page::{key_chunks, last_key, page, snapshot_page, unlocked_page};
use super::query::Bulk;
use super::returning::Returning;
use super::strategy::{Failure, Strategy, after_first_batch, is_plain_table};
use super::write_page::Write;
use crate::entity::key::Key;
use crate::entity::key_order::KeyOrder;
use crate::entity::key_query::{from_to, is_one_of};
use crate::entity::streamed::{Streamed, table};
use crate::unit_of_work::UnitOfWork;

/// The state of a scan.
pub(super) struct Walk<E> {
    pub(super) strategy: Strategy,
    order: KeyOrder,
    pub(super) after: Option<Key<E>>,
    /// The last key at the beginning, if there is more than a page: rows that get keys after it, or are added after it,
    /// do not keep the scan from ending.
    up_to: Option<Key<E>>,
    /// How SQLite passes the keys of a page, if it can.
    list: Option<KeyList<E>>,
}

/// A batch that is committed. Its announcements are still to be waited for.
struct Written<E> {
    unit: Arc<UnitOfWork>,
    keys: Vec<Key<E>>,
    rows: u64,
}

impl<E: Streamed> Bulk<E> {
    pub(super) async fn each_batch<D, F, S>(&self, db: &D, write: &Write<F>) -> Result<u64, DbErr>
    where
        D: ConnectionTrait + TransactionTrait,
        F: Fn(Condition) -> S,
        S: Returning,
    {
        self.check()?;
        let mut walk = Walk::new(db, |backend| write.first_strategy::<E>(backend, &self.condition)).await?;
        let (mut rows, mut earlier) = (0, None::<Arc<UnitOfWork>>);
        loop {
            let batch = self.next_batch(db, &mut walk, write, &mut earlier).await;
            // If the batch could not begin.
            wait_for(&mut earlier).await;
            let batch = match batch {
                Ok(batch) => batch,
                Err(failure) => {
                    walk.strategy = failure.next_strategy(walk.strategy)?;
                    continue;
                }
            };
            rows += batch.rows;
            // Rows that no longer met the filter once they were locked have been replaced by the next rows, so a short
            // page is the last.
            let is_last = (batch.keys.len() as u64) < self.batch_size || batch.keys.last() == walk.up_to.as_ref();
            if is_last {
                batch.unit.deferred.written().await;
            }
            self.report(rows, batch.keys.is_empty());
            if is_last {
                return Ok(rows);
            }
            if walk.after.is_none() && walk.strategy == Strategy::LockRange && write.is_told::<E, S>(db) {
                walk.strategy = after_first_batch::<E>(db, S::KEEPS_ROWS).await;
            }
            (walk.after, earlier) = (batch.keys.into_iter().next_back(), Some(batch.unit));
        }
    }

    /// The announcements of the earlier batch are written meanwhile, and before this one is committed, so that messages
    /// are in the order of the batches.
    async fn next_batch<D, F, S>(
        &self,
        db: &D,
        walk: &mut Walk<E>,
        write: &Write<F>,
        earlier: &mut Option<Arc<UnitOfWork>>,
    ) -> Result<Written<E>, Failure>
    where
        D: ConnectionTrait + TransactionTrait,
        F: Fn(Condition) -> S,
        S: Returning,
    {
        let (transaction, unit) = begin::<E, D>(db).await?;
        unit.deferred.want();
        let outcome = self.batch(&transaction, &unit, walk, write).await;
        wait_for(earlier).await;
        let (keys, rows) = finish(transaction, outcome).await?;
        Ok(Written { unit, keys, rows })
    }
}

impl<E: Streamed> Walk<E> {
    async fn new(db: &impl ConnectionTrait, strategy: impl FnOnce(DbBackend) -> Strategy) -> Result<Self, DbErr> {
        let backend = db.get_database_backend();
        let (order, list) = (KeyOrder::of::<E>(db).await?, KeyList::new(backend));
        Ok(Self { strategy: strategy(backend), order, after: None, up_to: None, list })
    }

    /// The next keys. A full page is not the last one unless it ends at the last key of all.
    pub(super) async fn next_page(
        &mut self,
        db: &impl ConnectionTrait,
        condition: &Condition,
        rows: u64,
    ) -> Result<Vec<Key<E>>, DbErr> {
        if self.strategy == Strategy::Snapshot && self.after.is_none() && !is_plain_table::<E>(db).await? {
            self.strategy = Strategy::LockRange;
        }
        let (within, after) = (self.within(condition.clone()), self.after.as_ref());
        let keys = match self.strategy {
            Strategy::LockRange | Strategy::NameKeys => page(db, within, &self.order, after, Some(rows)).await?,
            Strategy::ReturnRange => unlocked_page(db, within, &self.order, after, rows).await?,
            Strategy::Snapshot => snapshot_page(db, within, after, rows, &mut self.list).await?,
        };
        if keys.len() as u64 == rows && self.up_to.is_none() {
            self.up_to = last_key(db, condition.clone(), &self.order).await?;
        }
        Ok(keys)
    }

    /// The rows that meet this, up to the last key.
    fn within(&self, condition: Condition) -> Condition {
        match &self.up_to {
            Some(last) => Condition::all().add(from_to(None, last)).add(condition),
            None => condition,
        }
    }

    /// Errors if one of these keys, which rows of this page have now, belongs to a later page.
    pub(super) async fn passes_once(
        &self,
        db: &impl ConnectionTrait,
        page_keys: &[Key<E>],
        keys: &[Key<E>],
    ) -> Result<(), DbErr> {
        for keys in key_chunks(keys) {
            let later = self.within(Condition::all().add(is_one_of(keys)));
            if !page(db, later, &self.order, page_keys.last(), Some(1)).await?.is_empty() {
                return Err(BulkError::MovedKeys { table: table::<E>() }.into());
            }
        }
        Ok(())
    }
}

/// Waits until the announcements of a batch are written.
async fn wait_for(batch: &mut Option<Arc<UnitOfWork>>) {
    if let Some(batch) = batch.take() {
        batch.deferred.written().await;
    }
}
