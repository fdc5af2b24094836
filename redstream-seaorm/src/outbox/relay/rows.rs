//! The relay's statements.

use redstream_core::{BoxError, NewMessage, Payload, StreamName};
use sea_orm::sea_query::{DeleteStatement, Expr, ExprTrait, LockBehavior, LockType, Order, SelectStatement};
use sea_orm::{ConnectionTrait, DbBackend, DbErr, QueryResult, Statement};

use crate::outbox::table::{ID, PAYLOAD, STREAM, TABLE};

/// Rows per `DELETE`: below every database's limit of parameters.
const ROWS_A_DELETE: usize = 5000;

/// A row of the outbox.
#[derive(Debug)]
pub(super) struct Row {
    pub(super) id: i64,
    /// Its stream and its payload; an error if they are not text.
    content: Result<(String, String), DbErr>,
}

impl Row {
    fn read(row: &QueryResult) -> Result<Self, DbErr> {
        let content = || Ok((row.try_get("", STREAM)?, row.try_get("", PAYLOAD)?));
        Ok(Self { id: row.try_get("", ID)?, content: content() })
    }

    /// Errors if the row is no message.
    pub(super) fn message(&self) -> Result<NewMessage, BoxError> {
        let (stream, payload) = self.content.as_ref().map_err(ToString::to_string)?;
        Ok(NewMessage::new(StreamName::new(stream)?, Payload::from_json(payload.as_str())?))
    }
}

/// The next rows after `after`, except those of these streams; locked if the database can do so.
pub(super) async fn select<D: ConnectionTrait>(
    db: &D,
    after: Option<i64>,
    refused: &[StreamName],
    most: u64,
) -> Result<Vec<Row>, DbErr> {
    let mut select = SelectStatement::new();
    select.columns([ID, STREAM, PAYLOAD]).from(TABLE);
    select.order_by(ID, Order::Asc).limit(most);
    select.lock_with_behavior(LockType::Update, LockBehavior::SkipLocked);
    if let Some(after) = after {
        select.and_where(Expr::col(ID).gt(after));
    }
    if !refused.is_empty() {
        select.and_where(stream(db.get_database_backend()).is_not_in(refused.iter().map(StreamName::as_str)));
    }
    db.query_all(&select).await?.iter().map(Row::read).collect()
}

/// How many rows these streams have.
pub(super) async fn count<D: ConnectionTrait>(db: &D, streams: &[StreamName]) -> Result<u64, DbErr> {
    let mut select = SelectStatement::new();
    select.expr(Expr::col(ID).count()).from(TABLE);
    select.and_where(stream(db.get_database_backend()).is_in(streams.iter().map(StreamName::as_str)));
    let row = db.query_one(&select).await?;
    let count: i64 = row.map(|row| row.try_get_by_index(0)).transpose()?.unwrap_or_default();
    Ok(count.try_into().unwrap_or_default())
}

/// The id of the newest row.
pub(super) async fn last_id<D: ConnectionTrait>(db: &D) -> Result<Option<i64>, DbErr> {
    let mut select = SelectStatement::new();
    select.expr(Expr::col(ID).max()).from(TABLE);
    let row = db.query_one(&select).await?;
    Ok(row.map(|row| row.try_get_by_index(0)).transpose()?.flatten())
}

/// The stream's name, byte by byte: MySQL and MariaDB would treat `Cities` and `cities` as equal.
fn stream(backend: DbBackend) -> Expr {
    if backend == DbBackend::MySql { Expr::cust(format!("BINARY {STREAM}")) } else { Expr::col(STREAM) }
}

pub(super) async fn delete<D: ConnectionTrait>(db: &D, ids: &[i64]) -> Result<(), DbErr> {
    for ids in ids.chunks(ROWS_A_DELETE) {
        delete_some(db, ids).await?;
    }
    Ok(())
}

async fn delete_some<D: ConnectionTrait>(db: &D, ids: &[i64]) -> Result<(), DbErr> {
    let backend = db.get_database_backend();
    if backend == DbBackend::MySql {
        // Given a list, the database may scan the table instead, and wait for rows of other relays, which wait for
        // these. So each row is joined by its key.
        let keys = ids.iter().map(|id| format!("SELECT {id} AS {ID}")).collect::<Vec<_>>().join(" UNION ALL ");
        let sql = format!("DELETE o FROM ({keys}) AS moved STRAIGHT_JOIN {TABLE} AS o ON o.{ID} = moved.{ID}");
        return db.execute_raw(Statement::from_string(backend, sql)).await.map(drop);
    }
    let mut delete = DeleteStatement::new();
    delete.from_table(TABLE).and_where(Expr::col(ID).is_in(ids.iter().copied()));
    db.execute(&delete).await.map(drop)
}
