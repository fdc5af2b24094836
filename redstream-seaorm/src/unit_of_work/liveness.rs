//! Whether the database still has a transaction.
//!
//! A deadlock of MariaDB, an `ON CONFLICT ROLLBACK` of SQLite or a procedure that commits ends the whole transaction
//! without telling the driver: later statements would be committed one by one, and the commit would succeed. So the
//! server is queried after a statement has failed, was dropped before its answer, or may have committed. If none did,
//! the check costs one atomic load.

use std::sync::atomic::{AtomicU8, Ordering::SeqCst};

use sea_orm::sea_query::{Expr, SelectStatement};
use sea_orm::{ConnectionTrait, DbBackend, DbErr};

/// The state of a whole transaction, all savepoints included.
#[derive(Debug, Default)]
pub(crate) struct Life(AtomicU8);

const LIVES: u8 = 0;
/// The server must be asked.
const DOUBTED: u8 = 1;
/// The same, if the last error is one with which MySQL ends a transaction: MySQL itself cannot be asked.
const FATAL: u8 = 2;
const ENDED: u8 = 3;

impl Life {
    pub(crate) fn is_doubted(&self) -> bool {
        matches!(self.0.load(SeqCst), DOUBTED | FATAL)
    }

    /// Whether nothing has happened that might have ended it.
    pub(crate) fn is_sure(&self) -> bool {
        self.0.load(SeqCst) == LIVES
    }

    pub(crate) fn has_ended(&self) -> bool {
        self.0.load(SeqCst) == ENDED
    }

    /// The server must be asked before the next statement.
    pub(crate) fn doubt(&self) {
        self.0.fetch_max(DOUBTED, SeqCst);
    }

    /// A statement begins. If this is dropped before [`Sent::answered`], the state is uncertain.
    pub(crate) fn begin(&self) -> Sent<'_> {
        Sent { life: self, answered: false }
    }

    /// No more statements may run in the transaction; it can only be rolled back.
    pub(crate) fn end(&self) {
        self.0.store(ENDED, SeqCst);
    }

    /// A savepoint is about to be set or released. If this is dropped before [`SavepointChange::done`], the transaction
    /// has ended: the driver then rolls back another level than is meant, possibly the outermost.
    pub(crate) fn change_savepoint(&self) -> SavepointChange<'_> {
        SavepointChange { life: self, done: false }
    }

    fn failed(&self, error: &DbErr) {
        self.0.fetch_max(if ends_in_mysql(error) { FATAL } else { DOUBTED }, SeqCst);
    }

    /// Asks the server if the state is uncertain. `savepoints`: how many are open.
    ///
    /// A transaction that has ended is replaced by an empty one with the same savepoints: so the rollbacks of all
    /// levels find what the driver expects, and any statement that still reaches it is rolled back.
    pub(crate) async fn ask<C: ConnectionTrait>(&self, db: &C, savepoints: usize) {
        if !self.is_doubted() || db.is_mock_connection() {
            return;
        }
        let fatal = self.0.load(SeqCst) == FATAL;
        let lives = match db.get_database_backend() {
            DbBackend::MySql => lives_in_mysql(db, fatal).await,
            DbBackend::Sqlite => lives_in_sqlite(db).await,
            // An aborted transaction refuses every statement by itself; only its commit has to know, and asks then.
            _ => return,
        };
        if lives {
            self.0.store(LIVES, SeqCst);
            return;
        }
        self.0.store(ENDED, SeqCst);
        for savepoint in 1..=savepoints {
            // Named as the driver names them. If this fails, the rollback fails too, and the connection is not used
            // again.
            let _ = db.execute_unprepared(&format!("SAVEPOINT _sqlx_savepoint_{savepoint}")).await;
        }
    }
}

/// A statement that was sent.
#[derive(Debug)]
pub(crate) struct Sent<'a> {
    life: &'a Life,
    answered: bool,
}

impl Sent<'_> {
    pub(crate) fn answered<R>(mut self, answer: &Result<R, DbErr>) {
        self.answered = true;
        if let Err(error) = answer {
            self.life.failed(error);
        }
    }
}

impl Drop for Sent<'_> {
    fn drop(&mut self) {
        if !self.answered {
            self.life.doubt();
        }
    }
}

/// A savepoint that is being set or released.
#[derive(Debug)]
pub(crate) struct SavepointChange<'a> {
    life: &'a Life,
    done: bool,
}

impl SavepointChange<'_> {
    pub(crate) fn done(mut self) {
        self.done = true;
    }
}

impl Drop for SavepointChange<'_> {
    fn drop(&mut self) {
        if !self.done {
            self.life.end();
        }
    }
}

/// An error left over from a dropped statement or savepoint may be received as the answer to this query, which is
/// therefore repeated up to this number of times.
const TRIES: usize = 4;

async fn lives_in_mysql<C: ConnectionTrait>(db: &C, fatal: bool) -> bool {
    for _ in 0..TRIES {
        // Built: a restricted connection refuses raw SQL. Cast: without it the value is unsigned.
        match db.query_one(SelectStatement::new().expr(Expr::cust("CAST(@@in_transaction AS SIGNED)"))).await {
            Ok(answer) => {
                let lives = answer.is_some_and(|row| row.try_get_by_index::<i64>(0).is_ok_and(|lives| lives == 1));
                if !lives {
                    let _ = db.execute_unprepared("START TRANSACTION").await;
                }
                return lives;
            }
            // MySQL has no such variable.
            Err(error) if is_unknown_variable(&error) => {
                if fatal {
                    // MySQL may have begun another transaction by itself.
                    let _ = db.execute_unprepared("ROLLBACK").await;
                    let _ = db.execute_unprepared("START TRANSACTION").await;
                }
                return !fatal;
            }
            Err(_) => {}
        }
    }
    false
}

/// SQLite has no query for it, but it refuses to begin a transaction within one.
async fn lives_in_sqlite<C: ConnectionTrait>(db: &C) -> bool {
    match db.execute_unprepared("BEGIN").await {
        Ok(_) => false,
        // A restricted connection refuses raw SQL, so it cannot be asked.
        Err(error) if !matches!(error, DbErr::Exec(_) | DbErr::Query(_) | DbErr::Conn(_)) => true,
        Err(error) => error.to_string().contains("within a transaction"),
    }
}

/// Whether a transaction of PostgreSQL was aborted, so that its commit would be a rollback that succeeds.
pub(crate) async fn is_aborted<C: ConnectionTrait>(db: &C) -> bool {
    for _ in 0..TRIES {
        if db.query_one(SelectStatement::new().expr(Expr::val(1))).await.is_ok() {
            return false;
        }
    }
    true
}

fn is_unknown_variable(error: &DbErr) -> bool {
    let error = error.to_string();
    error.contains("1193 (") || error.contains("Unknown system variable")
}

/// Deadlock, lock wait timeout, unknown savepoint, changed row, and forced rollbacks. A lock wait timeout ends a
/// transaction only with `innodb_rollback_on_timeout`; refusing later statements is safe.
fn ends_in_mysql(error: &DbErr) -> bool {
    let error = error.to_string();
    ["1213 (", "1205 (", "1305 (", "1020 (", "1614 (", "3101 (", "1180 (", "1181 ("]
        .iter()
        .any(|code| error.contains(code))
}
