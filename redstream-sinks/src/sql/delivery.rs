//! Writes the changes of a batch: finds the row that the database refuses, and repeats what failed for now.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use backon::BackoffBuilder as _;
use redstream_seaorm::{Failures, Key};
use sea_orm::{DatabaseConnection, DbErr, EntityTrait};

use crate::sql::error::Error;
use crate::sql::fault::{Fault, fault};
use crate::sql::metrics;
use crate::sql::transaction::{Change, End, write};

/// How often a transaction is attempted that others' locks made fail.
const ATTEMPTS: usize = 6;

/// What the transactions of a write have in common.
pub(crate) struct Delivery {
    pub(crate) db: DatabaseConnection,
    pub(crate) table: &'static str,
    /// The target table, in the table of versions.
    pub(crate) entity: Arc<str>,
    pub(crate) version: i64,
}

/// Why nothing of a part is written.
enum Refusal {
    Database(DbErr),
    /// A row was not there after it had been written.
    Missing,
}

impl Delivery {
    /// Writes the changes in one transaction; if the database refuses one of them, in several.
    ///
    /// # Errors
    ///
    /// If not all changes are known to be written. Rows that were refused are added to `failures` instead.
    pub(crate) async fn run<E: EntityTrait, T: EntityTrait>(
        &self,
        changes: &[Change<E, T>],
        failures: &mut Failures<E>,
    ) -> Result<(), Error> {
        let kept: Vec<_> = changes.iter().filter(|change| change.row.is_some()).map(Change::target).collect();
        let mut parts = vec![changes];
        while let Some(part) = parts.pop() {
            match self.attempt(part, &kept).await? {
                Ok(higher) => self.written(part, &higher, failures),
                Err(refusal) => match part {
                    [] => {}
                    [change] => {
                        self.count_rows("failed", 1);
                        failures.failed(change.key.clone(), self.error(change, refusal));
                    }
                    // The first half next: in the order of the whole.
                    _ => {
                        let (first, second) = part.split_at(part.len() / 2);
                        parts.extend([second, first]);
                    }
                },
            }
        }
        Ok(())
    }

    fn error<E: EntityTrait, T: EntityTrait>(&self, change: &Change<E, T>, refusal: Refusal) -> Error {
        let (id, table) = (change.id.clone(), self.table);
        match refusal {
            Refusal::Database(source) => Error::Row { id, table, source },
            Refusal::Missing => Error::Duplicate { id, table },
        }
    }

    async fn attempt<E: EntityTrait, T: EntityTrait>(
        &self,
        part: &[Change<E, T>],
        kept: &[Key<T>],
    ) -> Result<Result<Vec<(String, u64)>, Refusal>, Error> {
        let (attempt, table) = ("write rows", self.table);
        let pauses = backon::ExponentialBuilder::default()
            .with_min_delay(Duration::from_millis(20))
            .with_max_delay(Duration::from_secs(1))
            .with_max_times(ATTEMPTS - 1)
            .with_jitter();
        let mut pauses = pauses.build();
        loop {
            let began = Instant::now();
            let ended = write(&self.db, &self.entity, part, kept, self.version).await;
            let seconds = ::metrics::histogram!(metrics::TRANSACTION_SECONDS, "table" => table);
            seconds.record(began.elapsed().as_secs_f64());
            let error = match ended {
                Ok(End::Committed(higher)) => {
                    self.count_transaction("committed");
                    return Ok(Ok(higher));
                }
                Ok(End::Missing) => {
                    self.count_transaction("refused");
                    return Ok(Err(Refusal::Missing));
                }
                Err(error) => error,
            };
            match fault(&error, self.db.get_database_backend()) {
                Fault::Row => {
                    self.count_transaction("refused");
                    return Ok(Err(Refusal::Database(error)));
                }
                Fault::Lock => {
                    self.count_transaction("failed");
                    let Some(pause) = pauses.next() else {
                        return Err(Error::Contended { attempt, table, attempts: ATTEMPTS, source: error });
                    };
                    tracing::debug!(table, %error, "a transaction is repeated");
                    tokio::time::sleep(pause).await;
                }
                Fault::Other => {
                    self.count_transaction("failed");
                    return Err(Error::Database { attempt, table, source: error });
                }
            }
        }
    }

    fn written<E: EntityTrait, T: EntityTrait>(
        &self,
        part: &[Change<E, T>],
        higher: &[(String, u64)],
        failures: &mut Failures<E>,
    ) {
        let higher: HashMap<_, _> = higher.iter().map(|(id, version)| (&**id, version)).collect();
        let (mut written, mut deleted, mut superseded) = (0, 0, 0);
        for change in part {
            if let Some(version) = higher.get(&*change.id) {
                superseded += 1;
                failures.outdated_by(change.key.clone(), **version);
            } else if change.row.is_some() {
                written += 1;
            } else {
                deleted += 1;
            }
        }
        for (outcome, rows) in [("written", written), ("deleted", deleted), ("superseded", superseded)] {
            self.count_rows(outcome, rows);
        }
    }

    fn count_transaction(&self, outcome: &'static str) {
        ::metrics::counter!(metrics::TRANSACTIONS, "table" => self.table, "outcome" => outcome).increment(1);
    }

    pub(crate) fn count_rows(&self, outcome: &'static str, rows: u64) {
        if rows > 0 {
            ::metrics::counter!(metrics::ROWS, "table" => self.table, "outcome" => outcome).increment(rows);
        }
    }
}
