//! A writer: like an application's requests, in a few tasks, as fast as the consumers can follow.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use redstream_processes::report;
use redstream_seaorm::{Bulk, StreamedConnection};
use sea_orm::entity::prelude::*;
use sea_orm::{DbErr, Set, TransactionTrait as _};

use crate::item::{ActiveModel, Column, Entity};
use crate::site::{CONSUMERS, ROWS, STREAM, Site, TASKS};
use crate::words::{Report, Written};

/// If a consumer lags by this many messages, the writers wait: the rate is the one that all can sustain.
const BEHIND: u64 = 20_000;
/// How often the lag is checked, and the writes are reported.
const LOOK: Duration = Duration::from_millis(250);
/// The pause after an error: Redis or the database is being restarted.
const PAUSE: Duration = Duration::from_millis(100);

/// Writes the items whose id divided by `of` leaves one of the remainders from `first` on, one for each task: no two
/// tasks write one row, so none waits for another's lock.
pub(crate) async fn write(site: &Site, first: i64, of: i64) -> anyhow::Result<()> {
    let db = site.streamed().await?;
    let (hold, counts) = (Arc::new(AtomicBool::new(false)), Arc::new(Counts::default()));
    for remainder in first..first + TASKS {
        tokio::spawn(write_for_ever(db.clone(), Share { remainder, of }, hold.clone(), counts.clone()));
    }
    report(&Report::Ready)?;
    let items = db.producer().redstream().stream(STREAM)?;
    loop {
        tokio::time::sleep(LOOK).await;
        let mut behind = 0;
        for consumer in CONSUMERS {
            // If Redis does not answer, the writers get the error themselves.
            behind = items.lag(consumer).await.map_or(behind, |lag| behind.max(lag));
        }
        hold.store(behind > BEHIND, Ordering::Relaxed);
        report(&Report::Written(counts.take()))?;
    }
}

#[derive(Debug, Default)]
struct Counts {
    changes: AtomicU64,
    commits: AtomicU64,
    failures: AtomicU64,
}

impl Counts {
    fn take(&self) -> Written {
        let take = |count: &AtomicU64| count.swap(0, Ordering::Relaxed);
        Written { changes: take(&self.changes), commits: take(&self.commits), failures: take(&self.failures) }
    }
}

/// The rows of one task.
#[derive(Debug, Clone, Copy)]
struct Share {
    remainder: i64,
    of: i64,
}

impl Share {
    fn draw(self) -> i64 {
        fastrand::i64(0..ROWS / self.of) * self.of + self.remainder
    }
}

async fn write_for_ever(db: StreamedConnection, share: Share, hold: Arc<AtomicBool>, counts: Arc<Counts>) {
    loop {
        if hold.load(Ordering::Relaxed) {
            tokio::time::sleep(LOOK / 10).await;
            continue;
        }
        match one_write(&db, share).await {
            Ok(changes) => {
                counts.changes.fetch_add(changes, Ordering::Relaxed);
                // A write that was rolled back on purpose changed nothing.
                counts.commits.fetch_add(changes.min(1), Ordering::Relaxed);
            }
            // While Redis is being restarted, writers are expected to get errors.
            Err(error) => {
                tracing::info!(%error, "a write failed");
                counts.failures.fetch_add(1, Ordering::Relaxed);
                tokio::time::sleep(PAUSE).await;
            }
        }
    }
}

/// One write, of a random kind. Returns how many rows it changed.
async fn one_write(db: &StreamedConnection, share: Share) -> Result<u64, DbErr> {
    match fastrand::u8(0..100) {
        0..60 => update_some(db, share).await,
        60..80 => put(share.draw(), db).await.map(|()| 1),
        80..90 => replace(db, share).await,
        90..95 => roll_back(db, share).await,
        _ => update_many(db, share).await,
    }
}

async fn update_some(db: &StreamedConnection, share: Share) -> Result<u64, DbErr> {
    let txn = db.begin().await?;
    for _ in 0..10 {
        put(share.draw(), &txn).await?;
    }
    txn.commit().await?;
    Ok(10)
}

/// Updates the row, or inserts it if a delete came before.
async fn put(id: i64, db: &impl sea_orm::ConnectionTrait) -> Result<(), DbErr> {
    let item = ActiveModel { id: Set(id), value: Set(fastrand::i64(..)) };
    match item.clone().update(db).await {
        Err(DbErr::RecordNotUpdated) => item.insert(db).await.map(drop),
        outcome => outcome.map(drop),
    }
}

/// Deletes a row and, in a transaction of its own, inserts it again.
async fn replace(db: &StreamedConnection, share: Share) -> Result<u64, DbErr> {
    let id = share.draw();
    ActiveModel { id: Set(id), ..Default::default() }.delete(db).await?;
    ActiveModel { id: Set(id), value: Set(fastrand::i64(..)) }.insert(db).await?;
    Ok(2)
}

async fn roll_back(db: &StreamedConnection, share: Share) -> Result<u64, DbErr> {
    let txn = db.begin().await?;
    put(share.draw(), &txn).await?;
    txn.rollback().await?;
    Ok(0)
}

async fn update_many(db: &StreamedConnection, share: Share) -> Result<u64, DbErr> {
    let keys = (0..100).map(|_| share.draw());
    let bulk = Bulk::<Entity>::new().filter(Column::Id.is_in(keys));
    bulk.update_many(db, |rows| rows.col_expr(Column::Value, Expr::value(fastrand::i64(..)))).await
}
