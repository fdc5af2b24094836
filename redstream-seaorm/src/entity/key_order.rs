//! The order of keys in a paged scan, which must be the order in which the database compares them.

use std::collections::HashSet;

use sea_orm::sea_query::{Expr, ExprTrait, Func, Order, SelectStatement};
use sea_orm::{
    ColumnTrait, ColumnType, ConnectionTrait, DbBackend, DbErr, EntityTrait, IdenStatic, QueryOrder, QueryTrait, Select,
};

use crate::entity::key_query::columns;

/// Which columns of the key are ordered as text: an ENUM of `MySQL` and `MariaDB` is ordered by its index but compared
/// with a text as text; a `citext` of PostgreSQL is ordered without regard to case but compared with a text by case.
#[derive(Clone, Debug, Default)]
pub(crate) struct KeyOrder {
    as_text: HashSet<String>,
}

impl KeyOrder {
    /// Asks the database, if the key has a column that is no number.
    pub(crate) async fn of<E: EntityTrait>(db: &impl ConnectionTrait) -> Result<Self, DbErr> {
        let backend = db.get_database_backend();
        if backend == DbBackend::Sqlite || db.is_mock_connection() || columns::<E>().iter().all(is_plain) {
            return Ok(Self::default());
        }
        let entity = E::default();
        let mut select = SelectStatement::new();
        select
            .expr(Expr::cust("c.column_name"))
            .from_as(("information_schema", columns_view(backend)), "c")
            .and_where(Expr::cust("c.table_name").eq(entity.table_name()));
        if backend == DbBackend::MySql {
            select.and_where(Expr::cust("c.data_type IN ('enum', 'set')"));
        } else {
            select.and_where(Expr::cust("c.udt_name = 'citext'"));
        }
        match entity.schema_name() {
            Some(schema) => select.and_where(Expr::cust("c.table_schema").eq(schema)),
            None if backend == DbBackend::MySql => select.and_where(Expr::cust("c.table_schema = DATABASE()")),
            None => select.and_where(Expr::cust("c.table_schema = ANY(current_schemas(false))")),
        };
        let rows = db.query_all(&select).await?;
        let as_text = rows.iter().map(|row| row.try_get_by_index(0)).collect::<Result<_, _>>()?;
        Ok(Self { as_text })
    }

    /// Sorts a selection by the key alone.
    pub(crate) fn sorted<E: EntityTrait>(&self, mut select: Select<E>, order: &Order) -> Select<E> {
        QueryTrait::query(&mut select).clear_order_by();
        columns::<E>().into_iter().fold(select, |select, column| {
            if !self.as_text.contains(column.as_str()) {
                return select.order_by(column, order.clone());
            }
            // CONCAT of a text is the text itself, with the collation of the column.
            let text = Func::cust("CONCAT").arg(Expr::col(column.as_column_ref()));
            select.order_by(Expr::expr(text), order.clone())
        })
    }
}

/// Whether every database orders such a column in the order in which it compares it.
fn is_plain(column: &impl ColumnTrait) -> bool {
    matches!(
        column.def().get_column_type(),
        ColumnType::TinyInteger
            | ColumnType::SmallInteger
            | ColumnType::Integer
            | ColumnType::BigInteger
            | ColumnType::TinyUnsigned
            | ColumnType::SmallUnsigned
            | ColumnType::Unsigned
            | ColumnType::BigUnsigned
            | ColumnType::Boolean
            | ColumnType::Uuid
            | ColumnType::Binary(_)
            | ColumnType::VarBinary(_)
            | ColumnType::Blob
            | ColumnType::Decimal(_)
            | ColumnType::Float
            | ColumnType::Double
            | ColumnType::Date
            | ColumnType::Time
            | ColumnType::DateTime
            | ColumnType::Timestamp
            | ColumnType::TimestampWithTimeZone
    )
}

/// The name of the view, as the database spells it.
fn columns_view(backend: DbBackend) -> &'static str {
    if backend == DbBackend::MySql { "COLUMNS" } else { "columns" }
}
