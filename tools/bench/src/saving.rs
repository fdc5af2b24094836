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

/// What is saved as the `n`th row: the two entities have the same columns, and their types nothing in common.
macro_rules! model {
    ($entity:ident, $save:ident) => {
        |n| match $save {
            Save::Insert => $entity::ActiveModel { id: NotSet, name: Set("Ulm".to_owned()), visits: Set(0) },
            Save::Update { .. } => $entity::ActiveModel { id: Unchanged(key($save, n)), name: NotSet, visits: Set(n) },
        }
    };
}

/// The duration of a transaction of plain saves.
pub(crate) async fn plain(database: &Database, save: Save, count: usize, from: usize) -> Result<Duration> {
    plain_and(database, save, count, from, || {}).await
}

/// The duration of one through Redstream.
pub(crate) async fn streamed(database: &Database, save: Save, count: usize, from: usize) -> Result<Duration> {
    streamed_and(database, save, count, from, || {}).await
}

/// The same as [`plain`]; this is called before the commit.
pub(crate) async fn plain_and(
    database: &Database,
    save: Save,
    count: usize,
    from: usize,
    before_commit: impl FnOnce(),
) -> Result<Duration> {
    timed(&database.plain, count, from, model!(city, save), before_commit).await
}

/// The same as [`streamed()`]; this is called before the commit.
pub(crate) async fn streamed_and(
    database: &Database,
    save: Save,
    count: usize,
    from: usize,
    before_commit: impl FnOnce(),
) -> Result<Duration> {
    timed(&database.streamed, count, from, model!(streamed, save), before_commit).await
}

async fn timed<C, A>(
    db: &C,
    count: usize,
    from: usize,
    model: impl Fn(i64) -> A,
    before_commit: impl FnOnce(),
) -> Result<Duration>
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
    before_commit();
    transaction.commit().await?;
    Ok(begun.elapsed())
}

/// The key of the row that is the `n`th to be updated.
fn key(save: Save, n: i64) -> i64 {
    match save {
        Save::Insert => n,
        Save::Update { rows } => n % i64::try_from(rows).unwrap_or(i64::MAX) + 1,
    }
}
