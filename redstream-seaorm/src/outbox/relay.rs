//! The relay: moves the rows of the outbox to Redis.
//!
//! # Layout
//! `rows` is the SQL; `sweep` records what cannot be moved, so that it does not block the rest.

mod rows;
mod sweep;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use redstream_core::{CancellationToken, NewMessage, Producer, StreamName, Worker, WorkerState, WorkerStatus, metrics};
use sea_orm::{
    ConnectionTrait, DatabaseConnection, DbBackend, DbErr, IsolationLevel, TransactionSession, TransactionTrait,
};

use self::rows::{Row, count, delete, last_id, select};
use self::sweep::Sweep;
use crate::error::check_batch_size;
use crate::failpoint::failpoint;
use crate::outbox::commits::Commits;

/// The longest pause after failures.
const LONGEST_PAUSE: Duration = Duration::from_secs(10);

/// Moves the rows of the outbox to Redis, oldest first; made by
/// [`StreamedConnection::relay`](crate::StreamedConnection::relay). Run it like any worker, in a
/// [`Supervisor`](crate::Supervisor).
///
/// It takes a batch of rows, adds their main messages, waits for Redis to acknowledge them, and deletes the rows. After
/// a crash in between the rows still exist, and their messages are repeated, which does no harm. Rows are not selected
/// by an id that only grows, since a transaction with a smaller id may commit later.
///
/// Rows that cannot be moved are skipped, stay in the table, and do not block others: rows that are no messages (an
/// unusable stream name, a payload that is not JSON), and rows of a stream that Redis refuses (its key has another
/// type, the user may not write it). They are retried from time to time: repair or delete them. An error gives their
/// number and an example, at most once a minute; so do [`set_aside`](Self::set_aside), the health of this worker and
/// the gauge `redstream_outbox_set_aside`.
///
/// Several relays share the work on PostgreSQL, MariaDB 10.6 and later, and `MySQL` 8: each skips the rows that another
/// relay has locked. SQLite cannot lock rows: run one relay there, or messages are duplicated.
pub struct Relay<C = DatabaseConnection> {
    primary: C,
    producer: Producer,
    /// Notified when rows were committed in this process.
    commits: Arc<Commits>,
    batch_size: u64,
    interval: Duration,
    status: WorkerStatus,
    /// What cannot be moved.
    sweep: Mutex<Sweep>,
}

impl<C> Relay<C> {
    /// `commits` belong to the connection `primary`.
    pub(crate) fn new(primary: C, producer: Producer, commits: Arc<Commits>) -> Self {
        commits.relay_made();
        Self {
            primary,
            producer,
            commits,
            batch_size: 1000,
            interval: Duration::from_secs(1),
            status: WorkerStatus::default(),
            sweep: Mutex::default(),
        }
    }

    /// The maximum of rows that are moved in one batch. Default: 1000. Zero is an error, before anything is moved.
    #[must_use]
    pub fn batch_size(mut self, rows: u64) -> Self {
        self.batch_size = rows;
        self
    }

    /// How many rows the last sweep over the table could not move and skipped.
    pub fn set_aside(&self) -> u64 {
        self.status.set_aside()
    }

    /// How often it looks for rows of other processes. Default: one second.
    #[must_use]
    pub fn interval(mut self, interval: Duration) -> Self {
        self.interval = interval;
        self
    }
}

impl<C> Relay<C>
where
    C: ConnectionTrait + TransactionTrait,
{
    /// Moves one batch. Returns how many rows it took, including those that it skipped; zero if none is left, or if
    /// other relays have locked them.
    ///
    /// # Errors
    ///
    /// If an option cannot work, if the database fails, and if Redis takes none of the batch for a reason that may
    /// pass; the rows concerned then still exist.
    pub async fn run_once(&self) -> Result<u64, RelayError> {
        check_batch_size(self.batch_size).map_err(RelayError::InvalidOption)?;
        let taken = self.next_batch().await?;
        if taken > 0 || !self.sweep().restart_at_once() {
            return Ok(taken);
        }
        // Only failed rows are left: they are retried.
        self.next_batch().await
    }

    async fn next_batch(&self) -> Result<u64, RelayError> {
        self.sweep().begin();
        let batch = if self.primary.get_database_backend() == DbBackend::Sqlite {
            // A transaction would block all writers while it waits for Redis.
            self.carry(&self.primary).await?
        } else {
            // With a stricter isolation level MariaDB would also lock the gap after the last row, and block every
            // commit.
            let transaction = self.primary.begin_with_config(Some(IsolationLevel::ReadCommitted), None).await?;
            let batch = self.carry(&transaction).await?;
            transaction.commit().await?;
            batch
        };
        failpoint!("relay: deleted");
        self.account(&batch).await?;
        match batch.failed {
            Some(error) if batch.done == 0 => Err(RelayError::Redis(error)),
            Some(error) => {
                let error = &error as &dyn std::error::Error;
                tracing::warn!(error, "rows of redstream_outbox of some streams not moved: they are tried again");
                Ok(batch.taken)
            }
            None => Ok(batch.taken),
        }
    }

    /// Reads rows, adds their messages, and deletes those that Redis acknowledged.
    async fn carry<D: ConnectionTrait>(&self, db: &D) -> Result<Moved, RelayError> {
        let (after, refused) = self.sweep().place();
        let rows = select(db, after, &refused, self.batch_size).await?;
        failpoint!("relay: selected");
        let (ids, mut batch) = self.add(&rows).await;
        batch.last_read = rows.last().map(|row| row.id);
        batch.is_last = (rows.len() as u64) < self.batch_size;
        failpoint!("relay: added");
        delete(db, &ids).await?;
        Ok(batch)
    }

    /// Adds the rows' messages, stream by stream, so that a stream that Redis refuses does not block the others.
    /// Returns which rows are done.
    async fn add(&self, rows: &[Row]) -> (Vec<i64>, Moved) {
        let mut batch = Moved { taken: rows.len() as u64, ..Moved::default() };
        let mut by_stream: BTreeMap<StreamName, Vec<(i64, NewMessage)>> = BTreeMap::new();
        for row in rows {
            match row.message() {
                Ok(message) => by_stream.entry(message.stream.clone()).or_default().push((row.id, message)),
                Err(error) => {
                    batch.last_left = batch.last_left.max(Some(row.id));
                    self.sweep().left(1, || format!("row {}: {error}", row.id));
                }
            }
        }
        let mut moved = Vec::with_capacity(rows.len());
        for (stream, rows) in by_stream {
            let (ids, messages): (Vec<i64>, Vec<NewMessage>) = rows.into_iter().unzip();
            if self.sweep().is_refused(&stream) {
                // A row of one more stream than the statement can exclude.
                batch.last_left = batch.last_left.max(ids.last().copied());
                self.sweep().left(ids.len() as u64, || format!("rows of stream {stream}"));
                continue;
            }
            let mut known = BTreeSet::new();
            // A key that changed several times gets one message.
            let each_once: Vec<_> =
                messages.into_iter().filter(|message| known.insert(message.payload.as_str().to_owned())).collect();
            match self.producer.queue_all(&each_once).await {
                Ok(_) => {
                    let labels = [("stream", stream.to_string())];
                    ::metrics::counter!(metrics::RELAYED, &labels).increment(ids.len() as u64);
                    moved.extend(ids);
                }
                Err(error) => {
                    self.sweep().refused(stream, &error);
                    if !error.is_refusal() {
                        batch.failed.get_or_insert(error);
                    }
                }
            }
        }
        batch.done = moved.len() as u64;
        (moved, batch)
    }

    /// Updates the sweep with the result of the batch, and ends the sweep after its last batch.
    async fn account(&self, batch: &Moved) -> Result<(), DbErr> {
        if let Some(last_left) = batch.last_left {
            self.sweep().pass_over(last_left);
        }
        if self.sweep().wants_its_end() {
            let newest = last_id(&self.primary).await?;
            self.sweep().ends_at(newest);
        }
        if !self.sweep().is_at_its_end(batch.last_read, batch.is_last) {
            return Ok(());
        }
        let refused = self.sweep().refusals();
        let of_refused = if refused.is_empty() { 0 } else { count(&self.primary, &refused).await? };
        let left = self.sweep().end(of_refused);
        self.status.set_set_aside(left);
        #[expect(clippy::cast_precision_loss, reason = "a gauge is a float")]
        ::metrics::gauge!(metrics::OUTBOX_SET_ASIDE).set(left as f64);
        Ok(())
    }

    /// Moves rows until `shutdown`. Failures of the database and of Redis are logged and tried again.
    ///
    /// # Errors
    ///
    /// If an option cannot work.
    pub async fn run(&self, shutdown: CancellationToken) -> redstream_core::Result<()> {
        check_batch_size(self.batch_size)?;
        let mut pause = self.interval;
        while !shutdown.is_cancelled() {
            // Created before the table is read, so that no later commit is missed.
            let committed = self.commits.notified();
            self.status.set_state(WorkerState::Working);
            match self.run_once().await {
                Ok(0) => {
                    self.status.progress(WorkerState::Idle);
                    pause = self.interval;
                    let waited = tokio::time::timeout(self.interval, committed);
                    let _ = shutdown.run_until_cancelled(waited).await;
                }
                Ok(_) => {
                    self.status.progress(WorkerState::Working);
                    pause = self.interval;
                }
                Err(error) => {
                    self.status.set_state(WorkerState::Failing);
                    tracing::warn!(
                        error = &error as &dyn std::error::Error,
                        ?pause,
                        "rows of the outbox not moved: trying again after the pause"
                    );
                    shutdown.run_until_cancelled(tokio::time::sleep(pause)).await;
                    pause = Ord::min(pause * 2, LONGEST_PAUSE);
                }
            }
        }
        Ok(())
    }
}

impl<C> Relay<C> {
    fn sweep(&self) -> MutexGuard<'_, Sweep> {
        self.sweep.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The result of one batch.
#[derive(Debug, Default)]
struct Moved {
    /// How many rows were read.
    taken: u64,
    /// How many of them are in Redis, and deleted.
    done: u64,
    /// The last row that was not moved, which the next statement would find again.
    last_left: Option<i64>,
    /// The last row that was read.
    last_read: Option<i64>,
    /// There are no more rows after these.
    is_last: bool,
    /// The first failure that may pass.
    failed: Option<redstream_core::Error>,
}

/// Why rows of the outbox were not moved. They still exist.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RelayError {
    /// The database did not return or delete them.
    #[error("the rows of redstream_outbox were not read or deleted")]
    Database(#[from] DbErr),
    /// Redis did not take their messages.
    #[error("the messages of the outbox were not added")]
    Redis(#[source] redstream_core::Error),
    /// An option cannot work.
    #[error(transparent)]
    InvalidOption(redstream_core::Error),
}

#[async_trait]
impl<C> Worker for Relay<C>
where
    C: ConnectionTrait + TransactionTrait + Send + 'static,
    C::Transaction: Send + Sync,
{
    fn name(&self) -> String {
        "relay of the outbox".to_owned()
    }

    fn check(&self) -> redstream_core::Result<()> {
        check_batch_size(self.batch_size)
    }

    fn status(&self) -> Option<WorkerStatus> {
        Some(self.status.clone())
    }

    async fn run(&self, shutdown: CancellationToken) -> redstream_core::Result<()> {
        Relay::run(self, shutdown).await
    }
}

impl<C> fmt::Debug for Relay<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Relay")
            .field("batch_size", &self.batch_size)
            .field("interval", &self.interval)
            .finish_non_exhaustive()
    }
}
