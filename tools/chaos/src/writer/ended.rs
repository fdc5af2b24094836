//! Transactions that the database ends before their writer does.

use std::time::Duration;

use redstream_seaorm::{StreamedConnection, StreamedTransaction};
use sea_orm::{ConnectionTrait as _, DbErr, TransactionTrait as _};
use tokio::sync::Barrier;
use tokio::time::timeout;

use crate::item::Item;
use crate::keys::Keys;
use crate::kind::Kind;
use crate::words::{Word, Written, say};
use crate::workload::{End, Retry};
use crate::writer::{Writer, chain, rows};

/// How long a transaction waits for the other, which may have failed. SQLite allows only one writer.
const MEETING: Duration = Duration::from_millis(100);

/// How often a transaction is tried.
const TRIES: u32 = 3;

impl<E: Item> Writer<E> {
    /// Two transactions that save two keys in opposite order. Each is recorded as a separate write.
    pub(super) async fn deadlock(
        &mut self,
        db: &StreamedConnection,
        keys: [i64; 2],
        retry: Retry,
        end: End,
        written: &mut Written,
    ) -> Result<(), DbErr> {
        let met = Barrier::new(2);
        let values = [self.until(end, written), self.until(end, written)];
        let one = Crossing { db, keys: self.keys, numbers: keys, values, met: &met, retry, end };
        let mut second = self.written(format!("{}, the other way round", written.kind));
        let values = [self.until(end, &mut second), self.until(end, &mut second)];
        let numbers = [keys[1], keys[0]];
        let other = Crossing { db, keys: self.keys, numbers, values, met: &met, retry, end };
        let (mut one_chance, mut other_chance) = (self.chance.fork(), self.chance.fork());
        let (outcome, other) = tokio::join!(one.run::<E>(&mut one_chance), other.run::<E>(&mut other_chance));
        second.error = other.err().map(|error| chain(&error));
        say(&Word::Wrote(second));
        outcome
    }

    /// A statement that may commit, in the middle of a transaction.
    pub(super) async fn implicit_commit(
        &mut self,
        db: &StreamedConnection,
        saves: Vec<i64>,
        statement: usize,
        after: Option<i64>,
        end: End,
        written: &mut Written,
    ) -> Result<(), DbErr> {
        let sql = committing(self.kind, statement);
        // What a procedure does is not known before it ran, and a drop returns nothing.
        let unknown = sql.starts_with("CALL") && end == End::Drop;
        let txn = db.begin_with_options(self.options()).await?;
        for number in saves {
            let value = if unknown { self.unknown(written) } else { self.until(end, written) };
            self.save(&txn, number, value).await?;
        }
        txn.execute_unprepared(sql).await?;
        if let Some(number) = after {
            self.save(&txn, number, self.until(end, written)).await?;
        }
        finish(txn, end).await
    }

    /// A statement that fails in the middle of a transaction, whose writer continues.
    pub(super) async fn conflict(
        &mut self,
        db: &StreamedConnection,
        before: i64,
        after: i64,
        end: End,
        written: &mut Written,
    ) -> Result<(), DbErr> {
        let txn = db.begin_with_options(self.options()).await?;
        self.save(&txn, before, self.until(end, written)).await?;
        if txn.execute_unprepared("INSERT INTO tags (tag) VALUES ('taken')").await.is_ok() {
            return Err(DbErr::Custom("a second row with that tag was not refused".to_owned()));
        }
        self.save(&txn, after, self.until(end, written)).await?;
        finish(txn, end).await
    }
}

/// One of the two transactions.
struct Crossing<'a> {
    db: &'a StreamedConnection,
    keys: Keys,
    numbers: [i64; 2],
    values: [String; 2],
    met: &'a Barrier,
    retry: Retry,
    end: End,
}

impl Crossing<'_> {
    async fn run<E: Item>(self, chance: &mut fastrand::Rng) -> Result<(), DbErr> {
        let mut outcome = self.once::<E>(chance, true).await;
        for _ in 1..TRIES {
            if outcome.is_ok() || self.retry == Retry::Statement {
                break;
            }
            outcome = self.once::<E>(chance, false).await;
        }
        outcome
    }

    async fn once<E: Item>(&self, chance: &mut fastrand::Rng, meets: bool) -> Result<(), DbErr> {
        let txn = self.db.begin().await?;
        self.save::<E>(&txn, chance, 0).await?;
        if meets {
            // Alone, it continues.
            let _ = timeout(MEETING, self.met.wait()).await;
        }
        match self.save::<E>(&txn, chance, 1).await {
            Err(_) if self.retry == Retry::Statement => self.save::<E>(&txn, chance, 1).await?,
            saved => saved?,
        }
        finish(txn, self.end).await
    }

    async fn save<E: Item>(
        &self,
        txn: &StreamedTransaction,
        chance: &mut fastrand::Rng,
        at: usize,
    ) -> Result<(), DbErr> {
        rows::save::<E, _>(txn, self.keys, chance, self.numbers[at], self.values[at].clone()).await
    }
}

async fn finish(txn: StreamedTransaction, end: End) -> Result<(), DbErr> {
    match end {
        End::Commit => txn.commit().await,
        End::Rollback => txn.rollback().await,
        End::Drop => {
            drop(txn);
            Ok(())
        }
    }
}

/// A statement that commits the transaction it is in, on MariaDB; on other databases it may not commit, or fail.
fn committing(kind: Kind, which: usize) -> &'static str {
    let analyze = if kind == Kind::MariaDb { "ANALYZE TABLE side" } else { "ANALYZE side" };
    let all = [
        "CREATE TABLE IF NOT EXISTS made (id INTEGER)",
        "CREATE INDEX IF NOT EXISTS side_by_id ON side (id)",
        analyze,
        "BEGIN",
        "COMMIT",
        "CALL commits()",
        "TRUNCATE TABLE side",
        "LOCK TABLES side READ",
    ];
    let known = match kind {
        Kind::Sqlite => &all[..5],
        Kind::Postgres => &all[..6],
        Kind::MariaDb => &all[..],
    };
    known[which % known.len()]
}
