//! How a batch knows which rows its statement writes.

use sea_orm::sea_query::{Expr, SelectStatement};
use sea_orm::{ConnectionTrait, DbBackend, DbErr, IdenStatic, QueryResult};

use super::error::BulkError;
use crate::entity::key_query::columns;
use crate::entity::streamed::Streamed;
use crate::error::Error;
use crate::hooks::lookup::{Target, find};

/// How a batch knows which rows its statement writes, so that none of them is missed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Strategy {
    /// The rows of the page are locked. The statement writes their range, and returns what it wrote.
    LockRange,
    /// The same, of rows that are not locked first. Locking costs PostgreSQL a third of what writing costs.
    ///
    /// Two such statements may meet the rows of one range in opposite orders. So neither waits for the other long
    /// enough for a deadlock: after [`LOCK_TIMEOUT`] it is rolled back, and the walk goes on with
    /// [`LockRange`](Self::LockRange), which locks rows in the order of their keys.
    ReturnRange,
    /// The rows of the page are locked, and the statement writes these alone. For tables on which a row that was not
    /// read before may get another key: the statement returns the new key only.
    NameKeys,
    /// The rows of the page are all that the statement can write: SQLite lets no other transaction write meanwhile. It
    /// returns nothing.
    Snapshot,
}

/// How long a statement of [`Strategy::ReturnRange`] waits for a lock: far less than the second after which PostgreSQL
/// looks for a deadlock by default, and longer than most transactions hold theirs.
pub(super) const LOCK_TIMEOUT: &str = "50ms";

/// Why a batch was not written.
#[derive(Debug)]
pub(super) enum Failure {
    Error(DbErr),
    /// Nothing is wrong: it is to be run again, in this way.
    Again(Strategy),
}

impl Failure {
    /// The strategy by which to try again, if another one helps.
    pub(super) fn next_strategy(self, failed: Strategy) -> Result<Strategy, DbErr> {
        match self {
            Self::Again(strategy) => Ok(strategy),
            Self::Error(error) if failed == Strategy::ReturnRange && is_lock_conflict(&error) => {
                Ok(Strategy::LockRange)
            }
            Self::Error(error) => Err(error),
        }
    }
}

impl From<DbErr> for Failure {
    fn from(error: DbErr) -> Self {
        Self::Error(error)
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self::Error(error.into())
    }
}

impl From<BulkError> for Failure {
    fn from(error: BulkError) -> Self {
        Self::Error(error.into())
    }
}

/// Whether PostgreSQL refused to wait for a lock, or found a deadlock before that. The code is part of the `Debug` form
/// of every driver's error, and does not depend on the server's language.
fn is_lock_conflict(error: &DbErr) -> bool {
    let error = format!("{error:?}");
    ["55P03", "40P01"].iter().any(|code| error.contains(code))
}

/// The strategy of a walk whose first batch did not reach its end: without locks, if the statement returns what it
/// wrote.
///
/// On PostgreSQL alone: MariaDB can wait for a lock for whole seconds only. Not within a transaction of the caller,
/// whose later statements would then wait for locks no longer than this, either.
pub(super) async fn after_first_batch<E: Streamed>(db: &impl ConnectionTrait, keeps_rows: bool) -> Strategy {
    let is_free = db.get_database_backend() == DbBackend::Postgres
        && !db.is_mock_connection()
        && matches!(find(db), Some(Target::Autocommit(_)));
    // A delete returns the keys that its rows had. If the catalogue cannot be read, the rows are locked.
    if is_free && (!keeps_rows || !may_rename::<E>(db).await.unwrap_or(true)) {
        Strategy::ReturnRange
    } else {
        Strategy::LockRange
    }
}

/// Whether something in PostgreSQL may give a row of this table another key when it is updated.
pub(super) async fn may_rename<E: Streamed>(db: &impl ConnectionTrait) -> Result<bool, DbErr> {
    if E::has_exact_key() || db.get_database_backend() != DbBackend::Postgres {
        return Ok(false);
    }
    let entity = E::default();
    let quoted = |name: &str| format!("\"{}\"", name.replace('"', "\"\""));
    let schema = entity.schema_name().map(|schema| quoted(schema) + ".");
    let table = schema.unwrap_or_default() + &quoted(entity.table_name());
    // A partition, an heir or the table behind a view may have triggers of its own.
    let keeps_keys = "c.relkind = 'r' AND NOT c.relhassubclass AND NOT c.relhasrules \
        AND NOT EXISTS (SELECT 1 FROM pg_catalog.pg_trigger t WHERE t.tgrelid = c.oid AND NOT t.tgisinternal) \
        AND NOT EXISTS (SELECT 1 FROM pg_catalog.pg_attribute a WHERE a.attrelid = c.oid AND a.attgenerated <> '')";
    let mut select = SelectStatement::new();
    select
        .expr(Expr::cust(keeps_keys))
        .from_as(("pg_catalog", "pg_class"), "c")
        .and_where(Expr::cust_with_values("c.oid = pg_catalog.to_regclass($1)", [table]));
    Ok(!first_of(db.query_one(&select).await?)?)
}

/// Whether a statement of SQLite writes no other rows, and leaves rows no other keys, than it says: the database has no
/// trigger, the entity's table is a table, and its key is neither computed nor set by a foreign key.
pub(super) async fn is_plain_table<E: Streamed>(db: &impl ConnectionTrait) -> Result<bool, DbErr> {
    let entity = E::default();
    if db.get_database_backend() != DbBackend::Sqlite || db.is_mock_connection() || entity.schema_name().is_some() {
        return Ok(false);
    }
    let key: Vec<_> = columns::<E>().iter().map(|column| column.as_str().replace('\'', "''")).collect();
    let table = entity.table_name().replace('\'', "''");
    let is_of_key = |name: &str| format!("{name} COLLATE NOCASE IN ('{}')", key.join("', '"));
    let is_plain = format!(
        "NOT EXISTS (SELECT 1 FROM sqlite_master WHERE type = 'trigger') \
         AND NOT EXISTS (SELECT 1 FROM sqlite_temp_master WHERE type = 'trigger' OR name = '{table}' COLLATE NOCASE) \
         AND EXISTS (SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = '{table}' COLLATE NOCASE \
             AND sql NOT LIKE 'CREATE VIRTUAL%') \
         AND NOT EXISTS (SELECT 1 FROM pragma_table_xinfo('{table}') WHERE hidden <> 0 AND {}) \
         AND NOT EXISTS (SELECT 1 FROM pragma_foreign_key_list('{table}') \
             WHERE on_update NOT IN ('NO ACTION', 'RESTRICT') AND {})",
        is_of_key("name"),
        is_of_key("\"from\"")
    );
    let mut select = SelectStatement::new();
    select.expr(Expr::cust(is_plain));
    first_of(db.query_one(&select).await?)
}

fn first_of(row: Option<QueryResult>) -> Result<bool, DbErr> {
    row.map_or(Ok(false), |row| row.try_get_by_index(0))
}
