//! Rows and keys that a statement returns, if the database can return them.

use sea_orm::sea_query::{
    DeleteStatement, Expr, InsertStatement, IntoValueTuple, Query, ReturningClause, UpdateStatement, Values,
};
use sea_orm::{
    ColumnTrait, ConnectionTrait, DbBackend, DbErr, EntityTrait, FromQueryResult, Iterable, ModelTrait, QueryResult,
    StatementBuilder, TryGetableMany,
};

use crate::entity::key::{Key, KeyOf};
use crate::entity::key_query::columns;

/// A statement that can return what it wrote.
pub(super) trait Returning: StatementBuilder {
    /// `MariaDB` supports it for inserts and deletes alone.
    const ON_MARIADB: bool = true;

    /// Its rows are still there after it.
    const KEEPS_ROWS: bool = true;

    fn give_back(&mut self, what: ReturningClause);
}

impl Returning for InsertStatement {
    fn give_back(&mut self, what: ReturningClause) {
        self.returning(what);
    }
}

impl Returning for UpdateStatement {
    const ON_MARIADB: bool = false;

    fn give_back(&mut self, what: ReturningClause) {
        self.returning(what);
    }
}

impl Returning for DeleteStatement {
    const KEEPS_ROWS: bool = false;

    fn give_back(&mut self, what: ReturningClause) {
        self.returning(what);
    }
}

/// A row that was returned, or the columns that are to be returned.
pub(super) trait Returned: Sized {
    type Entity: EntityTrait;

    fn columns() -> Vec<<Self::Entity as EntityTrait>::Column>;

    fn read(row: &QueryResult) -> Result<Self, DbErr>;

    fn key(&self) -> Key<Self::Entity>;
}

impl<E: EntityTrait> Returned for Key<E> {
    type Entity = E;

    fn columns() -> Vec<E::Column> {
        columns::<E>()
    }

    fn read(row: &QueryResult) -> Result<Self, DbErr> {
        Ok(Self::from_values(KeyOf::<E>::try_get_many_by_index(row)?.into_value_tuple()))
    }

    fn key(&self) -> Self {
        self.clone()
    }
}

/// The whole row.
pub(super) struct Row<E: EntityTrait>(pub(super) E::Model);

impl<E: EntityTrait> Returned for Row<E> {
    type Entity = E;

    fn columns() -> Vec<E::Column> {
        E::Column::iter().collect()
    }

    fn read(row: &QueryResult) -> Result<Self, DbErr> {
        Ok(Self(E::Model::from_query_result(row, "")?))
    }

    fn key(&self) -> Key<E> {
        Key::from_values(self.0.get_primary_key_value())
    }
}

/// Whether this database returns what such a statement wrote.
pub(super) fn gives_back<S: Returning>(db: &impl ConnectionTrait) -> bool {
    db.support_returning() && (S::ON_MARIADB || db.get_database_backend() != DbBackend::MySql)
}

/// Runs a statement, and reads what it returns.
pub(super) async fn returning<R, S>(db: &impl ConnectionTrait, mut statement: S) -> Result<Vec<R>, DbErr>
where
    R: Returned,
    S: Returning,
{
    let backend = db.get_database_backend();
    let columns = R::columns().into_iter().map(|column| column.select_as(column.into_returning_expr(backend)));
    let rows = if backend == DbBackend::MySql {
        db.query_all_raw(with_mariadbs_returning(&statement, columns)).await?
    } else {
        statement.give_back(Query::returning().exprs(columns));
        db.query_all(&statement).await?
    };
    rows.iter().map(R::read).collect()
}

/// `SeaQuery` leaves RETURNING out for `MySQL`, which has none; `MariaDB` has it, as SeaORM is told by a feature.
fn with_mariadbs_returning(
    statement: &impl StatementBuilder,
    columns: impl Iterator<Item = Expr>,
) -> sea_orm::Statement {
    let mut statement = DbBackend::MySql.build(statement);
    let list = DbBackend::MySql.build(Query::select().exprs(columns));
    statement.sql.push_str(&list.sql.replacen("SELECT", " RETURNING", 1));
    if let Some(more) = list.values {
        statement.values.get_or_insert(Values(Vec::new())).0.extend(more.0);
    }
    statement
}
