//! A writer process: one operation after the other, each with values that no other write has.

mod ended;
mod refused;
mod rows;
mod values;

use std::marker::PhantomData;
use std::time::{Duration, Instant};

use anyhow::Result;
use redstream_seaorm::{Bulk, BulkExt as _, Key, StreamedConnection};
use sea_orm::sea_query::Expr;
use sea_orm::{
    ActiveModelTrait as _, DatabaseConnection, DbErr, QueryFilter as _, SqliteTransactionMode, TransactionOptions,
    TransactionTrait as _,
};

use crate::item::Item;
use crate::keys::Keys;
use crate::kind::Kind;
use crate::site::Site;
use crate::words::{Word, Written, say};
use crate::workload::Op;

pub(crate) struct Writer<E> {
    /// The prefix of every value: the writer, and its run.
    name: String,
    chance: fastrand::Rng,
    poison: Vec<i64>,
    number: u32,
    fresh: i64,
    kind: Kind,
    keys: Keys,
    entity: PhantomData<fn() -> E>,
}

impl<E: Item> Writer<E> {
    pub(crate) fn new(number: u32, life: u32, seed: u64, poison: Vec<i64>, site: &Site) -> Self {
        Self {
            name: format!("w{number}.{life}"),
            chance: fastrand::Rng::with_seed(seed ^ (u64::from(number) << 40) ^ (u64::from(life) << 20)),
            poison,
            number: 0,
            fresh: -100_000 * i64::from(number * 50 + life + 1),
            kind: site.kind,
            keys: site.keys,
            entity: PhantomData,
        }
    }

    /// Writes for this long.
    pub(crate) async fn write(mut self, site: &Site, busy_ms: u64) -> Result<()> {
        let plain = site.primary().await?;
        let db = site.streamed(plain.clone()).await?;
        let until = Instant::now() + Duration::from_millis(busy_ms);
        while Instant::now() < until {
            let op = Op::draw(&mut self.chance, &self.poison, site.repairs);
            let mut written = self.written(format!("{op:?}"));
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
            Op::Autocommit(id) => self.save(db, id, self.kept(written)).await,
            Op::Generated => {
                let id = (self.keys != Keys::Integer).then(|| self.fresh());
                E::active(id.as_deref(), Some(self.kept(written))).insert(db).await.map(drop)
            }
            Op::Delete(id) => self.delete(db, id).await,
            Op::Transaction { saves, deletes, linger_ms } => {
                let txn = db.begin_with_options(self.options()).await?;
                for id in saves {
                    self.save(&txn, id, self.kept(written)).await?;
                }
                for id in deletes {
                    self.delete(&txn, id).await?;
                }
                tokio::time::sleep(Duration::from_millis(linger_ms)).await;
                txn.commit().await
            }
            Op::Rollback { saves, ghost } => {
                let txn = db.begin_with_options(self.options()).await?;
                for id in saves.into_iter().chain([ghost]) {
                    self.save(&txn, id, self.dropped(written)).await?;
                }
                txn.rollback().await
            }
            Op::Dropped { saves, ghost } => {
                let txn = db.begin_with_options(self.options()).await?;
                for id in saves.into_iter().chain([ghost]) {
                    self.save(&txn, id, self.dropped(written)).await?;
                }
                drop(txn);
                Ok(())
            }
            Op::RolledBackSavepoint { outer, inner, ghost, again } => {
                let txn = db.begin_with_options(self.options()).await?;
                self.save(&txn, outer, self.kept(written)).await?;
                let savepoint = txn.begin().await?;
                self.save(&savepoint, inner, self.dropped(written)).await?;
                self.save(&savepoint, ghost, self.dropped(written)).await?;
                savepoint.rollback().await?;
                if again {
                    self.save(&txn, inner, self.kept(written)).await?;
                }
                txn.commit().await
            }
            Op::ReleasedSavepoint { outer, inner, ghost } => {
                let txn = db.begin_with_options(self.options()).await?;
                let rolled_back = ghost.is_some();
                self.save(&txn, outer, self.value(written, rolled_back)).await?;
                let savepoint = txn.begin().await?;
                for id in [inner].into_iter().chain(ghost) {
                    self.save(&savepoint, id, self.value(written, rolled_back)).await?;
                }
                savepoint.commit().await?;
                if rolled_back { txn.rollback().await } else { txn.commit().await }
            }
            Op::BulkUpdate(from, to) => {
                let value = self.perhaps(written);
                let these = Bulk::<E>::new().filter(self.any_of(from..=to));
                these.update_many(db, |update| update.col_expr(E::VALUE, Expr::value(value))).await.map(drop)
            }
            Op::BulkClosure(from, to) => {
                let value = self.perhaps(written);
                let keys = self.named(from..=to);
                let update = E::update_many().col_expr(E::VALUE, Expr::value(value)).filter(self.any_of(from..=to));
                db.producer().bulk_keys(db, keys, async |txn| update.exec(txn).await.map(drop)).await
            }
            Op::BulkDelete(from, to) => Bulk::<E>::new().filter(self.any_of(from..=to)).delete_many(db).await.map(drop),
            Op::BulkClosureInsert(rows) => {
                let ids: Vec<String> = (0..rows).map(|_| self.fresh()).collect();
                let items: Vec<_> = ids.iter().map(|id| E::active(Some(id), Some(self.kept(written)))).collect();
                let keys = ids.iter().map(|id| Key::<E>::new(E::id(id)));
                let insert = E::insert_many(items);
                db.producer().bulk_keys(db, keys, async |txn| insert.exec_without_returning(txn).await.map(drop)).await
            }
            Op::BulkInsert(rows) => {
                let mut items = Vec::new();
                for _ in 0..rows {
                    items.push(E::active(Some(&self.fresh()), Some(self.kept(written))));
                }
                Bulk::<E>::new().insert_many(db, items).await.map(drop)
            }
            Op::Untracked(id) => self.untracked(plain, id, written).await,
            Op::Unread(form) => self.unread(db, form, written).await,
            Op::Deadlock { keys, retry, end } => self.deadlock(db, keys, retry, end, written).await,
            Op::ImplicitCommit { saves, statement, after, end } => {
                self.implicit_commit(db, saves, statement, after, end, written).await
            }
            Op::Conflict { before, after, end } => self.conflict(db, before, after, end, written).await,
        }
    }

    /// On SQLite some transactions take the lock at once, and some when they write.
    fn options(&mut self) -> TransactionOptions {
        let at_once = self.chance.u8(0..3) > 0;
        let sqlite_transaction_mode = at_once.then_some(SqliteTransactionMode::Immediate);
        TransactionOptions { sqlite_transaction_mode, ..Default::default() }
    }
}

fn chain(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(error.source(), |error| error.source());
    causes.fold(error.to_string(), |text, cause| format!("{text}: {cause}"))
}
