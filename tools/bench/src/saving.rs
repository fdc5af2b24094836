//! Transactions of saves: plain, and through Redstream.

use crate::city::{self, streamed};
use crate::database::Database;
use anyhow::Result;
use sea_orm::{
    ActiveModelBehavior, ActiveModelTrait, ActiveValue::Unchanged, EntityTrait, IntoActiveModel, NotSet, Set,
    TransactionSession, TransactionTrait,
};
use std::time::{Duration, Instant};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Save {
    /// Save of a row whose key the database generates.
    Insert,
    /// Save of an existing row: the keys are 1 to this number.
    Update { rows: usize },
}

/// The duration of a transaction of plain saves.
pub(crate) async fn plain(database: &Database, save: Save, count: usize, from: usize) -> Result<Duration> {
    timed(&database.plain, count, from, |n| match save {
        Save::Insert => city::ActiveModel { id: NotSet, name: Set("Ulm".to_owned()), visits: Set(0) },
        Save::Update { .. } => city::ActiveModel { id: Unchanged(key(save, n)), name: NotSet, visits: Set(n) },
    })
    .await
}

/// The duration of one through Redstream.
pub(crate) async fn streamed(database: &Database, save: Save, count: usize, from: usize) -> Result<Duration> {
    timed(&database.streamed, count, from, |n| match save {
        Save::Insert => streamed::ActiveModel { id: NotSet, name: Set("Ulm".to_owned()), visits: Set(0) },
        Save::Update { .. } => streamed::ActiveModel { id: Unchanged(key(save, n)), name: NotSet, visits: Set(n) },
    })
    .await
}

async fn timed<C, A>(db: &C, count: usize, from: usize, model: impl Fn(i64) -> A) -> Result<Duration>
where
    C: TransactionTrait,
    A: ActiveModelTrait + ActiveModelBehavior + Send,
    <A::Entity as EntityTrait>::Model: IntoActiveModel<A>,
{
    let begun = Instant::now();
    let transaction = db.begin().await?;
    for n in from..from + count {
        model(i64::try_from(n)?).save(&transaction).await?;
    }
    transaction.commit().await?;
    Ok(begun.elapsed())
}

fn key(save: Save, n: i64) -> i64 {
    match save {
        Save::Insert => n,
        Save::Update { rows } => n % i64::try_from(rows).unwrap_or(i64::MAX) + 1,
    }
}
