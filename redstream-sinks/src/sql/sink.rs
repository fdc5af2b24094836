//! The sink, and its options.

use std::collections::{HashMap, HashSet};
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use redstream_seaorm::{BoxError, Changes, Failures, HandlerError, Key, KeyOf, Sink, Streamed};
use sea_orm::{ActiveModelTrait, DatabaseConnection, EntityTrait, IntoActiveModel, PrimaryKeyTrait};
use tokio::sync::Semaphore;

use crate::sql::delivery::Delivery;
use crate::sql::error::Error;
use crate::sql::transaction::Change;
use crate::sql::versions::{LONGEST_ID, forget};

/// How often the versions of rows that were deleted long ago are looked for, at most.
const FORGET: Duration = Duration::from_secs(600);

/// The most writes at once, including those that are no longer waited for.
const WRITES: usize = 8;

type Convert<E, T, R> = dyn Fn(&Key<E>, &R) -> Result<<T as EntityTrait>::ActiveModel, BoxError> + Send + Sync;

/// Writes the records of `E` to the table of `T` in another database, one row for each.
///
/// - The rows and the [versions](Changes::version) of their keys are written in one transaction. The versions have a
///   table of their own, `redstream_versions` in the target database, so that the target table needs no column for
///   them, and a deleted row is remembered. A write by a lower version is [superseded](Failures::outdated_by).
/// - A row that the database refuses fails alone.
/// - A write whose future is dropped is finished, in a task of its own.
/// - Deadlocks are repeated. If the connection breaks, the batch fails as a whole, and the consumer repeats it.
///
/// Cloning it is cheap. The crate's guide, `docs/sinks.md`, has tables of all options and of what follows from each
/// error.
///
/// ```no_run
/// # mod city {
/// #     use redstream_seaorm::Streamed;
/// #     use sea_orm::entity::prelude::*;
/// #     #[derive(Clone, Debug, PartialEq, DeriveEntityModel, Streamed)]
/// #     #[sea_orm(table_name = "cities")]
/// #     pub struct Model { #[sea_orm(primary_key)] pub id: i64, pub name: String }
/// #     #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
/// #     pub enum Relation {}
/// # }
/// # mod place {
/// #     use sea_orm::entity::prelude::*;
/// #     #[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
/// #     #[sea_orm(table_name = "places")]
/// #     pub struct Model { #[sea_orm(primary_key)] pub id: i64, pub label: String }
/// #     #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
/// #     pub enum Relation {}
/// #     impl ActiveModelBehavior for ActiveModel {}
/// # }
/// use redstream_seaorm::{Indexer, Stream};
/// use redstream_sinks::sql::{self, SqlSink};
/// use sea_orm::{Database, Set};
///
/// # async fn example(cities: Stream, primary: sea_orm::DatabaseConnection) -> Result<(), Box<dyn std::error::Error>> {
/// let target = Database::connect("postgres://reports.internal/reports").await?;
/// sql::create_table(&target).await?;
/// let sink = SqlSink::<city::Entity, place::Entity>::new(target, |_key, city: &city::Model| {
///     Ok(place::ActiveModel { id: Set(city.id), label: Set(city.name.to_uppercase()) })
/// });
/// let consumer = cities.consumer("reports", Indexer::new(primary, sink)).skip_repeats(true);
/// # Ok(()) }
/// ```
#[must_use]
pub struct SqlSink<E: EntityTrait, T: EntityTrait = E, R = <E as EntityTrait>::Model> {
    pub(crate) db: DatabaseConnection,
    convert: Arc<Convert<E, T, R>>,
    pub(crate) table: &'static str,
    /// The table of versions has this name of the target table.
    entity: Arc<str>,
    timeout: Duration,
    keep: Duration,
    forgot: Arc<Mutex<Option<Instant>>>,
    writes: Arc<Semaphore>,
}

impl<E, T, R> SqlSink<E, T, R>
where
    E: EntityTrait,
    T: EntityTrait<PrimaryKey: PrimaryKeyTrait<ValueType = KeyOf<E>>>,
{
    /// Writes to the table of `T` in `db`, which has the [table of versions](crate::sql::create_table), too.
    ///
    /// `convert` makes a row of a record. The row has the record's key. Of a row that exists, the columns that it sets
    /// are written, and the others stay.
    pub fn new(
        db: DatabaseConnection,
        convert: impl Fn(&Key<E>, &R) -> Result<T::ActiveModel, BoxError> + Send + Sync + 'static,
    ) -> Self {
        Self {
            db,
            convert: Arc::new(convert),
            table: T::default().table_name(),
            entity: qualified::<T>().into(),
            timeout: Duration::from_secs(60),
            keep: Duration::from_secs(24 * 3600),
            forgot: Arc::default(),
            writes: Arc::new(Semaphore::new(WRITES)),
        }
    }

    /// How long a write is waited for; then the batch fails, and is retried. Default: one minute.
    ///
    /// The write itself goes on: set the timeouts of the database, too (`lock_timeout`, `innodb_lock_wait_timeout`).
    pub fn timeout(mut self, time: Duration) -> Self {
        self.timeout = time;
        self
    }

    /// How long a deleted row's version is remembered: a write that is later than that is not noticed to be late.
    /// Default: one day.
    pub fn keep_tombstones_for(mut self, time: Duration) -> Self {
        self.keep = time;
        self
    }

    /// The row of a record, and the id of its key.
    pub(crate) fn row(&self, key: &Key<E>, record: &R) -> Result<(String, T::ActiveModel), Error> {
        let id = id_of(key)?;
        let row = (self.convert)(key, record).map_err(|source| Error::Convert { id: id.clone(), source })?;
        match row.get_primary_key_value() {
            Some(found) if found == *key.values() => Ok((id, row.reset_all())),
            found => {
                let found = found.map_or_else(|| "none".to_owned(), |found| Key::<T>::from_values(found).to_string());
                Err(Error::OtherKey { id, found })
            }
        }
    }

    /// What the write changes, deletes first; each id once. If several keys have one id, the last record stays.
    fn changes(&self, changes: Changes<E, R>, delivery: &Delivery, failures: &mut Failures<E>) -> Vec<Change<E, T>> {
        let mut failed = |key: &Key<E>, error| {
            delivery.count_rows("failed", 1);
            failures.failed(key.clone(), error);
        };
        let mut rows: Vec<Change<E, T>> = Vec::with_capacity(changes.upserts.len());
        let mut seen = HashMap::new();
        for (key, record) in changes.upserts {
            match self.row(&key, &record) {
                Ok((id, row)) => {
                    let change = Change { key, id: id.clone(), row: Some(row) };
                    if let Some(nth) = seen.get(&id) {
                        rows[*nth] = change;
                    } else {
                        seen.insert(id, rows.len());
                        rows.push(change);
                    }
                }
                Err(error) => failed(&key, error),
            }
        }
        let mut deletes = Vec::with_capacity(changes.deletes.len() + rows.len());
        let mut deleted = HashSet::new();
        for key in changes.deletes.into_iter().chain(changes.respelled) {
            match id_of(&key) {
                Ok(id) if seen.contains_key(&id) || !deleted.insert(id.clone()) => {}
                Ok(id) => deletes.push(Change { key, id, row: None }),
                Err(error) => failed(&key, error),
            }
        }
        deletes.extend(rows);
        deletes
    }

    /// What forgets old versions, if it is due.
    fn forgetting(&self) -> Option<impl Future<Output = ()> + Send + 'static> {
        let mut forgot = self.forgot.lock().unwrap_or_else(PoisonError::into_inner);
        if forgot.is_some_and(|last| last.elapsed() < FORGET) {
            return None;
        }
        *forgot = Some(Instant::now());
        let (db, table, entity, keep) = (self.db.clone(), self.table, Arc::clone(&self.entity), self.keep);
        let forgot = Arc::clone(&self.forgot);
        Some(async move {
            match forget(&db, &entity, keep).await {
                // The next write goes on.
                Ok(true) => *forgot.lock().unwrap_or_else(PoisonError::into_inner) = None,
                Ok(false) => {}
                // It costs space alone.
                Err(error) => tracing::warn!(table, %error, "old versions could not be removed"),
            }
        })
    }
}

impl<E> SqlSink<E>
where
    E: EntityTrait<Model: IntoActiveModel<E::ActiveModel>>,
{
    /// Writes the rows as they are to the table of the same entity in `db`.
    pub fn copy(db: DatabaseConnection) -> Self {
        Self::new(db, |_, row: &E::Model| Ok(row.clone().into_active_model()))
    }
}

impl<E, T, R> Sink<E, R> for SqlSink<E, T, R>
where
    E: Streamed,
    T: EntityTrait<ActiveModel: Send + Sync, PrimaryKey: PrimaryKeyTrait<ValueType = KeyOf<E>>>,
    R: Send + Sync + 'static,
{
    fn compares_versions(&self) -> bool {
        true
    }

    async fn write(&self, changes: Changes<E, R>) -> Result<(), HandlerError> {
        let version = i64::try_from(changes.version).map_err(|_| Error::Version { version: changes.version })?;
        let (db, table, entity) = (self.db.clone(), self.table, Arc::clone(&self.entity));
        let delivery = Delivery { db, table, entity, version };
        let mut failures = Failures::new();
        let changes = self.changes(changes, &delivery, &mut failures);
        if changes.is_empty() {
            return failures.into_result();
        }
        let (writes, forgetting) = (Arc::clone(&self.writes), self.forgetting());
        let written = finished(async move {
            // It fails only if the semaphore is closed, which it never is.
            let _permit = writes.acquire_owned().await.ok();
            delivery.run(&changes, &mut failures).await?;
            if let Some(forgetting) = forgetting {
                forgetting.await;
            }
            Ok::<_, Error>(failures)
        });
        let late = |_| Error::Timeout { table: self.table, after: self.timeout };
        tokio::time::timeout(self.timeout, written).await.map_err(late)???.into_result()
    }
}

/// Runs to its end in a task of its own, also if it is no longer waited for. A statement must not be dropped: the
/// driver of `MySQL` then takes its answer for that of the next statement on the connection, and a commit that was not
/// made for one that was.
pub(crate) async fn finished<T: Send + 'static>(work: impl Future<Output = T> + Send + 'static) -> Result<T, Error> {
    tokio::spawn(work).await.map_err(|_| Error::Ended)
}

/// The target table, with its schema if the entity names one.
fn qualified<T: EntityTrait>() -> String {
    let entity = T::default();
    match entity.schema_name() {
        Some(schema) => format!("{schema}.{}", entity.table_name()),
        None => entity.table_name().to_owned(),
    }
}

fn id_of<E: EntityTrait>(key: &Key<E>) -> Result<String, Error> {
    let id = key.document_id().map_err(Error::Key)?;
    if id.len() > LONGEST_ID {
        let start = id.chars().take(64).collect();
        return Err(Error::KeyTooLong { bytes: id.len(), longest: LONGEST_ID, start });
    }
    Ok(id)
}

impl<E: EntityTrait, T: EntityTrait, R> Clone for SqlSink<E, T, R> {
    fn clone(&self) -> Self {
        Self {
            db: self.db.clone(),
            convert: Arc::clone(&self.convert),
            table: self.table,
            entity: Arc::clone(&self.entity),
            timeout: self.timeout,
            keep: self.keep,
            forgot: Arc::clone(&self.forgot),
            writes: Arc::clone(&self.writes),
        }
    }
}

impl<E: EntityTrait, T: EntityTrait, R> fmt::Debug for SqlSink<E, T, R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SqlSink").field("db", &self.db).field("table", &self.table).finish_non_exhaustive()
    }
}
