//! Which levels of a transaction are open, and so which may commit.
//!
//! A database commits or releases whatever is innermost, and SeaORM passes on what it is told. With a savepoint open
//! inside, a commit thus releases the savepoint and commits nothing; and the commit of a savepoint whose transaction is over
//! commits that transaction. Neither would do what it says, nor what was insured and is announced.

use std::ops::Deref;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};

use crate::Error;
use crate::ended::Life;
use crate::scope::Scope;

/// What is known of one level.
#[derive(Debug, Default)]
pub(crate) struct Level {
    over: AtomicBool,
    /// Open savepoints inside, at any depth.
    savepoints: AtomicUsize,
    /// Of the whole transaction, if this is its outermost level.
    life: Life,
}

impl Scope {
    /// Errors where a commit of this level would be one of another.
    pub(crate) fn may_commit(&self) -> Result<(), Error> {
        if self.outer_levels().any(|outer| outer.level.over.load(SeqCst)) {
            Err(Error::Outlived)
        } else if self.level.savepoints.load(SeqCst) > 0 {
            Err(Error::OpenSavepoint)
        } else {
            Ok(())
        }
    }

    /// Whether the database still has the transaction that this level is of.
    pub(crate) fn life(&self) -> &Life {
        &self.outermost_level().level.life
    }

    /// How many savepoints of the whole transaction are open.
    pub(crate) fn open_savepoints(&self) -> usize {
        self.outermost_level().level.savepoints.load(SeqCst)
    }

    fn outermost_level(&self) -> &Self {
        self.outer_levels().last().unwrap_or(self)
    }

    fn outer_levels(&self) -> impl Iterator<Item = &Self> {
        std::iter::successors(self.parent(), |scope| scope.parent())
    }
}

/// A level that is open until this is dropped, by a commit, a rollback or on its own.
#[derive(Debug)]
pub(crate) struct Open(Arc<Scope>);

impl Open {
    pub(crate) fn new(scope: Arc<Scope>) -> Self {
        for outer in scope.outer_levels() {
            outer.level.savepoints.fetch_add(1, SeqCst);
        }
        Self(scope)
    }
}

impl Deref for Open {
    type Target = Arc<Scope>;

    fn deref(&self) -> &Arc<Scope> {
        &self.0
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        self.level.over.store(true, SeqCst);
        for outer in self.outer_levels() {
            outer.level.savepoints.fetch_sub(1, SeqCst);
        }
    }
}
