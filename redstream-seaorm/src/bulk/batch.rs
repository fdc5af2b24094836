//! The transaction of one batch: begin, track each key, finish.

use std::sync::Arc;

use redstream_core::NewMessage;
use sea_orm::{
    ConnectionTrait, DbErr, EntityTrait, SqliteTransactionMode, TransactionOptions, TransactionSession,
    TransactionTrait,
};

use crate::entity::key::Key;
use crate::entity::parents;
use crate::entity::streamed::{self, Streamed, table};
use crate::entity::table_name::TableName;
use crate::error::Error;
use crate::failpoint::failpoint;
use crate::hooks::lookup::{Target, target};
use crate::unit_of_work::UnitOfWork;

/// A transaction that is going to write, and its unit of work.
pub(super) async fn begin<E, D>(db: &D) -> Result<(D::Transaction, Arc<UnitOfWork>), DbErr>
where
    E: EntityTrait,
    D: ConnectionTrait + TransactionTrait,
{
    // On a plain connection nothing is begun.
    target::<E, D>(db)?;
    // On SQLite a transaction that reads first and then writes fails at once if another transaction wrote in between.
    // This one takes the write lock at its beginning and waits for it.
    let options =
        TransactionOptions { sqlite_transaction_mode: Some(SqliteTransactionMode::Immediate), ..Default::default() };
    let transaction = db.begin_with_options(options).await?;
    match target::<E, _>(&transaction)? {
        Target::Transaction(unit) => {
            failpoint!("bulk: begun");
            unit.permits.open(TableName::of::<E>());
            Ok((transaction, unit))
        }
        Target::Autocommit(_) | Target::TaskScope(_) => Err(Error::Untracked { table: table::<E>() }.into()),
    }
}

/// Insures messages, and has the commit announce them; a rollback drops them.
pub(super) fn follow(unit: &UnitOfWork, messages: Vec<NewMessage>) -> Result<(), Error> {
    unit.insure(messages.iter().cloned())?;
    unit.announce_later(messages);
    failpoint!("bulk: followed");
    Ok(())
}

/// The same for the rows of a page, which differ from one another.
pub(super) fn follow_page<E: Streamed>(unit: &UnitOfWork, keys: &[Key<E>]) -> Result<(), Error> {
    unit.follow_distinct(messages(keys)?)?;
    failpoint!("bulk: followed");
    Ok(())
}

/// The messages of these keys; none if the entity has no stream.
pub(super) fn messages<E: Streamed>(keys: &[Key<E>]) -> Result<Vec<NewMessage>, Error> {
    if E::HAS_STREAM { streamed::messages(keys) } else { Ok(Vec::new()) }
}

/// Insures the parents of the rows of these keys, and has the commit announce them. Call it before a statement, which
/// may remove or move the rows, and after it.
pub(super) async fn follow_parents<E: Streamed>(
    db: &impl ConnectionTrait,
    unit: &UnitOfWork,
    keys: &[Key<E>],
) -> Result<(), DbErr> {
    if parents::are_known::<E>() {
        let parents = parents::of_keys(db, keys).await?;
        follow(unit, parents.into_iter().collect())?;
    }
    Ok(())
}

/// Commits what succeeded and rolls back what failed.
pub(super) async fn finish<T, R, X>(transaction: T, outcome: Result<R, X>) -> Result<R, X>
where
    T: TransactionSession,
    X: From<DbErr>,
{
    match outcome {
        Ok(value) => {
            failpoint!("bulk: written");
            transaction.commit().await?;
            Ok(value)
        }
        Err(error) => {
            // The caller wants the first error. If the rollback fails too, the connection is gone, and the server rolls
            // back.
            let _ = transaction.rollback().await;
            Err(error)
        }
    }
}
