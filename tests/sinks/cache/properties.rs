//! Whatever the order of their steps, no reader finds an old document after the sink has handled its change.

use std::sync::{Arc, Mutex};

use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use super::*;

const READERS: usize = 3;
/// The owner of the consumer, and former owners that are paused.
const PROCESSES: usize = 3;

#[derive(Clone, Copy, Debug)]
enum Step {
    /// The row gets the next value, or is deleted.
    Change { delete: bool },
    /// A process of the sink takes a version and reads the row.
    Take(usize),
    /// It writes, or evicts.
    Write(usize),
    /// A reader does its next step: it asks the cache; it reads the row; it fills.
    Read(usize),
    /// The entry expires, or Redis evicts it.
    Expire,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        2 => any::<bool>().prop_map(|delete| Step::Change { delete }),
        2 => (0..PROCESSES).prop_map(Step::Take),
        2 => (0..PROCESSES).prop_map(Step::Write),
        6 => (0..READERS).prop_map(Step::Read),
        1 => Just(Step::Expire),
    ];
    prop::collection::vec(step, 1..60)
}

/// The row, as the database has it: the number of its last change, and whether it exists.
#[derive(Clone, Copy, Debug, Default)]
struct Row {
    change: u64,
    exists: bool,
}

impl Row {
    fn record(self) -> Option<Json> {
        self.exists.then(|| json!(self.change))
    }
}

struct Reader {
    go: mpsc::UnboundedSender<()>,
    reached: mpsc::UnboundedReceiver<()>,
    task: JoinHandle<Option<Json>>,
}

struct World {
    place: Place,
    writes: bool,
    row: Arc<Mutex<Row>>,
    version: u64,
    taken: [Option<(u64, Row)>; PROCESSES],
    readers: [Option<Reader>; READERS],
    /// The last change that the sink has handled.
    floor: u64,
}

impl World {
    async fn new(writes: bool) -> Self {
        let (row, readers) = (Arc::default(), [const { None }; READERS]);
        Self { place: Place::new().await, writes, row, version: 0, taken: [None; PROCESSES], readers, floor: 0 }
    }

    async fn step(&mut self, step: Step) {
        match step {
            Step::Change { delete } => {
                let mut row = self.row.lock().unwrap();
                *row = Row { change: row.change + 1, exists: !delete };
            }
            Step::Take(process) => {
                self.version += 1;
                self.taken[process] = Some((self.version, *self.row.lock().unwrap()));
            }
            Step::Write(process) => {
                if let Some((version, row)) = self.taken[process].take() {
                    self.write(version, row).await;
                    self.floor = self.floor.max(row.change);
                }
            }
            Step::Read(reader) => self.read(reader).await,
            Step::Expire => {
                self.place.remove(1).await;
                if self.writes {
                    // Which is the limit of its guarantee: an entry lives longer than a process is paused.
                    self.taken = [None; PROCESSES];
                }
            }
        }
        if let Some(document) = self.place.get(1).await {
            assert!(document.as_u64().unwrap() >= self.floor, "{document} is older than {}", self.floor);
        }
    }

    async fn write(&self, version: u64, row: Row) {
        if !self.writes {
            return evict(&self.place.cache, &[1]).await.unwrap();
        }
        let upserts = row.record().map(|record| (1, record));
        let deletes: &[i64] = if row.exists { &[] } else { &[1] };
        if let Err(error) = write(&self.place.cache, changes(version, upserts, deletes)).await {
            assert!(failures_of(Err(error)).0.ends_with("higher version"));
        }
    }

    async fn read(&mut self, nth: usize) {
        let mut reader = match self.readers[nth].take() {
            Some(reader) => {
                reader.go.send(()).unwrap();
                reader
            }
            None => self.ask(),
        };
        // The channel closes when the reader is done.
        if reader.reached.recv().await.is_some() {
            self.readers[nth] = Some(reader);
        } else {
            reader.task.await.unwrap();
        }
    }

    fn ask(&self) -> Reader {
        let (go, mut gone) = mpsc::unbounded_channel();
        let (reach, reached) = mpsc::unbounded_channel();
        let (cache, row) = (self.place.cache.clone(), self.row.clone());
        let task = tokio::spawn(async move {
            let load = async || {
                reach.send(()).unwrap();
                gone.recv().await;
                let loaded = *row.lock().unwrap();
                reach.send(()).unwrap();
                gone.recv().await;
                Ok::<_, Infallible>(loaded.record())
            };
            let Ok(found) = cache.get_or_load(&Key::new(1), load).await;
            found
        });
        Reader { go, reached, task }
    }
}

/// On a thread that may block.
fn hold(writes: bool) {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let mut runner = TestRunner::new(Config { failure_persistence: None, ..Config::with_cases(150) });
    let held = runner.run(&steps(), |steps| {
        runtime.block_on(async {
            let mut world = World::new(writes).await;
            for step in steps {
                world.step(step).await;
            }
            // And the last change is seen in the end.
            for step in [Step::Take(0), Step::Write(0)] {
                world.step(step).await;
            }
            let row = *world.row.lock().unwrap();
            let load = async || Ok::<_, Infallible>(row.record());
            let Ok(found) = world.place.cache.get_or_load(&Key::new(1), load).await;
            assert_eq!(found, row.record());
        });
        Ok(())
    });
    held.unwrap_or_else(|error| panic!("{error}"));
}

#[test]
fn no_order_of_steps_leaves_an_old_document_behind_an_eviction() {
    hold(false);
}

#[test]
fn no_order_of_steps_leaves_an_old_document_behind_a_write() {
    hold(true);
}
