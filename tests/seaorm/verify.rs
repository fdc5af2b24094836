//! `redstream.verify::<Entity>(&db, &sink)`: rows are compared with documents, and what differs is repaired.

mod bounds;
mod busy;
mod faults;
mod found;
mod keys;
mod properties;
mod worker;

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use redstream_seaorm::{
    CancellationToken, Changes, DifferenceKind, HandlerError, Indexer, Key, KeyOf, KeyRange, RedstreamExt, Scan, Sink,
    Streamed, Verify, VerifyReport, Worker,
};
use sea_orm::EntityTrait;
use sea_orm::sea_query::{FromValueTuple, IntoValueTuple};

use super::city;
use super::world::World;

/// The bound on a verification: it waits for two seconds before it reports a difference.
const BOUND: Duration = Duration::from_secs(60);

/// A datastore in memory, sorted by key, that refuses older versions.
struct Memory<E: EntityTrait> {
    documents: Arc<Mutex<BTreeMap<KeyOf<E>, String>>>,
    /// So many of the next reads fail.
    fails: Arc<AtomicU32>,
    can_find: bool,
}

impl<E: EntityTrait> Clone for Memory<E> {
    fn clone(&self) -> Self {
        Self { documents: self.documents.clone(), fails: self.fails.clone(), can_find: self.can_find }
    }
}

impl<E: EntityTrait<Model: std::fmt::Debug>> Memory<E>
where
    KeyOf<E>: Ord + Clone + FromValueTuple + IntoValueTuple,
{
    fn new(can_find: bool) -> Self {
        Self { documents: Arc::default(), fails: Arc::default(), can_find }
    }

    /// With the documents of these rows.
    fn of(rows: &[E::Model], can_find: bool) -> Self {
        let memory = Self::new(can_find);
        for row in rows {
            memory.put(Key::<E>::of(row).value(), document(row));
        }
        memory
    }

    fn put(&self, key: KeyOf<E>, document: String) {
        self.documents.lock().unwrap().insert(key, document);
    }

    fn remove(&self, key: &KeyOf<E>) {
        self.documents.lock().unwrap().remove(key).expect("the document exists");
    }

    fn all(&self) -> BTreeMap<KeyOf<E>, String> {
        self.documents.lock().unwrap().clone()
    }

    fn fail(&self) -> Result<(), HandlerError> {
        let failing = self.fails.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1));
        if failing.is_ok() { Err(HandlerError::new("the datastore is down")) } else { Ok(()) }
    }
}

fn document(row: &impl std::fmt::Debug) -> String {
    format!("{row:?}")
}

impl<E> Sink<E> for Memory<E>
where
    E: EntityTrait<Model: std::fmt::Debug>,
    KeyOf<E>: Ord + Clone + FromValueTuple + IntoValueTuple + Send + 'static,
{
    async fn write(&self, changes: Changes<E>) -> Result<(), HandlerError> {
        let mut documents = self.documents.lock().unwrap();
        for key in changes.deletes.iter().chain(&changes.respelled) {
            documents.remove(&key.value());
        }
        documents.extend(changes.upserts.iter().map(|(key, row)| (key.value(), document(row))));
        Ok(())
    }
}

impl<E> Scan<E> for Memory<E>
where
    E: EntityTrait<Model: std::fmt::Debug>,
    KeyOf<E>: Ord + Clone + FromValueTuple + IntoValueTuple + Send + 'static,
{
    type Document = String;

    async fn scan(&self, range: KeyRange<'_, E>, limit: usize) -> Result<Vec<(Key<E>, String)>, HandlerError> {
        self.fail()?;
        let (after, until) = (range.after.map(Key::value), range.until.map(Key::value));
        let documents = self.documents.lock().unwrap();
        let in_range = documents.iter().filter(|(key, _)| {
            after.as_ref().is_none_or(|after| *key > after) && until.as_ref().is_none_or(|until| *key <= until)
        });
        Ok(in_range.take(limit).map(|(key, text)| (Key::new(key.clone()), text.clone())).collect())
    }

    async fn find(&self, keys: &[Key<E>]) -> Result<Option<Vec<(Key<E>, String)>>, HandlerError> {
        self.fail()?;
        if !self.can_find {
            return Ok(None);
        }
        let documents = self.documents.lock().unwrap();
        let found = keys.iter().filter_map(|key| Some((key.clone(), documents.get(&key.value())?.clone())));
        Ok(Some(found.collect()))
    }

    fn is_current(&self, _: &Key<E>, row: &E::Model, text: &String) -> Result<bool, HandlerError> {
        Ok(*text == document(row))
    }
}

/// Runs the consumer `search`, until this is dropped.
struct Consuming(#[expect(dead_code, reason = "held for its Drop")] tokio_util::sync::DropGuard);

async fn consume<E, S>(world: &World, sink: S) -> Consuming
where
    E: Streamed<Model: Sync>,
    S: Sink<E>,
{
    let stream = world.redstream.of::<E>().unwrap();
    for stream in stream.streams() {
        stream.register("search", redstream_seaorm::Start::Latest).await.unwrap();
    }
    let consumer = stream.consumer("search", Indexer::<E, _, _>::new(world.plain.clone(), sink));
    let shutdown = CancellationToken::new();
    let stop = shutdown.clone().drop_guard();
    tokio::spawn(async move { consumer.run(shutdown).await });
    Consuming(stop)
}

async fn ended<E: Streamed>(verify: Verify<'_, E>) -> VerifyReport {
    let running = Box::pin(verify.run(CancellationToken::new()));
    let report = tokio::time::timeout(BOUND, running).await.expect("it ends").unwrap();
    if report.state == redstream_seaorm::VerifyState::Done {
        assert_eq!(report.compared, report.matching + report.found() + report.unsettled, "{report:?}");
    }
    report
}

/// The differences, each with its key.
fn found(report: &VerifyReport) -> Vec<(DifferenceKind, String)> {
    let mut found: Vec<_> = report.differences.iter().map(|one| (one.kind, one.key.to_string())).collect();
    found.sort();
    found
}

/// The same of cities.
fn of_cities(differences: &[(DifferenceKind, i64)]) -> Vec<(DifferenceKind, String)> {
    let key = |id: i64| Key::<city::Entity>::new(id).to_string();
    let mut found: Vec<_> = differences.iter().map(|(kind, id)| (*kind, key(*id))).collect();
    found.sort();
    found
}

async fn cities(world: &World, keys: impl IntoIterator<Item = i64>) -> Vec<city::Model> {
    let rows: Vec<_> = keys.into_iter().map(|id| city::with_key(id, &format!("city {id}"))).collect();
    for rows in rows.chunks(500) {
        city::Entity::insert_many(rows.to_vec()).exec_without_returning(&world.plain).await.unwrap();
    }
    city::Entity::find().all(&world.plain).await.unwrap()
}
