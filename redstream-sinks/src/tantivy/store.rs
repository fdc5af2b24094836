//! The writer of the index.
//!
//! A write puts its changes in a queue. If no thread leads, the write's thread does: it takes all that is queued,
//! commits it at once, and goes on until the queue is empty. So the writes of several streams share their commits, and
//! the documents of one are built while another's are committed.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use ::tantivy::{Index, IndexReader, IndexWriter, Opstamp, ReloadPolicy, Searcher, TantivyDocument, TantivyError};
use tokio::sync::oneshot;

use crate::tantivy::error::Error;
use crate::tantivy::fields::OwnFields;
use crate::tantivy::lookup::{find, highest_version};
use crate::tantivy::metrics;
use crate::tantivy::tombstones;
use crate::tantivy::writer::Options;

/// How often old tombstones are looked for, at most.
const PURGE: Duration = Duration::from_secs(600);

/// A document or a tombstone that takes the place of what the index has of the key.
#[derive(Debug)]
pub(crate) struct Change {
    pub(crate) key: Vec<u8>,
    pub(crate) document: TantivyDocument,
}

/// The changes of one write.
#[derive(Debug)]
pub(crate) struct Job {
    pub(crate) version: u64,
    pub(crate) changes: Vec<Change>,
    pub(crate) done: oneshot::Sender<Result<Superseded, Broken>>,
}

/// Which changes are too late, and the version that the index has.
pub(crate) type Superseded = Vec<(usize, u64)>;

/// Why a commit failed, for each of its writes.
#[derive(Clone, Debug)]
pub(crate) struct Broken {
    attempt: &'static str,
    source: TantivyError,
}

impl From<Broken> for Error {
    fn from(Broken { attempt, source }: Broken) -> Self {
        Self::of(attempt, source)
    }
}

fn broken(attempt: &'static str) -> impl Fn(TantivyError) -> Broken {
    move |source| Broken { attempt, source }
}

pub(crate) struct Store {
    index: Index,
    pub(crate) fields: OwnFields,
    /// Of the last commit of this process, or a later one.
    pub(crate) reader: IndexReader,
    /// The commit that the reader has; `None` if that is unknown.
    read: Mutex<Option<Opstamp>>,
    options: Options,
    entity: &'static str,
    queue: Mutex<Queue>,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct Queue {
    jobs: Vec<Job>,
    is_led: bool,
}

#[derive(Default)]
struct State {
    /// `None` before the first write, and after a failure: what a writer has at hand then is unknown.
    writer: Option<IndexWriter>,
    /// No document has a higher version.
    highest: u64,
    purged: Option<Instant>,
}

impl Store {
    pub(crate) fn new(index: Index, options: Options, entity: &'static str) -> Result<Self, Error> {
        let fields = OwnFields::of(&index.schema())?;
        let reader = index.reader_builder().reload_policy(ReloadPolicy::Manual).try_into();
        let reader = reader.map_err(Error::index("open the index"))?;
        let (read, queue, state) = (Mutex::default(), Mutex::default(), Mutex::default());
        Ok(Self { index, fields, reader, read, options, entity, queue, state })
    }

    pub(crate) fn index(&self) -> &Index {
        &self.index
    }

    /// Acquires the index's lock if this store does not have it yet.
    pub(crate) fn open(&self) -> Result<(), Error> {
        let mut state = lock(&self.state);
        if state.writer.is_none() {
            let writer = self.writer(&mut state)?;
            state.writer = self.options.keep(writer);
        }
        Ok(())
    }

    /// The last commit, of whichever process. Blocks.
    pub(crate) fn newest(&self) -> Result<Searcher, TantivyError> {
        let last = self.index.load_metas()?.opstamp;
        let mut read = lock(&self.read);
        if *read != Some(last) {
            *read = None;
            self.reader.reload()?;
            *read = Some(last);
        }
        drop(read);
        Ok(self.reader.searcher())
    }

    /// Queues the job, and works until nothing is queued unless another thread does. Blocks.
    pub(crate) fn submit(&self, job: Job) {
        {
            let mut queue = lock(&self.queue);
            queue.jobs.push(job);
            if std::mem::replace(&mut queue.is_led, true) {
                return;
            }
        }
        let leader = Leader(self);
        loop {
            let jobs = {
                let mut queue = lock(&self.queue);
                if queue.jobs.is_empty() {
                    queue.is_led = false;
                    std::mem::forget(leader);
                    return;
                }
                std::mem::take(&mut queue.jobs)
            };
            self.run(jobs);
        }
    }

    fn run(&self, jobs: Vec<Job>) {
        let mut state = lock(&self.state);
        let began = Instant::now();
        let (jobs, waiting): (Vec<_>, Vec<_>) =
            jobs.into_iter().map(|Job { version, changes, done }| ((version, changes), done)).unzip();
        let written = self.write(&mut state, jobs);
        drop(state);
        let outcome = match &written {
            Ok((_, false)) => None,
            Ok((_, true)) => Some("committed"),
            Err(_) => Some("failed"),
        };
        if let Some(outcome) = outcome {
            ::metrics::counter!(metrics::COMMITS, "entity" => self.entity, "outcome" => outcome).increment(1);
            ::metrics::histogram!(metrics::COMMIT_SECONDS, "entity" => self.entity)
                .record(began.elapsed().as_secs_f64());
        }
        // A write that is no longer waited for is done nevertheless.
        match written {
            Ok((superseded, _)) => {
                for (done, superseded) in waiting.into_iter().zip(superseded) {
                    _ = done.send(Ok(superseded));
                }
            }
            Err(error) => waiting.into_iter().for_each(|done| _ = done.send(Err(error.clone()))),
        }
    }

    /// Commits these changes, and returns which of them are too late, and whether anything was to be committed.
    fn write(&self, state: &mut State, jobs: Vec<(u64, Vec<Change>)>) -> Result<(Vec<Superseded>, bool), Broken> {
        // After an error or a panic it does not come back, and its uncommitted changes are dropped with it.
        let mut writer = match state.writer.take() {
            Some(writer) => writer,
            None => self.writer(state)?,
        };
        let searcher = self.reader.searcher();
        let shares = jobs.len() > 1;
        let mut pending: HashMap<Vec<u8>, u64> = HashMap::new();
        let mut has_changes = false;
        let mut superseded = Vec::with_capacity(jobs.len());
        for (version, changes) in jobs {
            // The usual case: no document is newer, so that none is looked for.
            let may_be_late = version < state.highest;
            let mut late = Superseded::new();
            for (nth, Change { key, document }) in changes.into_iter().enumerate() {
                if may_be_late {
                    let committed = find(&searcher, &self.fields, &key).map_err(broken("look a version up"))?;
                    let newest = committed.map(|found| found.version).max(pending.get(&key).copied());
                    if let Some(newest) = newest.filter(|newest| *newest > version) {
                        late.push((nth, newest));
                        continue;
                    }
                }
                writer.delete_term(self.fields.term(&key));
                writer.add_document(document).map_err(broken("add a document"))?;
                if shares {
                    pending.insert(key, version);
                }
                has_changes = true;
            }
            state.highest = state.highest.max(version);
            superseded.push(late);
        }
        if has_changes {
            let purges = state.purged.is_none_or(|last| last.elapsed() >= PURGE);
            if purges {
                tombstones::remove_old(&writer, &searcher, &self.fields, self.options.keep)
                    .map_err(broken("remove old tombstones"))?;
            }
            let commit = writer.commit().map_err(broken("commit"))?;
            let mut read = lock(&self.read);
            *read = None;
            self.reader.reload().map_err(broken("read the commit"))?;
            *read = Some(commit);
            drop(read);
            if purges {
                state.purged = Some(Instant::now());
            }
        }
        state.writer = self.options.keep(writer);
        Ok((superseded, has_changes))
    }

    fn writer(&self, state: &mut State) -> Result<IndexWriter, Broken> {
        let writer = self.options.writer(&self.index).map_err(broken("open a writer"))?;
        // Another process may have written before this one had the lock.
        let searcher = self.newest().map_err(broken("open the index"))?;
        state.highest = highest_version(&searcher).map_err(broken("read the highest version"))?;
        Ok(writer)
    }
}

/// Has the lead; if its thread panics, others can take it, and none of the queued writes waits for ever.
struct Leader<'s>(&'s Store);

impl Drop for Leader<'_> {
    fn drop(&mut self) {
        *lock(&self.0.queue) = Queue::default();
    }
}

/// What a panic left is as a failure leaves it.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
