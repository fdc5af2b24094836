//! The table of versions: for each key that the sink has written, by which version, and whether it is deleted.
//!
//! A deleted row has no place for a version, and the target table is the application's, so the versions have a table of
//! their own. Its rows also serialize the transactions of several processes that write the same key.

use std::time::{Duration, SystemTime};

use sea_orm::sea_query::{
    ColumnDef, Expr, ExprTrait as _, Index, IndexCreateStatement, InsertStatement, LockType, OnConflict, Query, Table,
    TableCreateStatement,
};
use sea_orm::{ConnectionTrait, DbBackend, DbErr, StatementBuilder};

pub(crate) const TABLE: &str = "redstream_versions";
const ENTITY: &str = "entity";
const ID: &str = "id";
const VERSION: &str = "version";
const DELETED_AT: &str = "deleted_at";
const INDEX: &str = "redstream_versions_deleted";

/// The longest id of a key.
pub(crate) const LONGEST_ID: usize = 512;

/// Keys per statement: below every database's limit of parameters.
const KEYS_A_STATEMENT: usize = 1000;

/// The most versions of deleted rows that are forgotten at once.
const FORGOTTEN_AT_ONCE: u64 = 1000;

/// A key with the version that it gets.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Claim<'c> {
    pub(crate) id: &'c str,
    pub(crate) is_delete: bool,
}

/// Creates the table of versions, and its index, if it does not exist.
///
/// # Errors
///
/// If the database refuses a statement.
pub async fn create_table<C: ConnectionTrait>(db: &C) -> Result<(), DbErr> {
    let backend = db.get_database_backend();
    db.execute(&table(backend)).await?;
    if let Some(index) = index(backend) {
        db.execute(&index).await?;
    }
    Ok(())
}

/// The SQL that creates the table of versions, and its index, if it does not exist: one statement or two.
pub fn create_table_sql(backend: DbBackend) -> Vec<String> {
    let table = StatementBuilder::build(&table(backend), &backend).sql;
    let index = index(backend).map(|index| StatementBuilder::build(&index, &backend).sql);
    std::iter::once(table).chain(index).collect()
}

pub(crate) fn table(backend: DbBackend) -> TableCreateStatement {
    let mut table = Table::create();
    table
        .table(TABLE)
        .if_not_exists()
        .col(ColumnDef::new(ENTITY).string_len(128).not_null())
        // Bytes, so that no collation takes two keys for one.
        .col(ColumnDef::new(ID).var_binary(u32::try_from(LONGEST_ID).unwrap_or_default()).not_null())
        .col(ColumnDef::new(VERSION).big_integer().not_null())
        // Seconds since 1970; of deleted rows alone.
        .col(ColumnDef::new(DELETED_AT).big_integer())
        .primary_key(Index::create().col(ENTITY).col(ID));
    if backend == DbBackend::MySql {
        table.index(Index::create().name(INDEX).col(ENTITY).col(DELETED_AT));
    }
    table
}

/// Finds the versions of deleted rows that are old. `MySQL` has it in the table's statement.
pub(crate) fn index(backend: DbBackend) -> Option<IndexCreateStatement> {
    let index = Index::create().name(INDEX).table(TABLE).col(ENTITY).col(DELETED_AT).if_not_exists().to_owned();
    (backend != DbBackend::MySql).then_some(index)
}

/// Gives these keys the version unless they have a higher one, and locks them until the transaction ends.
///
/// The keys are sorted, so that two transactions do not wait for each other.
pub(crate) async fn claim<C: ConnectionTrait>(
    db: &C,
    entity: &str,
    claims: &[Claim<'_>],
    version: i64,
) -> Result<(), DbErr> {
    let mut claims: Vec<_> = claims.iter().collect();
    claims.sort_unstable_by_key(|claim| claim.id);
    let now = now();
    for claims in claims.chunks(KEYS_A_STATEMENT) {
        let mut insert = InsertStatement::new();
        insert.into_table(TABLE).columns([ENTITY, ID, VERSION, DELETED_AT]);
        for claim in claims {
            let deleted_at = claim.is_delete.then_some(now);
            insert.values_panic([
                entity.into(),
                claim.id.as_bytes().to_vec().into(),
                version.into(),
                deleted_at.into(),
            ]);
        }
        insert.on_conflict(unless_higher(db.get_database_backend()));
        db.execute(&insert).await?;
    }
    Ok(())
}

fn unless_higher(backend: DbBackend) -> OnConflict {
    let mut conflict = OnConflict::columns([ENTITY, ID]);
    if backend == DbBackend::MySql {
        // The assignments are made in this order, so the version is the last.
        let deleted_at = "IF(VALUES(version) >= version, VALUES(deleted_at), deleted_at)";
        let version = "GREATEST(version, VALUES(version))";
        conflict.values([(DELETED_AT, Expr::cust(deleted_at)), (VERSION, Expr::cust(version))]);
    } else {
        conflict.update_columns([DELETED_AT, VERSION]);
        conflict.action_and_where(Expr::cust("excluded.version >= redstream_versions.version"));
    }
    conflict
}

/// Which of these keys have a higher version: each with it.
pub(crate) async fn higher<C: ConnectionTrait>(
    db: &C,
    entity: &str,
    claims: &[Claim<'_>],
    version: i64,
) -> Result<Vec<(String, u64)>, DbErr> {
    let mut higher = Vec::new();
    for claims in claims.chunks(KEYS_A_STATEMENT) {
        let ids = claims.iter().map(|claim| claim.id.as_bytes().to_vec());
        let mut select = Query::select();
        select
            .columns([ID, VERSION])
            .from(TABLE)
            .and_where(Expr::col(ENTITY).eq(entity))
            .and_where(Expr::col(ID).is_in(ids))
            .and_where(Expr::col(VERSION).gt(version));
        if db.get_database_backend() == DbBackend::MySql {
            // Not from a snapshot that may be older than the lock.
            select.lock(LockType::Update);
        }
        for row in db.query_all(&select).await? {
            let id = String::from_utf8_lossy(&row.try_get_by_index::<Vec<u8>>(0)?).into_owned();
            higher.push((id, row.try_get_by_index::<i64>(1)?.cast_unsigned()));
        }
    }
    Ok(higher)
}

/// Forgets the versions of rows that were deleted longer ago than this, a bounded number of them. Returns whether more
/// may be left.
pub(crate) async fn forget<C: ConnectionTrait>(db: &C, entity: &str, keep: Duration) -> Result<bool, DbErr> {
    let before = now().saturating_sub(i64::try_from(keep.as_secs()).unwrap_or(i64::MAX));
    let old = || Expr::col(ENTITY).eq(entity).and(Expr::col(DELETED_AT).lt(before));
    let mut select = Query::select();
    select.column(ID).from(TABLE).and_where(old()).limit(FORGOTTEN_AT_ONCE);
    let rows = db.query_all(&select).await?;
    let ids: Vec<Vec<u8>> = rows.iter().map(|row| row.try_get_by_index(0)).collect::<Result<_, _>>()?;
    if ids.is_empty() {
        return Ok(false);
    }
    let more = ids.len() as u64 == FORGOTTEN_AT_ONCE;
    // Again `old`: one of them may have been written meanwhile.
    let delete = Query::delete().from_table(TABLE).and_where(old()).and_where(Expr::col(ID).is_in(ids)).to_owned();
    db.execute(&delete).await?;
    Ok(more)
}

fn now() -> i64 {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_secs()).unwrap_or(i64::MAX)
}
