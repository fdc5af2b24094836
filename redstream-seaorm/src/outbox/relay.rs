//! The relay: moves the rows of the outbox to Redis.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use redstream_core::{CancellationToken, Condition, NewMessage, Payload, Producer, Pulse, StreamName, Worker, metrics};
use sea_orm::sea_query::{DeleteStatement, ExprTrait, LockBehavior, LockType, Order, SelectStatement};
use sea_orm::{
    ConnectionTrait, DatabaseConnection, DbBackend, DbErr, IsolationLevel, QueryResult, Statement, TransactionSession,
    TransactionTrait, sea_query::Expr,
};
use tokio::sync::Notify;

use super::{ID, PAYLOAD, STREAM, TABLE};
use crate::StreamedConnection;
use crate::chaos::cross;
use crate::mutation::{self, Mutation::RelayDeletesFirst};

/// The longest pause after failures.
const LONGEST_PAUSE: Duration = Duration::from_secs(10);

/// Moves the rows of the outbox to Redis, oldest first; made by [`StreamedConnection::relay`]. Run it like any worker, in
/// a [`Supervisor`](crate::Supervisor).
///
/// It takes a batch of rows, adds their main messages, waits for Redis to acknowledge them, and deletes the rows. Whatever
/// dies in between, the rows are still there, and their messages come again, which does no harm. Rows are not found by an id
/// that only grows, since a transaction with a smaller one may commit later.
///
/// Several relays share the work on PostgreSQL, MariaDB 10.6 and later, and `MySQL` 8: each skips the rows that another has
/// taken. SQLite cannot lock rows: there run one, or have messages come twice.
pub struct Relay<C = DatabaseConnection> {
    primary: C,
    producer: Producer,
    /// Told when rows were committed in this process.
    committed: Arc<Notify>,
    batch_size: u64,
    interval: Duration,
    pulse: Pulse,
    /// Rows that are no messages, and that are left alone.
    unusable: Mutex<BTreeSet<i64>>,
}

impl<C: Clone> StreamedConnection<C> {
    /// The worker that moves what this connection, or any other, writes to the [outbox](crate::outbox).
    ///
    /// It looks at once when a commit of this connection wrote to it, and in intervals for the commits of others. The setters
    /// of the connection come before it.
    pub fn relay(&self) -> Relay<C> {
        Relay {
            primary: self.inner.clone(),
            producer: self.context.producer.clone(),
            committed: self.context.relays.clone(),
            batch_size: 1000,
            interval: Duration::from_secs(1),
            pulse: Pulse::default(),
            unusable: Mutex::default(),
        }
    }
}

impl<C> Relay<C> {
    /// How many rows are moved at once at the most. Default: 1000. Zero counts as one.
    #[must_use]
    pub fn batch_size(mut self, rows: u64) -> Self {
        self.batch_size = Ord::max(rows, 1);
        self
    }

    /// How often it looks for rows of other processes. Default: a second.
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
    /// Moves one batch. Returns how many rows it took; zero where none is left, or others are at work on them.
    ///
    /// Errors where the database or Redis does not take its part; the rows concerned are then still there.
    pub async fn run_once(&self) -> Result<u64, RelayError> {
        if self.primary.get_database_backend() == DbBackend::Sqlite {
            // A transaction would lock out all writers while Redis is waited for.
            let rows = self.rows(&self.primary).await?;
            cross("relay: selected");
            lose(&self.primary, &rows).await?;
            let (moved, outcome) = self.add(&rows).await;
            cross("relay: added");
            delete(&self.primary, &moved).await?;
            cross("relay: deleted");
            return outcome.map(|()| rows.len() as u64);
        }
        // With a stricter level MariaDB would also lock the gap behind the last row, and so hold up every commit.
        let transaction = self.primary.begin_with_config(Some(IsolationLevel::ReadCommitted), None).await?;
        let rows = self.rows(&transaction).await?;
        cross("relay: selected");
        lose(&self.primary, &rows).await?;
        let (moved, outcome) = self.add(&rows).await;
        cross("relay: added");
        delete(&transaction, &moved).await?;
        transaction.commit().await?;
        cross("relay: deleted");
        outcome.map(|()| rows.len() as u64)
    }

    /// Moves rows until `shutdown`. Lives through failures of the database and of Redis.
    pub async fn run(&self, shutdown: &CancellationToken) {
        let mut pause = self.interval;
        while !shutdown.is_cancelled() {
            // Made before the look, so that no commit after it is missed.
            let committed = self.committed.notified();
            self.pulse.turn(Condition::Working);
            match self.run_once().await {
                Ok(0) => {
                    self.pulse.progress(Condition::Idle);
                    pause = self.interval;
                    let waited = tokio::time::timeout(self.interval, committed);
                    let _ = shutdown.run_until_cancelled(waited).await;
                }
                Ok(_) => {
                    self.pulse.progress(Condition::Working);
                    pause = self.interval;
                }
                Err(error) => {
                    self.pulse.turn(Condition::Failing);
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
    }

    /// The next rows, locked where the database can.
    async fn rows<D: ConnectionTrait>(&self, db: &D) -> Result<Vec<Row>, DbErr> {
        let mut select = SelectStatement::new();
        select.columns([ID, STREAM, PAYLOAD]).from(TABLE);
        select.order_by(ID, Order::Asc).limit(self.batch_size);
        select.lock_with_behavior(LockType::Update, LockBehavior::SkipLocked);
        let unusable = self.unusable.lock().unwrap_or_else(PoisonError::into_inner).clone();
        if !unusable.is_empty() {
            select.and_where(Expr::col(ID).is_not_in(unusable));
        }
        db.query_all(&select).await?.iter().map(Row::read).collect()
    }

    /// Adds the rows' messages, stream by stream, so that what Redis has against one does not hold up the others.
    /// Returns which rows are done, and the first error.
    async fn add(&self, rows: &[Row]) -> (Vec<i64>, Result<(), RelayError>) {
        let mut by_stream: BTreeMap<StreamName, Vec<(i64, NewMessage)>> = BTreeMap::new();
        for row in rows {
            match row.message() {
                Ok(message) => by_stream.entry(message.stream.clone()).or_default().push((row.id, message)),
                Err(error) => self.leave_alone(row, &error),
            }
        }
        let (mut moved, mut outcome) = (Vec::with_capacity(rows.len()), Ok(()));
        for (stream, rows) in by_stream {
            let (ids, messages): (Vec<i64>, Vec<NewMessage>) = rows.into_iter().unzip();
            let mut known = BTreeSet::new();
            // A key that changed several times is read once.
            let each_once: Vec<_> =
                messages.into_iter().filter(|message| known.insert(message.payload.as_str().to_owned())).collect();
            match self.producer.queue_all(&each_once).await {
                Ok(_) => {
                    let labels = [("stream", stream.to_string())];
                    ::metrics::counter!(metrics::RELAYED, &labels).increment(ids.len() as u64);
                    moved.extend(ids);
                }
                Err(error) => outcome = outcome.and(Err(RelayError::Redis(error))),
            }
        }
        (moved, outcome)
    }

    fn leave_alone(&self, row: &Row, error: &redstream_core::BoxError) {
        self.unusable.lock().unwrap_or_else(PoisonError::into_inner).insert(row.id);
        tracing::error!(
            id = row.id,
            stream = row.stream,
            error = &**error as &dyn std::error::Error,
            "a row of redstream_outbox is no message, and is left alone: mend or delete it"
        );
    }
}

/// A defect: the rows go before their messages are acknowledged.
async fn lose<D: ConnectionTrait>(db: &D, rows: &[Row]) -> Result<(), DbErr> {
    if !mutation::is(RelayDeletesFirst) {
        return Ok(());
    }
    delete(db, &rows.iter().map(|row| row.id).collect::<Vec<_>>()).await
}

async fn delete<D: ConnectionTrait>(db: &D, ids: &[i64]) -> Result<(), DbErr> {
    if ids.is_empty() {
        return Ok(());
    }
    let backend = db.get_database_backend();
    if backend == DbBackend::MySql {
        // Given a list it may scan the table instead, and would wait for rows of other relays, which wait for these. So each
        // row is joined by its key.
        let keys = ids.iter().map(|id| format!("SELECT {id} AS {ID}")).collect::<Vec<_>>().join(" UNION ALL ");
        let sql = format!("DELETE o FROM ({keys}) AS moved STRAIGHT_JOIN {TABLE} AS o ON o.{ID} = moved.{ID}");
        return db.execute_raw(Statement::from_string(backend, sql)).await.map(drop);
    }
    let mut delete = DeleteStatement::new();
    delete.from_table(TABLE).and_where(Expr::col(ID).is_in(ids.iter().copied()));
    db.execute(&delete).await.map(drop)
}

#[derive(Debug)]
struct Row {
    id: i64,
    stream: String,
    payload: String,
}

impl Row {
    fn read(row: &QueryResult) -> Result<Self, DbErr> {
        Ok(Self { id: row.try_get("", ID)?, stream: row.try_get("", STREAM)?, payload: row.try_get("", PAYLOAD)? })
    }

    fn message(&self) -> Result<NewMessage, redstream_core::BoxError> {
        Ok(NewMessage::new(StreamName::new(&self.stream)?, Payload::from_json(self.payload.as_str())?))
    }
}

/// Why rows of the outbox were not moved. They are still there.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RelayError {
    /// The database did not give or delete them.
    #[error("the rows of redstream_outbox were not read or deleted")]
    Database(#[from] DbErr),
    /// Redis did not take their messages.
    #[error("the messages of the outbox were not added")]
    Redis(#[source] redstream_core::Error),
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

    fn pulse(&self) -> Option<Pulse> {
        Some(self.pulse.clone())
    }

    async fn run(&self, shutdown: CancellationToken) -> redstream_core::Result<()> {
        Relay::run(self, &shutdown).await;
        Ok(())
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
