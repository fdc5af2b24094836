//! One attempt at one part of a batch.

use std::collections::HashSet;

use redstream_seaorm::Key;
use sea_orm::{DatabaseConnection, DbErr, EntityTrait, TransactionTrait as _};

use crate::sql::rows;
use crate::sql::versions::{self, Claim};

/// What one key becomes.
#[derive(Clone, Debug)]
pub(crate) struct Change<E: EntityTrait, T: EntityTrait> {
    pub(crate) key: Key<E>,
    /// The key, as the id of a document.
    pub(crate) id: String,
    /// `None`: deleted.
    pub(crate) row: Option<T::ActiveModel>,
}

impl<E: EntityTrait, T: EntityTrait> Change<E, T> {
    /// The row's key.
    pub(crate) fn target(&self) -> Key<T> {
        Key::from_values(self.key.values().clone())
    }
}

/// How a transaction ended, if no statement failed.
#[derive(Debug)]
pub(crate) enum End {
    /// Committed, except for these ids, of which the database has a higher version.
    Committed(Vec<(String, u64)>),
    /// A row is missing after it was written; nothing is committed.
    Missing,
}

/// Writes the changes in one transaction.
///
/// First the versions: they lock the keys, so that no other process writes the rows of the same keys meanwhile. Then
/// deletes, which can make room for a unique value of a row, but never take the row of one of the `kept` keys; then the
/// rows.
pub(crate) async fn write<E: EntityTrait, T: EntityTrait>(
    db: &DatabaseConnection,
    entity: &str,
    changes: &[Change<E, T>],
    kept: &[Key<T>],
    version: i64,
) -> Result<End, DbErr> {
    let txn = db.begin().await?;
    let claims: Vec<_> =
        changes.iter().map(|change| Claim { id: &change.id, is_delete: change.row.is_none() }).collect();
    versions::claim(&txn, entity, &claims, version).await?;
    let higher = versions::higher(&txn, entity, &claims, version).await?;
    let superseded: HashSet<_> = higher.iter().map(|(id, _)| &**id).collect();
    let (mut deletes, mut upserts) = (Vec::new(), Vec::new());
    for change in changes.iter().filter(|change| !superseded.contains(&*change.id)) {
        match &change.row {
            Some(row) => upserts.push(row.clone()),
            None => deletes.push(change.target()),
        }
    }
    rows::delete(&txn, &deletes, kept).await?;
    if !rows::upsert::<T, _>(&txn, &upserts).await? {
        txn.rollback().await?;
        return Ok(End::Missing);
    }
    txn.commit().await?;
    Ok(End::Committed(higher))
}
