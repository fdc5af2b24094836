//! Tables that take no part in a transaction: MariaDB's Aria and MyISAM keep what is rolled back.

use sea_orm::sea_query::{Expr, ExprTrait, SelectStatement};
use sea_orm::{ConnectionTrait, DbErr};

/// Warns of tables that have an engine without transactions. Called once per table, before its first write.
pub(crate) async fn warn_of_those_without_transactions<C: ConnectionTrait>(db: &C, tables: &[String]) {
    for table in tables {
        // A connection without the right to read this is no reason to refuse the write.
        if let Ok(Some(engine)) = engine_without_transactions(db, table).await {
            tracing::warn!(
                table,
                engine,
                "this table takes no part in transactions: what is rolled back stays in it, and a change whose commit fails is \
                 there and not announced; run ALTER TABLE {table} ENGINE=InnoDB"
            );
        }
    }
}

async fn engine_without_transactions<C: ConnectionTrait>(db: &C, table: &str) -> Result<Option<String>, DbErr> {
    let select = SelectStatement::new()
        .expr(Expr::cust("t.ENGINE"))
        .from_as(("information_schema", "TABLES"), "t")
        .join_as(
            sea_orm::JoinType::InnerJoin,
            ("information_schema", "ENGINES"),
            "e",
            Expr::cust("e.ENGINE = t.ENGINE").and(Expr::cust("e.TRANSACTIONS <> 'YES'")),
        )
        .and_where(Expr::cust("t.TABLE_SCHEMA = DATABASE()"))
        .and_where(Expr::cust("t.TABLE_NAME").eq(table))
        .to_owned();
    db.query_one(&select).await?.map(|row| row.try_get_by_index(0)).transpose()
}
