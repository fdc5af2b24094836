//! Which write statements hooks and bulk operations answer for.
//!
//! A hook knows the record, the statement that follows knows that it runs; a permit is what the one leaves for the other. SeaORM
//! gives them nothing in common but the connection, so a permit is left for a table and for the tokio task, in which one follows
//! the other. A statement that finds none goes round the hooks.

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
use crate::guard::tables::Target;

/// A permit that nobody used for so long was left for a statement that was never sent.
const STALE: Duration = Duration::from_secs(60);

/// The verb of a statement in a bulk operation whose text does not tell what it writes.
pub(crate) const UNREAD: &str = "unread";

/// With so many tasks waiting, stale permits are looked for.
const MANY: usize = 256;

/// What a save or delete does with its row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum WriteKind {
    Insert,
    Update,
    Delete,
}

/// What a hook wants to be done with the statement that it announces.
#[derive(Clone, Debug)]
pub(crate) enum FollowUp {
    /// Nothing more: the hook sees to all of it, or nothing of this write is announced.
    None,
    /// Insure and announce the record's message, with the statement.
    Follow(Followed),
    /// The same, with keys that only the answer will tell.
    FollowAnswer(ReadKeys),
}

/// A record whose key the hook knows.
#[derive(Clone, Debug)]
pub(crate) struct Followed {
    /// Of the key that the hook was given.
    pub(crate) message: NewMessage,
    pub(crate) key: ValueTuple,
    pub(crate) kind: WriteKind,
    /// Reads the key of a row that the statement gives back.
    pub(crate) keys: ReadKeys,
    /// Reads the key that the database has, which may be another one.
    pub(crate) stored: Option<StoredKey>,
}

/// What no statement was seen to do.
#[derive(Debug)]
pub(crate) struct Left {
    pub(crate) promise: FollowUp,
    /// A statement of the hook's task came by that was not recognized as the one.
    pub(crate) passed: bool,
}

/// Permits of a transaction, or of a connection for what runs outside of one.
#[derive(Debug, Default)]
pub(crate) struct Permits {
    waiting: Mutex<Waiting>,
    /// How many wait: lets statements pass that nobody announced, without a look.
    count: AtomicUsize,
}

#[derive(Debug, Default)]
struct Waiting {
    /// Looked into several times a save, hence not with the standard library's hashing.
    by_task: HashMap<Task, Vec<Permit>, RandomState>,
    /// Tables of bulk operations, whose statements may be any number, in any task.
    open: Vec<TableName>,
    /// What these statements did with the tables: `INSERT`, `UPDATE`, …
    verbs: Vec<(TableName, &'static str)>,
    /// Statements whose text does not tell what they write, each allowed in its task.
    unread: Vec<(Task, Instant)>,
}

#[derive(Debug)]
struct Permit {
    table: TableName,
    /// Of the record that the hook was called for, where its key was known.
    message: Option<NewMessage>,
    promise: FollowUp,
    /// A statement does what was promised; it may be that of other hooks, too.
    used: bool,
    /// A statement of this task came by that was not recognized as a write of the table.
    passed: bool,
    since: Instant,
}

impl Permits {
    /// The next statement of this task that writes the table is answered for.
    pub(crate) fn give(&self, table: TableName, message: Option<NewMessage>, promise: FollowUp) {
        let permit = Permit { table, message, promise, used: false, passed: false, since: Instant::now() };
        self.with(|waiting| {
            if waiting.by_task.len() > MANY {
                waiting.forget_the_stale();
            }
            waiting.by_task.entry(Task::current()).or_default().push(permit);
        });
    }

    /// Every statement that writes the table is answered for.
    pub(crate) fn open(&self, table: TableName) {
        self.with(|waiting| waiting.open.push(table));
    }

    /// The next statement of this task whose text does not tell what it writes is answered for.
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

    /// Uses up a permit for a statement that writes this table, if there is one. Returns all that was promised for the table:
    /// where several hooks came before, one statement may be that of all of them, as SeaORM's inserts of links are.
    pub(crate) fn take(&self, table: &Target<'_>, verb: &'static str) -> Option<Vec<FollowUp>> {
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

    /// Uses up the permission for a statement whose text does not tell what it writes, if there is one. A bulk operation names the keys
    /// of all that it writes, and so answers for these, too.
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

    /// A statement of this task writes what no permit here is for.
    pub(crate) fn passed_by(&self) {
        if !self.is_empty() {
            self.with(|waiting| waiting.of_this_task().iter_mut().for_each(|permit| permit.passed = true));
        }
    }

    /// The hook after the write takes back the permit that was left for it, if it is still there. Returns what is still to be
    /// done, if no statement was seen to do it.
    pub(crate) fn withdraw(&self, table: &TableName, message: &NewMessage) -> Option<Left> {
        if self.is_empty() {
            return None;
        }
        // One without a key may be this record's; not where a statement has used it, since the next may be meant.
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

    /// Removes the first permit of this task that is meant.
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

/// The tokio task; outside of any, the thread, on which a future that is blocked on stays.
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
