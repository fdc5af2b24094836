//! Keys that SQLite passes as one text: each row of an answer crosses a thread, and costs more than its update.

#[cfg(test)]
mod tests;

use std::marker::PhantomData;

use sea_orm::sea_query::{Expr, Func, SelectStatement, Value, ValueTuple};
use sea_orm::{ActiveModelTrait, ConnectionTrait, DbBackend, EntityTrait, IdenStatic, QueryResult};
use serde::de::DeserializeOwned;

use crate::entity::key::Key;
use crate::entity::key_query::columns;

/// Reads the keys of a query as a JSON array; for keys of one column, of integers or texts.
pub(super) struct KeyList<E> {
    parse: Parse,
    column: &'static str,
    entity: PhantomData<fn() -> E>,
}

type Parse = fn(&str) -> Option<Vec<Value>>;

/// A value of each kind, and how a list of them is parsed.
fn kinds() -> [(Value, Parse); 8] {
    [
        (Value::BigInt(Some(1)), parse::<i64>),
        (Value::Int(Some(1)), parse::<i32>),
        (Value::String(Some("a".to_owned())), parse::<String>),
        (Value::Unsigned(Some(1)), parse::<u32>),
        (Value::SmallInt(Some(1)), parse::<i16>),
        (Value::SmallUnsigned(Some(1)), parse::<u16>),
        (Value::TinyInt(Some(1)), parse::<i8>),
        (Value::TinyUnsigned(Some(1)), parse::<u8>),
    ]
}

/// `None` if one of them is of another type, or out of range.
fn parse<T: DeserializeOwned + Into<Value>>(json: &str) -> Option<Vec<Value>> {
    Some(serde_json::from_str::<Vec<T>>(json).ok()?.into_iter().map(Into::into).collect())
}

impl<E: EntityTrait> KeyList<E> {
    /// `None` if the database is another one, or the key of another form.
    pub(super) fn new(backend: DbBackend) -> Option<Self> {
        let columns = columns::<E>();
        let [column] = columns[..] else { return None };
        // The entity's active model accepts one kind of value only, also through newtypes.
        let is_kind = |value: &Value| {
            let mut model = <E::ActiveModel as ActiveModelTrait>::default();
            model.try_set(column, value.clone()).is_ok() && model.get(column).into_value().as_ref() == Some(value)
        };
        let (_, parse) = kinds().into_iter().find(|(value, _)| backend == DbBackend::Sqlite && is_kind(value))?;
        Some(Self { parse, column: column.as_str(), entity: PhantomData })
    }

    /// The keys that this query selects. `None` if they cannot be passed in this way: SQLite can have a value of any
    /// type in a column.
    pub(super) async fn read<C: ConnectionTrait>(&self, db: &C, query: &SelectStatement) -> Option<Vec<Key<E>>> {
        let column = || Expr::col(("page", self.column));
        let array = |of: Expr| Func::cust("json_group_array").arg(of);
        let last = Func::cust("json_array").arg(Func::max(column()));
        let mut select = SelectStatement::new();
        select.expr(array(column())).expr(last).from_subquery(query.clone(), "page");
        let row = db.query_one(&select).await.ok()??;
        let list = |row: &QueryResult, nth| (self.parse)(&row.try_get_by_index::<String>(nth).ok()?);
        let keys = list(&row, 0)?;
        // SQLite does not promise the order of an aggregate: the last key must be the greatest.
        if !keys.is_empty() && keys.last() != list(&row, 1)?.last() {
            return None;
        }
        Some(keys.into_iter().map(|value| Key::from_values(ValueTuple::One(value))).collect())
    }
}
