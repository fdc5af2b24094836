//! The records of the next batch, which are loaded while the sink writes this one.

use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::time::Duration;

use redstream_seaorm::{CancellationToken, Key, find_by_keys};
use sea_orm::sea_query::Expr;
use tokio::sync::Semaphore;

use super::*;

const SOON: Duration = Duration::from_secs(10);

/// Two rows, each announced by a message of its own, and a consumer whose batches have one message.
struct Place {
    db: StreamedConnection,
    ids: [i64; 2],
    sink: Gate,
    loads: Arc<Mutex<Vec<i64>>>,
    stop: CancellationToken,
    running: tokio::task::JoinHandle<redstream_seaorm::core::Result<()>>,
}

/// A sink whose writes wait until the test lets them through.
#[derive(Clone)]
struct Gate {
    store: Store,
    permits: Arc<Semaphore>,
    fails: Arc<AtomicBool>,
}

impl Sink<city::Entity> for Gate {
    async fn write(&self, changes: Changes<city::Entity>) -> Result<(), HandlerError> {
        self.permits.acquire().await?.forget();
        if self.fails.swap(false, SeqCst) {
            return Err("the datastore fails".into());
        }
        self.store.write(changes).await
    }
}

impl Place {
    async fn new(test: &TestDb, loads_ahead: bool) -> Self {
        Self::with(test, loads_ahead, false).await
    }

    /// `panics`: the first load of the second row does.
    async fn with(test: &TestDb, loads_ahead: bool, panics: bool) -> Self {
        let redstream = redstream().await;
        let db = create(test, &redstream, city::Entity).await;
        let mut ids = [0; 2];
        for (id, name) in ids.iter_mut().zip(["Ulm", "Bonn"]) {
            *id = named(name).insert(&db).await.unwrap().id;
        }
        let sink = Gate { store: Store::default(), permits: Arc::new(Semaphore::new(0)), fails: Arc::default() };
        let loads = Arc::<Mutex<Vec<i64>>>::default();
        let (told, fault, second) = (loads.clone(), Arc::new(AtomicBool::new(panics)), ids[1]);
        let load = move |db: StreamedConnection, keys: Vec<Key<city::Entity>>| {
            let (told, fault) = (told.clone(), fault.clone());
            async move {
                told.lock().unwrap().extend(keys.iter().map(Key::value));
                assert!(!(keys[0].value() == second && fault.swap(false, SeqCst)), "the loader panics");
                let rows = find_by_keys(city::Entity, &keys, &db).await?;
                Ok(rows.into_iter().map(|row| (Key::of(&row), row)).collect())
            }
        };
        let indexer = Indexer::<city::Entity, _, _, _>::with_loader(db.clone(), load, sink.clone());
        let consumer = redstream.stream("cities").unwrap().consumer("search", indexer.load_ahead(loads_ahead));
        let consumer = consumer.batch_size(1).backoff(Duration::from_millis(1), Duration::from_millis(5));
        let stop = CancellationToken::new();
        let stopped = stop.clone();
        let running = tokio::spawn(async move { consumer.run(stopped).await });
        Self { db, ids, sink, loads, stop, running }
    }

    fn loads(&self) -> Vec<i64> {
        self.loads.lock().unwrap().clone()
    }

    async fn has_loaded(&self, ids: &[i64]) {
        eventually(SOON, "the loads", async || self.loads() == ids).await;
    }

    /// Changes the second row without a message.
    async fn rename_second(&self, name: &str) {
        city::Entity::update_many()
            .col_expr(city::Column::Name, Expr::value(name))
            .filter(city::Column::Id.eq(self.ids[1]))
            .exec(self.db.inner())
            .await
            .unwrap();
    }

    /// Lets all writes through, until both documents are there. Returns the second one.
    async fn second(self) -> Value {
        self.sink.permits.add_permits(100);
        let documents = || self.sink.store.documents();
        eventually(SOON, "both documents", async || documents().len() == 2).await;
        self.stop.cancel();
        self.running.await.unwrap().unwrap();
        let versions: Vec<u64> = self.sink.store.writes().iter().map(|write| write.2).collect();
        assert!(versions.is_sorted_by(|one, next| one < next), "{versions:?}");
        documents()[&json!({ "id": self.ids[1] }).to_string()].clone()
    }
}

on_each_database! {
    async fn the_next_batch_is_loaded_while_this_one_is_written(test: TestDb) {
        let place = Place::new(&test, true).await;
        place.has_loaded(&place.ids).await;
        assert!(place.sink.store.writes().is_empty());
        let (loads, ids) = (place.loads.clone(), place.ids);
        assert_eq!(place.second().await, json!("Bonn"));
        assert_eq!(*loads.lock().unwrap(), ids, "each was loaded once");
    }

    async fn what_was_loaded_ahead_is_loaded_again_if_the_batch_before_fails(test: TestDb) {
        let place = Place::new(&test, true).await;
        place.has_loaded(&place.ids).await;
        place.rename_second("Bonna").await;
        place.sink.fails.store(true, SeqCst);
        let (loads, [first, second]) = (place.loads.clone(), place.ids);
        assert_eq!(place.second().await, json!("Bonna"));
        let loads = loads.lock().unwrap().clone();
        assert_eq!(loads[..4], [first, second, first, second], "{loads:?}");
    }
}

#[tokio::test]
async fn without_loading_ahead_one_batch_is_in_memory_at_a_time() {
    let test = TestDb::sqlite().await;
    let place = Place::new(&test, false).await;
    place.has_loaded(&place.ids[..1]).await;
    place.rename_second("Bonna").await;
    assert_eq!(place.loads(), place.ids[..1]);
    assert_eq!(place.second().await, json!("Bonna"));
}

#[tokio::test]
async fn a_loader_that_panics_ahead_is_called_again() {
    let test = TestDb::sqlite().await;
    let place = Place::with(&test, true, true).await;
    place.has_loaded(&place.ids).await;
    let (loads, [first, second]) = (place.loads.clone(), place.ids);
    assert_eq!(place.second().await, json!("Bonn"));
    assert_eq!(*loads.lock().unwrap(), [first, second, second]);
}
