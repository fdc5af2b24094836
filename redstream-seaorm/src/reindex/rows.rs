//! The keys of an entity's rows, read page by page.

use async_trait::async_trait;
use redstream_core::{BoxError, KeySource, NewMessage};
use sea_orm::sea_query::{Condition, Expr, Order, SelectStatement};
use sea_orm::{ConnectionTrait, DbBackend, DbErr, QueryFilter, QueryTrait, Select};
use serde_json::Value as Json;
use tokio::sync::OnceCell;

use super::split::{can_split, split};
use crate::bulk::check_times;
use crate::entity::key::{Key, KeyReader};
use crate::entity::key_order::KeyOrder;
use crate::entity::key_query::{from_to, keys_of, next_keys};
use crate::entity::streamed::{Streamed, table};

/// A connection, whatever its type.
#[async_trait]
pub(super) trait Reads<E: Streamed>: Send + Sync {
    fn backend(&self) -> DbBackend;
    async fn order(&self) -> Result<KeyOrder, DbErr>;
    async fn keys(&self, select: Select<E>) -> Result<Vec<Key<E>>, DbErr>;
    async fn count(&self, rows: SelectStatement) -> Result<u64, DbErr>;
}

#[async_trait]
impl<E: Streamed, C: ConnectionTrait> Reads<E> for &C {
    fn backend(&self) -> DbBackend {
        self.get_database_backend()
    }

    async fn order(&self) -> Result<KeyOrder, DbErr> {
        KeyOrder::of::<E>(*self).await
    }

    async fn keys(&self, select: Select<E>) -> Result<Vec<Key<E>>, DbErr> {
        let keys = keys_of(select, *self).await?;
        check_times(*self, &keys).await?;
        Ok(keys)
    }

    async fn count(&self, rows: SelectStatement) -> Result<u64, DbErr> {
        let mut select = SelectStatement::new();
        select.expr(Expr::cust("COUNT(*)")).from_subquery(rows, "walked");
        let row = self.query_one(&select).await?;
        let count: i64 = row.map(|row| row.try_get_by_index(0)).transpose()?.unwrap_or(0);
        Ok(count.try_into().unwrap_or(0))
    }
}

/// The rows that a reindex walks.
pub(super) struct Rows<'a, E: Streamed> {
    db: Box<dyn Reads<E> + 'a>,
    select: Select<E>,
    condition: Condition,
    ranges: u32,
    order: OnceCell<KeyOrder>,
    reader: KeyReader<E>,
}

impl<'a, E: Streamed> Rows<'a, E> {
    pub(super) fn new(db: Box<dyn Reads<E> + 'a>, mut select: Select<E>, condition: Condition, ranges: u32) -> Self {
        QueryTrait::query(&mut select).clear_order_by().reset_limit().reset_offset();
        Self { db, select, condition, ranges, order: OnceCell::new(), reader: KeyReader::new() }
    }

    /// Whether the key can be split into ranges.
    pub(super) fn can_split(&self) -> bool {
        can_split(&self.reader)
    }

    /// The keyset comes first: if the filter also has a lower bound of the key, SQLite enters the table by the bound
    /// that comes first, and would scan all earlier pages again.
    async fn keys(
        &self,
        after: Option<&Key<E>>,
        until: Condition,
        order: &Order,
        limit: u64,
    ) -> Result<Vec<Key<E>>, DbErr> {
        let orders = self.order.get_or_try_init(|| self.db.order()).await?;
        let rows = filtered(next_keys(self.select.clone(), after, limit), until);
        self.db.keys(orders.sorted(filtered(rows, self.condition.clone()), order)).await
    }

    async fn edge(&self, order: Order) -> Result<Option<Key<E>>, DbErr> {
        Ok(self.keys(None, Condition::all(), &order, 1).await?.pop())
    }

    /// All keys, in no order.
    fn all(&self) -> Select<E> {
        let mut all = filtered(next_keys(self.select.clone(), None, None), self.condition.clone());
        QueryTrait::query(&mut all).clear_order_by();
        all
    }
}

impl<E: Streamed> KeySource for Rows<'_, E> {
    type Key = Key<E>;

    fn entity(&self) -> String {
        table::<E>()
    }

    fn filter(&self) -> String {
        let text = |select: Select<E>| select.build(self.db.backend()).to_string();
        let mut plain = next_keys(E::find(), None, None);
        QueryTrait::query(&mut plain).clear_order_by();
        let (all, plain) = (text(self.all()), text(plain));
        if all == plain { String::new() } else { all }
    }

    async fn bounds(&self) -> Result<Vec<Key<E>>, BoxError> {
        let Some(last) = self.edge(Order::Desc).await? else { return Ok(Vec::new()) };
        if self.ranges == 1 {
            return Ok(vec![last]);
        }
        let first = self.edge(Order::Asc).await?;
        Ok(split(&self.reader, first.as_ref().unwrap_or(&last), &last, self.ranges))
    }

    async fn estimate(&self) -> Result<u64, BoxError> {
        Ok(self.db.count(self.all().into_query()).await?)
    }

    async fn page(&self, after: Option<&Key<E>>, until: &Key<E>, limit: u64) -> Result<Vec<Key<E>>, BoxError> {
        Ok(self.keys(after, from_to(None, until), &Order::Asc, limit).await?)
    }

    fn message(&self, key: &Key<E>) -> Result<NewMessage, BoxError> {
        Ok(key.message()?)
    }

    fn encode(&self, key: &Key<E>) -> Result<Json, BoxError> {
        Ok(serde_json::from_str(key.payload()?.as_str())?)
    }

    fn decode(&self, key: &Json) -> Result<Key<E>, BoxError> {
        Ok(self.reader.read(key)?)
    }
}

/// Without a `WHERE TRUE` for a condition that is empty.
fn filtered<E: Streamed>(rows: Select<E>, condition: Condition) -> Select<E> {
    if condition.is_empty() { rows } else { rows.filter(condition) }
}
