//! Inserts whose key the database generates, between their statement and its answer.
//!
//! Such a row cannot be insured before its key is returned. If the statement's future is dropped in between, by a
//! timeout or a `select!`, the row may exist with a key that is never known: that transaction must not commit.

use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

/// The state of one transaction or savepoint.
#[derive(Debug, Default)]
pub(crate) struct UnkeyedInserts {
    cut_off: AtomicBool,
}

impl UnkeyedInserts {
    /// Whether a row may exist whose key is not known.
    pub(crate) fn is_cut_off(&self) -> bool {
        self.cut_off.load(Relaxed)
    }

    /// A savepoint was released into this level.
    pub(crate) fn merge(&self, inner: &Self) {
        self.cut_off.fetch_or(inner.is_cut_off(), Relaxed);
    }

    /// The statement of such an insert begins. If this is dropped before [`InsertGuard::answered`], the insert was
    /// cut off.
    pub(crate) fn begin(&self) -> InsertGuard<'_> {
        InsertGuard { unkeyed: self, answered: false }
    }
}

#[derive(Debug)]
pub(crate) struct InsertGuard<'a> {
    unkeyed: &'a UnkeyedInserts,
    answered: bool,
}

impl InsertGuard<'_> {
    pub(crate) fn answered(mut self) {
        self.answered = true;
    }
}

impl Drop for InsertGuard<'_> {
    fn drop(&mut self) {
        if !self.answered {
            self.unkeyed.cut_off.store(true, Relaxed);
        }
    }
}
