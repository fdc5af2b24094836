//! The two sides that are compared: reads of the primary database, through the loader, and of the sink.

use std::cmp::Ordering;
use std::error::Error;
use std::iter::successors;

use redstream_core::HandlerError;
use sea_orm::sea_query::{Condition, Expr, Order, SelectStatement};
use sea_orm::{ConnectionTrait, DbErr, QueryFilter, QueryTrait, Select};

use crate::entity::key::{Key, KeySet};
use crate::entity::key_order::KeyOrder;
use crate::entity::key_query::{from_to, keys_of, next_keys, next_rows};
use crate::entity::streamed::Streamed;
use crate::index::loader::Loader;
use crate::index::missing::Missing;
use crate::index::scan::{KeyRange, Scan};
use crate::verify::error::VerifyError;
use crate::verify::options::Options;
use crate::verify::order::{compare, is_sorted_alike};
use crate::verify::retry::Retry;

/// How much of an error is told, in bytes.
const LONGEST_ERROR: usize = 1024;

/// Records, or documents, with their keys.
pub(super) type Keyed<E, T> = Vec<(Key<E>, T)>;

/// Both sides.
pub(super) struct Sides<'a, E: Streamed, C, S, L> {
    pub(super) db: &'a C,
    pub(super) loader: &'a L,
    pub(super) sink: &'a S,
    pub(super) options: &'a Options<E>,
    order: KeyOrder,
}

/// Copies the references.
impl<E: Streamed, C, S, L> Clone for Sides<'_, E, C, S, L> {
    fn clone(&self) -> Self {
        let Self { db, loader, sink, options, ref order } = *self;
        Self { db, loader, sink, options, order: order.clone() }
    }
}

impl<'a, E, C, S, L> Sides<'a, E, C, S, L>
where
    E: Streamed,
    C: ConnectionTrait + Send + Sync + 'static,
    L: Loader<E, C>,
    S: Scan<E, L::Record>,
{
    pub(super) async fn new(
        db: &'a C,
        loader: &'a L,
        sink: &'a S,
        options: &'a Options<E>,
    ) -> Result<Self, VerifyError> {
        let mut sides = Self { db, loader, sink, options, order: KeyOrder::default() };
        let mut retry = Retry::new(options.retry_for);
        loop {
            match KeyOrder::of::<E>(db).await {
                Ok(order) => sides.order = order,
                Err(error) => {
                    sides.primary_failed("read the types of its columns", error, &mut retry).await?;
                    continue;
                }
            }
            return Ok(sides);
        }
    }

    /// Whether every datastore sorts keys like this one in the same way.
    pub(super) fn is_sorted_alike(&self, key: &Key<E>) -> bool {
        is_sorted_alike(key, self.db.get_database_backend())
    }

    /// How many rows there are about.
    pub(super) async fn count(&self) -> Result<u64, VerifyError> {
        let mut rows = self.filtered(next_keys(self.options.select.clone(), None, None));
        QueryTrait::query(&mut rows).clear_order_by();
        let mut select = SelectStatement::new();
        select.expr(Expr::cust("COUNT(*)")).from_subquery(rows.into_query(), "verified");
        let mut retry = Retry::new(self.options.retry_for);
        loop {
            let counted = self.db.query_one(&select).await;
            match counted.and_then(|row| row.map(|row| row.try_get_by_index::<i64>(0)).transpose()) {
                Ok(count) => return Ok(count.and_then(|count| count.try_into().ok()).unwrap_or(0)),
                Err(error) => self.primary_failed("count the rows", error, &mut retry).await?,
            }
        }
    }

    /// The last key of the rows that are verified.
    pub(super) async fn last_key(&self) -> Result<Option<Key<E>>, VerifyError> {
        let rows = self.filtered(next_keys(self.options.select.clone(), None, 1));
        let keys = self.keys_of(&self.order.sorted(rows, &Order::Desc)).await?;
        Ok(keys.into_iter().next())
    }

    /// The keys of the next page of rows, up to `until`; sorted, and each once, except that a selection may join.
    ///
    /// The keyset comes before the filter: SQLite enters the table by the bound that comes first.
    pub(super) async fn keys(&self, after: Option<&Key<E>>, until: &Key<E>) -> Result<Vec<Key<E>>, VerifyError> {
        let limit = self.options.page_size as u64;
        let rows = next_keys(self.options.select.clone(), after, limit).filter(from_to(None, until));
        self.keys_of(&self.order.sorted(self.filtered(rows), &Order::Asc)).await
    }

    /// The records of the next page of rows, up to `until`, read as whole rows; `None` if the records need more than
    /// those.
    pub(super) async fn records(
        &self,
        after: Option<&Key<E>>,
        until: &Key<E>,
    ) -> Result<Option<Keyed<E, L::Record>>, VerifyError> {
        if self.options.is_part {
            return Ok(None);
        }
        let limit = self.options.page_size as u64;
        let rows = next_rows(E::find(), after, limit).filter(from_to(None, until));
        let rows = self.order.sorted(self.filtered(rows), &Order::Asc);
        let mut retry = Retry::new(self.options.retry_for);
        loop {
            match self.loader.load_rows(self.db, rows.clone()).await {
                Ok(records) => return Ok(records),
                Err(error) => self.loader_failed(self.options.page_size, error, &mut retry).await?,
            }
        }
    }

    fn filtered(&self, rows: Select<E>) -> Select<E> {
        let condition = &self.options.condition;
        if condition.is_empty() { rows } else { rows.filter(Condition::all().add(condition.clone())) }
    }

    async fn keys_of(&self, select: &Select<E>) -> Result<Vec<Key<E>>, VerifyError> {
        let mut retry = Retry::new(self.options.retry_for);
        loop {
            match keys_of(select.clone(), self.db).await {
                Ok(keys) => return Ok(keys),
                Err(error) => self.primary_failed("read keys", error, &mut retry).await?,
            }
        }
    }

    /// The records of these keys, which are what the sink should have.
    pub(super) async fn load(&self, keys: &[Key<E>]) -> Result<Keyed<E, L::Record>, VerifyError> {
        if keys.is_empty() {
            return Ok(Vec::new());
        }
        let mut retry = Retry::new(self.options.retry_for);
        loop {
            match self.loader.load(self.db, keys).await {
                Ok(records) => return Ok(records),
                Err(error) => self.loader_failed(keys.len(), error, &mut retry).await?,
            }
        }
    }

    /// Keys without a record of this spelling, of which the database has a row under another one that has a record.
    pub(super) async fn respelled(&self, keys: Vec<Key<E>>) -> Result<Vec<(Key<E>, Key<E>)>, VerifyError> {
        let mut retry = Retry::new(self.options.retry_for);
        let missing = loop {
            match Missing::look_up(self.db, keys.clone()).await {
                Ok(missing) => break missing,
                Err(error) => self.primary_failed("look up spellings of keys", error, &mut retry).await?,
            }
        };
        let rows = missing.unloaded(&[], &KeySet::default());
        let loaded = self.load(&rows).await?.into_iter().map(|(key, _)| key).collect();
        Ok(missing.sort(&loaded).respelled)
    }

    /// The next page of documents.
    pub(super) async fn scan(
        &self,
        after: Option<&Key<E>>,
        until: Option<&Key<E>>,
    ) -> Result<Keyed<E, S::Document>, VerifyError> {
        let mut retry = Retry::new(self.options.retry_for);
        loop {
            match self.sink.scan(KeyRange { after, until }, self.options.page_size).await {
                Ok(page) => return self.in_order(after, until, page),
                Err(error) => self.sink_failed("read a page of documents", error, &mut retry).await?,
            }
        }
    }

    /// Refuses a page that would make the comparison wrong, or endless.
    fn in_order(
        &self,
        after: Option<&Key<E>>,
        until: Option<&Key<E>>,
        page: Keyed<E, S::Document>,
    ) -> Result<Keyed<E, S::Document>, VerifyError> {
        let wrong = |key: &Key<E>, after: Option<&Key<E>>| VerifyError::OutOfOrder {
            id: self.options.id.clone(),
            side: "the sink",
            key: key.to_string(),
            after: after.map_or_else(|| "the beginning".to_owned(), ToString::to_string),
        };
        let mut before = after;
        for (nth, (key, _)) in page.iter().enumerate() {
            let order = |other: &Key<E>| compare(other.values(), key.values());
            if !self.is_sorted_alike(key) {
                // Any order will do that makes progress.
                if after == Some(key) {
                    return Err(wrong(key, after));
                }
                continue;
            }
            let is_behind = before.is_none_or(|before| match order(before) {
                // Two documents of one key; but the key before the page has been read.
                Some(Ordering::Equal) => nth > 0,
                order => order == Some(Ordering::Less),
            });
            if !is_behind || until.is_some_and(|until| order(until) == Some(Ordering::Less)) {
                return Err(wrong(key, before));
            }
            before = Some(key);
        }
        Ok(page)
    }

    /// The documents of these keys; `None` if the sink cannot look them up.
    pub(super) async fn find(&self, keys: &[Key<E>]) -> Result<Option<Keyed<E, S::Document>>, VerifyError> {
        if keys.is_empty() {
            return Ok(Some(Vec::new()));
        }
        let mut retry = Retry::new(self.options.retry_for);
        loop {
            match self.sink.find(keys).await {
                Ok(found) => return Ok(found),
                Err(error) => self.sink_failed("look up documents", error, &mut retry).await?,
            }
        }
    }

    pub(super) fn no_look_up(&self, key: Option<&Key<E>>) -> VerifyError {
        VerifyError::NoLookUp { id: self.options.id.clone(), key: key.map(ToString::to_string).unwrap_or_default() }
    }

    /// Whether the document is what the sink writes for this record; an error is told.
    pub(super) fn is_current(&self, key: &Key<E>, record: &L::Record, document: &S::Document) -> Result<bool, String> {
        let told = |error: HandlerError| {
            let source: &(dyn Error + 'static) = error.source();
            let causes: Vec<_> = successors(Some(source), |&error| error.source()).map(ToString::to_string).collect();
            // It can quote the whole record.
            let mut told = causes.join(": ");
            told.truncate(told.floor_char_boundary(LONGEST_ERROR));
            told
        };
        self.sink.is_current(key, record, document).map_err(told)
    }

    async fn primary_failed(&self, attempt: &'static str, source: DbErr, retry: &mut Retry) -> Result<(), VerifyError> {
        let Options { id, retry_for, .. } = self.options;
        if retry.pause(id, attempt, &source).await {
            return Ok(());
        }
        Err(VerifyError::Primary { id: id.clone(), attempt, within: *retry_for, source })
    }

    async fn loader_failed(&self, keys: usize, error: HandlerError, retry: &mut Retry) -> Result<(), VerifyError> {
        let Options { id, retry_for, .. } = self.options;
        if retry.pause(id, "load records", error.source()).await {
            return Ok(());
        }
        Err(VerifyError::Loader { id: id.clone(), keys, within: *retry_for, source: error.into_source() })
    }

    async fn sink_failed(
        &self,
        attempt: &'static str,
        error: HandlerError,
        retry: &mut Retry,
    ) -> Result<(), VerifyError> {
        let Options { id, retry_for, .. } = self.options;
        if retry.pause(id, attempt, error.source()).await {
            return Ok(());
        }
        Err(VerifyError::Sink { id: id.clone(), attempt, within: *retry_for, source: error.into_source() })
    }
}
