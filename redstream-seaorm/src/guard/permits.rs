//! Permits: which write statements are announced by hooks and bulk operations.
//!
//! A hook knows the record; the connection sees only SQL. The hook leaves a permit, keyed by table and tokio task,
//! which the next statement consumes: SeaORM gives the two nothing else in common but the connection. A statement that
//! finds no permit bypasses the hooks.

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::sync::{Mutex, PoisonError};
use std::thread::ThreadId;
use std::time::{Duration, Instant};

use foldhash::fast::RandomState;
use redstream_core::NewMessage;
use sea_orm::sea_query::ValueTuple;

use crate::entity::generated_key::ReadKeys;
use crate::entity::stored_key::StoredKey;
use crate::entity::table_name::TableName;
use crate::guard::tables::WrittenTable;

/// A permit that is unused for this long was left for a statement that was never sent.
const STALE: Duration = Duration::from_secs(60);

/// The verb of a statement in a bulk operation whose text does not say what it writes.
pub(crate) const UNREAD: &str = "unread";

/// With this many tasks waiting, stale permits are removed.
const MANY: usize = 256;

/// What a save or delete does with its row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum WriteKind {
    Insert,
    Update,
    Delete,
}

/// What is to be done with a statement that a hook announces.
#[derive(Clone, Debug)]
#[expect(clippy::large_enum_variant, reason = "a box would be an allocation for each save")]
pub(crate) enum FollowUp {
    /// Nothing more: the hook does all of it, or nothing of this write is announced.
    None,
    /// Insure and announce the record's message, with the statement.
    Follow(Followed),
    /// The same, with keys that are only known from the answer.
    FollowAnswer(ReadKeys),
}

/// A record whose key the hook knows.
#[derive(Clone, Debug)]
pub(crate) struct Followed {
    /// The message of the key that the hook was given.
    pub(crate) message: NewMessage,
    pub(crate) key: ValueTuple,
    pub(crate) kind: WriteKind,
    /// Reads the key of a row that the statement returns.
    pub(crate) keys: ReadKeys,
    /// Reads the key that the database has, which may be another one.
    pub(crate) stored: Option<StoredKey>,
}

/// Work of a hook whose statement was not seen.
#[derive(Debug)]
pub(crate) struct Left {
    pub(crate) promise: FollowUp,
    /// The hook's task ran a statement that was not recognized as the announced one.
    pub(crate) passed: bool,
}

/// Permits of a transaction, or of a connection for statements outside of one.
#[derive(Debug, Default)]
pub(crate) struct Permits {
    waiting: Mutex<Waiting>,
    /// How many permits wait: while it is zero, statements skip the lookup.
    count: AtomicUsize,
}

#[derive(Debug, Default)]
struct Waiting {
    /// Accessed several times per save, so it does not use the standard library's hasher.
    by_task: HashMap<Task, Vec<Permit>, RandomState>,
    /// Tables of bulk operations, which may run any number of statements, in any task.
    open: Vec<TableName>,
    /// What these statements did with the tables: `INSERT`, `UPDATE`, …
    verbs: Vec<(TableName, &'static str)>,
    /// Statements whose text does not say what they write, each allowed in its task.
    unread: Vec<(Task, Instant)>,
}

#[derive(Debug)]
struct Permit {
    table: TableName,
    /// The message of the record that the hook was called for, if its key was known.
    message: Option<NewMessage>,
    promise: FollowUp,
    /// A statement does what was promised; the same statement may serve other hooks, too.
    used: bool,
    /// This task ran a statement that was not recognized as a write of the table.
    passed: bool,
    since: Instant,
}

impl Permits {
    /// The next statement of this task that writes the table is permitted.
    pub(crate) fn give(&self, table: TableName, message: Option<NewMessage>, promise: FollowUp) {
        let permit = Permit { table, message, promise, used: false, passed: false, since: Instant::now() };
        self.with(|waiting| {
            if waiting.by_task.len() > MANY {
                waiting.forget_the_stale();
            }
            waiting.by_task.entry(Task::current()).or_default().push(permit);
        });
    }

    /// Every statement that writes the table is permitted.
    pub(crate) fn open(&self, table: TableName) {
        self.with(|waiting| waiting.open.push(table));
    }

    /// The next statement of this task whose text does not say what it writes is permitted.
    pub(crate) fn give_unread(&self) {
        self.with(|waiting| {
            if waiting.unread.len() > MANY {
                waiting.unread.retain(|(_, since)| since.elapsed() < STALE);
            }
            waiting.unread.push((Task::current(), Instant::now()));
        });
    }

    /// What statements of a bulk operation did with its table: `INSERT`, `UPDATE`, …
    pub(crate) fn verbs(&self, table: &TableName) -> Vec<&'static str> {
        self.with(|waiting| waiting.verbs.iter().filter(|(of, _)| of == table).map(|(_, verb)| *verb).collect())
    }

    /// Consumes a permit for a statement that writes this table, if there is one. Returns all that was promised for the
    /// table: if several hooks came before, one statement may serve all of them, as SeaORM's inserts of links do.
    pub(crate) fn take(&self, table: &WrittenTable<'_>, verb: &'static str) -> Option<Vec<FollowUp>> {
        if self.is_empty() {
            return None;
        }
        self.with(|waiting| {
            let of_it = |permit: &Permit| table.is_answered_by(&permit.table);
            let mut promised = Vec::new();
            for permit in waiting.of_this_task().iter_mut().filter(|permit| of_it(permit)) {
                permit.used = true;
                promised.push(permit.promise.clone());
            }
            if promised.is_empty() {
                let open = waiting.open.iter().find(|open| table.is_answered_by(open))?.clone();
                if !waiting.verbs.contains(&(open.clone(), verb)) {
                    waiting.verbs.push((open, verb));
                }
                return Some(Vec::new());
            }
            waiting.remove(of_it);
            Some(promised)
        })
    }

    /// Consumes the permission for a statement whose text does not say what it writes, if there is one. A bulk
    /// operation names the keys of all that it writes, and so permits these, too.
    pub(crate) fn take_unread(&self) -> bool {
        if self.is_empty() {
            return false;
        }
        self.with(|waiting| {
            let task = Task::current();
            let at = waiting.unread.iter().position(|(of, _)| *of == task);
            if at.map(|at| waiting.unread.remove(at)).is_some() {
                return true;
            }
            for table in &waiting.open {
                let written = (table.clone(), UNREAD);
                if !waiting.verbs.contains(&written) {
                    waiting.verbs.push(written);
                }
            }
            !waiting.open.is_empty()
        })
    }

    /// A statement of this task writes a table for which there is no permit here.
    pub(crate) fn passed_by(&self) {
        if !self.is_empty() {
            self.with(|waiting| waiting.of_this_task().iter_mut().for_each(|permit| permit.passed = true));
        }
    }

    /// The hook after the write takes back the permit that was left for it, if it still exists. Returns what is still
    /// to be done, if no statement was seen to do it.
    pub(crate) fn withdraw(&self, table: &TableName, message: &NewMessage) -> Option<Left> {
        if self.is_empty() {
            return None;
        }
        // A permit without a key may be this record's; not if a statement has used it, since it may belong to the next
        // record.
        let its = |permit: &Permit| {
            permit.table == *table && permit.message.as_ref().map_or(!permit.used, |of| of == message)
        };
        let permit = self.with(|waiting| waiting.remove(its))?;
        (!permit.used).then_some(Left { promise: permit.promise, passed: permit.passed })
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.count.load(Relaxed) == 0
    }

    fn with<R>(&self, change: impl FnOnce(&mut Waiting) -> R) -> R {
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        let changed = change(&mut waiting);
        self.count.store(waiting.by_task.len() + waiting.open.len() + waiting.unread.len(), Relaxed);
        changed
    }
}

impl Waiting {
    fn of_this_task(&mut self) -> &mut [Permit] {
        self.by_task.get_mut(&Task::current()).map(Vec::as_mut_slice).unwrap_or_default()
    }

    /// Removes the first permit of this task that matches.
    fn remove(&mut self, meant: impl Fn(&Permit) -> bool) -> Option<Permit> {
        let task = Task::current();
        let permits = self.by_task.get_mut(&task)?;
        let at = permits.iter().position(meant)?;
        let permit = permits.remove(at);
        if permits.is_empty() {
            self.by_task.remove(&task);
        }
        Some(permit)
    }

    fn forget_the_stale(&mut self) {
        self.by_task.retain(|_, permits| {
            permits.retain(|permit| permit.since.elapsed() < STALE);
            !permits.is_empty()
        });
    }
}

/// The tokio task; outside of any, the thread, which a blocked-on future does not leave.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Task {
    Tokio(tokio::task::Id),
    Thread(ThreadId),
}

impl Task {
    pub(crate) fn current() -> Self {
        tokio::task::try_id().map_or_else(|| Self::Thread(std::thread::current().id()), Self::Tokio)
    }
}
