//! A writer process: one operation after the other, each with values that no other write has.

use std::time::{Duration, Instant};

use anyhow::Result;
use redstream_seaorm::{Bulk, BulkExt as _, Key, StreamedConnection};
use sea_orm::sea_query::Expr;
use sea_orm::{
    ActiveModelTrait as _, ActiveValue::NotSet, ColumnTrait as _, ConnectionTrait, DatabaseConnection, DbErr,
    EntityTrait as _, IntoActiveModel as _, QueryFilter as _, Set, SqliteTransactionMode, TransactionOptions,
    TransactionTrait as _,
};

use crate::item::{ActiveModel, Column, Entity};
use crate::site::Site;
use crate::words::{Word, Written, say};
use crate::workload::Op;

pub(crate) struct Writer {
    /// In front of every value: which writer, and which of its lives.
    name: String,
    chance: fastrand::Rng,
    poison: Vec<i64>,
    number: u32,
    fresh: i64,
}

impl Writer {
    pub(crate) fn new(number: u32, life: u32, seed: u64, poison: Vec<i64>) -> Self {
        Self {
            name: format!("w{number}.{life}"),
            chance: fastrand::Rng::with_seed(seed ^ (u64::from(number) << 40) ^ (u64::from(life) << 20)),
            poison,
            number: 0,
            fresh: -100_000 * i64::from(number * 50 + life + 1),
        }
    }

    /// Writes for so long.
    pub(crate) async fn write(mut self, site: &Site, busy_ms: u64) -> Result<()> {
        let plain = site.primary().await?;
        let db = site.streamed(plain.clone()).await?;
        let until = Instant::now() + Duration::from_millis(busy_ms);
        while Instant::now() < until {
            let op = Op::draw(&mut self.chance, &self.poison);
            self.number += 1;
            let mut written = Written { number: self.number, kind: format!("{op:?}"), ..Written::default() };
            if let Err(error) = self.run(op, &db, &plain, &mut written).await {
                written.error = Some(chain(&error));
            }
            say(&Word::Wrote(written));
            tokio::time::sleep(Duration::from_millis(self.chance.u64(0..25))).await;
        }
        Ok(())
    }

    async fn run(
        &mut self,
        op: Op,
        db: &StreamedConnection,
        plain: &DatabaseConnection,
        written: &mut Written,
    ) -> Result<(), DbErr> {
        match op {
            Op::Autocommit(id) => save(db, id, self.kept(written)).await,
            Op::Generated => {
                let item = ActiveModel { id: NotSet, value: Set(self.kept(written)) };
                item.insert(db).await.map(drop)
            }
            Op::Delete(id) => delete(db, id).await,
            Op::Transaction { saves, deletes, linger_ms } => {
                let txn = db.begin_with_options(self.options()).await?;
                for id in saves {
                    save(&txn, id, self.kept(written)).await?;
                }
                for id in deletes {
                    delete(&txn, id).await?;
                }
                tokio::time::sleep(Duration::from_millis(linger_ms)).await;
                txn.commit().await
            }
            Op::Rollback { saves, ghost } => {
                let txn = db.begin_with_options(self.options()).await?;
                for id in saves.into_iter().chain([ghost]) {
                    save(&txn, id, self.dropped(written)).await?;
                }
                txn.rollback().await
            }
            Op::Dropped { saves, ghost } => {
                let txn = db.begin_with_options(self.options()).await?;
                for id in saves.into_iter().chain([ghost]) {
                    save(&txn, id, self.dropped(written)).await?;
                }
                drop(txn);
                Ok(())
            }
            Op::RolledBackSavepoint { outer, inner, ghost, again } => {
                let txn = db.begin_with_options(self.options()).await?;
                save(&txn, outer, self.kept(written)).await?;
                let savepoint = txn.begin().await?;
                save(&savepoint, inner, self.dropped(written)).await?;
                save(&savepoint, ghost, self.dropped(written)).await?;
                savepoint.rollback().await?;
                if again {
                    save(&txn, inner, self.kept(written)).await?;
                }
                txn.commit().await
            }
            Op::ReleasedSavepoint { outer, inner, ghost } => {
                let txn = db.begin_with_options(self.options()).await?;
                let rolled_back = ghost.is_some();
                save(&txn, outer, self.value(written, rolled_back)).await?;
                let savepoint = txn.begin().await?;
                for id in [inner].into_iter().chain(ghost) {
                    save(&savepoint, id, self.value(written, rolled_back)).await?;
                }
                savepoint.commit().await?;
                if rolled_back { txn.rollback().await } else { txn.commit().await }
            }
            Op::BulkUpdate(from, to) => {
                let value = self.perhaps(written);
                let these = Bulk::<Entity>::new().filter(Column::Id.between(from, to));
                these.update_many(db, |update| update.col_expr(Column::Value, Expr::value(value))).await.map(drop)
            }
            Op::BulkClosure(from, to) => {
                let value = self.perhaps(written);
                let keys = (from..=to).map(Key::<Entity>::new);
                let update = Entity::update_many()
                    .col_expr(Column::Value, Expr::value(value))
                    .filter(Column::Id.between(from, to));
                db.producer().bulk_keys(db, keys, async |txn| update.exec(txn).await.map(drop)).await
            }
            Op::BulkDelete(from, to) => {
                Bulk::<Entity>::new().filter(Column::Id.between(from, to)).delete_many(db).await.map(drop)
            }
            Op::BulkInsert(rows) => {
                let mut items = Vec::new();
                for _ in 0..rows {
                    self.fresh += 1;
                    items.push(ActiveModel { id: Set(self.fresh), value: Set(self.kept(written)) });
                }
                Bulk::<Entity>::new().insert_many(db, items).await.map(drop)
            }
            Op::Untracked(id) => {
                let value = self.dropped(written);
                match save(plain, id, value).await {
                    Err(_) => Ok(()),
                    Ok(()) => Err(DbErr::Custom("a write through a plain connection was not refused".to_owned())),
                }
            }
        }
    }

    /// On SQLite some take the lock at once, and some when they write.
    fn options(&mut self) -> TransactionOptions {
        let at_once = self.chance.u8(0..3) > 0;
        let sqlite_transaction_mode = at_once.then_some(SqliteTransactionMode::Immediate);
        TransactionOptions { sqlite_transaction_mode, ..Default::default() }
    }

    fn next(&self, written: &Written) -> String {
        let before = written.kept.len() + written.perhaps.len() + written.dropped.len();
        format!("{}.{}.{before}", self.name, self.number)
    }

    fn value(&self, written: &mut Written, rolled_back: bool) -> String {
        if rolled_back { self.dropped(written) } else { self.kept(written) }
    }

    fn kept(&self, written: &mut Written) -> String {
        let value = self.next(written);
        written.kept.push(value.clone());
        value
    }

    fn perhaps(&self, written: &mut Written) -> String {
        let value = self.next(written);
        written.perhaps.push(value.clone());
        value
    }

    fn dropped(&self, written: &mut Written) -> String {
        let value = self.next(written);
        written.dropped.push(value.clone());
        value
    }
}

/// Inserts the item, or updates it where it is there.
async fn save<C: ConnectionTrait>(db: &C, id: i64, value: String) -> Result<(), DbErr> {
    match Entity::find_by_id(id).one(db).await? {
        None => ActiveModel { id: Set(id), value: Set(value) }.insert(db).await.map(drop),
        Some(item) => ActiveModel { value: Set(value), ..item.into_active_model() }.update(db).await.map(drop),
    }
}

async fn delete<C: ConnectionTrait>(db: &C, id: i64) -> Result<(), DbErr> {
    ActiveModel { id: Set(id), ..Default::default() }.delete(db).await.map(drop)
}

fn chain(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(error.source(), |error| error.source());
    causes.fold(error.to_string(), |text, cause| format!("{text}: {cause}"))
}
