//! The unit of work: one open transaction or savepoint, and what it has to insure and to announce.
//!
//! A database commits or releases the innermost level, and SeaORM passes on what it is told. With a savepoint open
//! inside, a commit therefore releases the savepoint and commits nothing; and the commit of a savepoint whose
//! transaction is over commits that transaction. Neither would match what was insured and is announced. So each level
//! knows which others are open.
//!
//! # Layout
//! A hook notes a message in [`UnitOfWork`]; the `delay_pipeline` sends it while statements run; `commit` waits for the
//! pipeline or writes the outbox, commits, and passes the `announcement` to what is `shared` with the connection.
//! `message_set`, `unkeyed_insert`, `hook_calls`, `liveness` and `insurance` are parts of the state; `futures` are
//! tools.
//!
//! May use `guard`, `outbox`, `fault` and `error`.

pub(crate) mod announcement;
pub(crate) mod commit;
pub(crate) mod delay_pipeline;
pub(crate) mod futures;
pub(crate) mod hook_calls;
pub(crate) mod insurance;
pub(crate) mod liveness;
pub(crate) mod message_set;
pub(crate) mod shared;
mod stream_watch;
pub(crate) mod unkeyed_insert;

use std::ops::Deref;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use redstream_core::NewMessage;

use self::announcement::DeferredAnnouncement;
use self::delay_pipeline::DelayPipeline;
use self::hook_calls::Calls;
use self::insurance::Insurance;
use self::liveness::Life;
use self::message_set::OrderedMessageSet;
use self::shared::Shared;
use self::unkeyed_insert::UnkeyedInserts;
use crate::error::Error;
use crate::guard::Changing;
use crate::guard::permits::Permits;

/// One open transaction or savepoint.
///
/// Keys to announce belong to the savepoint: its rollback drops them, its release moves them to the level above. The
/// delay messages belong to the whole transaction; with the outbox, keys are insured by the level, whose rollback drops
/// its rows.
#[derive(Debug)]
pub(crate) struct UnitOfWork {
    pub(crate) shared: Arc<Shared>,
    pub(crate) delays: Arc<DelayPipeline>,
    level: Level,
    pub(crate) permits: Permits,
    pub(crate) calls: Calls,
    pub(crate) unkeyed: UnkeyedInserts,
    pub(crate) deferred: DeferredAnnouncement,
    parent: Option<Arc<UnitOfWork>>,
    changes: Mutex<Changes>,
    /// For statements that change views: other transactions see the change after the commit.
    changing: Mutex<Vec<Changing>>,
}

#[derive(Debug, Default)]
struct Changes {
    announced: OrderedMessageSet,
    /// Messages that are insured and not announced; kept if the outbox may have to insure them.
    insured: OrderedMessageSet,
    /// Noted by hooks, and not processed yet.
    noted: Vec<Noted>,
}

/// A message of a write whose statement is about to be sent.
#[derive(Debug)]
struct Noted {
    message: NewMessage,
    /// The commit also announces it.
    announced: bool,
}

/// The state of one level.
#[derive(Debug, Default)]
pub(crate) struct Level {
    over: AtomicBool,
    /// A savepoint whose changes now belong to the enclosing level.
    released: AtomicBool,
    /// Open savepoints inside, at any depth.
    savepoints: AtomicUsize,
    /// The state of the whole transaction, if this is its outermost level.
    life: Life,
}

impl UnitOfWork {
    pub(crate) fn outermost(shared: Arc<Shared>) -> Arc<Self> {
        let delays = DelayPipeline::new(shared.clone());
        Arc::new(Self::new(shared, delays, None))
    }

    pub(crate) fn savepoint(self: &Arc<Self>) -> Arc<Self> {
        self.work_off();
        Arc::new(Self::new(self.shared.clone(), self.delays.clone(), Some(self.clone())))
    }

    fn new(shared: Arc<Shared>, delays: Arc<DelayPipeline>, parent: Option<Arc<Self>>) -> Self {
        Self {
            shared,
            delays,
            level: Level::default(),
            permits: Permits::default(),
            calls: Calls::default(),
            unkeyed: UnkeyedInserts::default(),
            deferred: DeferredAnnouncement::default(),
            parent,
            changes: Mutex::default(),
            changing: Mutex::default(),
        }
    }

    pub(crate) fn is_savepoint(&self) -> bool {
        self.parent.is_some()
    }

    /// The level that encloses this savepoint.
    pub(crate) fn parent(&self) -> Option<&Self> {
        self.parent.as_deref()
    }

    /// This level's permits, then those of the enclosing levels.
    pub(crate) fn all_permits(&self) -> impl Iterator<Item = &Permits> + Clone {
        std::iter::successors(Some(self), |unit| unit.parent()).map(|unit| &unit.permits)
    }

    /// Keeps this until the whole transaction is over.
    pub(crate) fn keep(&self, changing: Option<Changing>) {
        let outermost = std::iter::successors(Some(self), |unit| unit.parent()).last();
        if let (Some(changing), Some(outermost)) = (changing, outermost) {
            outermost.changing.lock().unwrap_or_else(PoisonError::into_inner).push(changing);
        }
    }

    /// Whether no message was ever added.
    pub(crate) fn is_empty(&self) -> bool {
        self.work_off();
        let changes = self.changes();
        changes.announced.is_empty() && changes.insured.is_empty() && self.delays.is_empty()
    }

    /// Called before the statement that writes this record. While the database works on that statement, its message is
    /// insured, and, if wanted, marked to be announced after the commit. Errors if [`insure`](Self::insure) would.
    pub(crate) fn note(&self, message: NewMessage, announced: bool) -> Result<(), Error> {
        self.delays.check()?;
        self.changes().noted.push(Noted { message, announced });
        Ok(())
    }

    /// Processes what was noted. Called when a statement has been sent, and before anything that needs the complete
    /// set.
    pub(crate) fn work_off(&self) {
        let noted = std::mem::take(&mut self.changes().noted);
        if noted.is_empty() {
            return;
        }
        // The commit finds the same error again and returns it.
        let _ = self.insure_now(noted.iter().map(|noted| noted.message.clone()));
        let announced = noted.into_iter().filter(|noted| noted.announced);
        self.changes().announced.add_all(announced.map(|noted| noted.message));
    }

    /// Insures messages; this alone does not announce them.
    pub(crate) fn insure(&self, messages: impl IntoIterator<Item = NewMessage>) -> Result<(), Error> {
        self.work_off();
        self.insure_now(messages)
    }

    /// Insures messages that differ from one another, and has the commit announce them.
    pub(crate) fn follow_distinct(&self, messages: Vec<NewMessage>) -> Result<(), Error> {
        self.work_off();
        if self.shared.settings.insurance != Insurance::Redis {
            self.changes().insured.add_distinct(messages.clone());
        }
        self.delays.send_distinct(messages.clone())?;
        self.changes().announced.add_distinct(messages);
        Ok(())
    }

    fn insure_now(&self, messages: impl IntoIterator<Item = NewMessage>) -> Result<(), Error> {
        if self.shared.settings.insurance == Insurance::Redis {
            return self.delays.send(messages);
        }
        let messages: Vec<_> = messages.into_iter().collect();
        self.changes().insured.add_all(messages.iter().cloned());
        self.delays.send(messages)
    }

    /// Messages to announce after the commit.
    pub(crate) fn announce_later(&self, messages: impl IntoIterator<Item = NewMessage>) {
        self.work_off();
        self.changes().announced.add_all(messages);
    }

    /// Takes the messages to announce; nothing is left to announce afterwards.
    pub(crate) fn take_announcements(&self) -> Vec<NewMessage> {
        self.work_off();
        std::mem::take(&mut self.changes().announced).into_vec()
    }

    /// All that this transaction changed and did not roll back, as far as it was recorded.
    pub(crate) fn take_all(&self) -> Vec<NewMessage> {
        self.work_off();
        let Changes { mut announced, insured, noted: _ } = std::mem::take(&mut *self.changes());
        announced.add_all(insured.into_vec());
        announced.into_vec()
    }

    /// What this level and the enclosing levels have changed so far, as far as it was recorded; it is not taken from
    /// them.
    pub(crate) fn changed_so_far(&self) -> Vec<NewMessage> {
        let mut all = OrderedMessageSet::default();
        for unit in std::iter::successors(Some(self), |unit| unit.parent()) {
            unit.work_off();
            let changes = unit.changes();
            all.add_all(changes.announced.as_slice().iter().chain(changes.insured.as_slice()).cloned());
        }
        all.into_vec()
    }

    /// Called when the savepoint was released: its changes now belong to the outer level.
    pub(crate) fn released(&self) {
        self.work_off();
        self.level.released.store(true, SeqCst);
        if let Some(parent) = &self.parent {
            let inner = std::mem::take(&mut *self.changes());
            let mut outer = parent.changes();
            outer.announced.add_distinct(inner.announced.into_vec());
            outer.insured.add_distinct(inner.insured.into_vec());
            drop(outer);
            parent.unkeyed.merge(&self.unkeyed);
        }
    }

    /// Errors if a commit of this level would commit another level.
    pub(crate) fn may_commit(&self) -> Result<(), Error> {
        if self.outer_levels().any(|outer| outer.level.over.load(SeqCst)) {
            Err(Error::Outlived)
        } else if self.level.savepoints.load(SeqCst) > 0 {
            Err(Error::OpenSavepoint)
        } else {
            Ok(())
        }
    }

    /// The state of the transaction that this level belongs to.
    pub(crate) fn life(&self) -> &Life {
        &self.outermost_level().level.life
    }

    /// How many savepoints of the whole transaction are open.
    pub(crate) fn open_savepoints(&self) -> usize {
        self.outermost_level().level.savepoints.load(SeqCst)
    }

    /// Whether this savepoint was not released while sibling savepoints are open. A driver knows savepoints by their
    /// number alone: it has then rolled back the changes of another savepoint, and kept the changes of this one.
    fn took_others_with_it(&self) -> bool {
        if !self.is_savepoint() || self.level.released.load(SeqCst) {
            return false;
        }
        let is_open = |outer: &&Self| outer.is_savepoint() && !outer.level.over.load(SeqCst);
        let around = self.outer_levels().filter(is_open).count();
        self.open_savepoints() > around + 1 + self.level.savepoints.load(SeqCst)
    }

    fn outermost_level(&self) -> &Self {
        self.outer_levels().last().unwrap_or(self)
    }

    fn outer_levels(&self) -> impl Iterator<Item = &Self> {
        std::iter::successors(self.parent(), |unit| unit.parent())
    }

    fn changes(&self) -> MutexGuard<'_, Changes> {
        self.changes.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A level that is open until this is dropped, by a commit, by a rollback or without either.
#[derive(Debug)]
pub(crate) struct Open(Arc<UnitOfWork>);

impl Open {
    pub(crate) fn new(unit: Arc<UnitOfWork>) -> Self {
        for outer in unit.outer_levels() {
            outer.level.savepoints.fetch_add(1, SeqCst);
        }
        Self(unit)
    }
}

impl Deref for Open {
    type Target = Arc<UnitOfWork>;

    fn deref(&self) -> &Arc<UnitOfWork> {
        &self.0
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        if self.took_others_with_it() {
            self.life().end();
        }
        self.level.over.store(true, SeqCst);
        for outer in self.outer_levels() {
            outer.level.savepoints.fetch_sub(1, SeqCst);
        }
    }
}
