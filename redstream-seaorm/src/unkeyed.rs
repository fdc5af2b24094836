//! Inserts whose key the database generates, between their statement and its answer.
//!
//! Nobody can insure such a row before its key comes back. Where the statement's future is dropped in between, by a timeout or
//! a `select!`, the row may be there and its key never be known: that transaction must not commit.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed};

/// Of one transaction or savepoint.
#[derive(Debug, Default)]
pub(crate) struct Unkeyed {
    /// Begun, and not known to have ended with a key.
    open: AtomicUsize,
    cut_off: AtomicBool,
}

impl Unkeyed {
    /// An insert begins whose key is not known.
    pub(crate) fn begun(&self) {
        self.open.fetch_add(1, Relaxed);
    }

    /// Its key came back.
    pub(crate) fn known(&self) {
        // Below zero it would go where a hook is called that never began.
        let _ = self.open.fetch_update(Relaxed, Relaxed, |open| open.checked_sub(1));
    }

    /// Whether a row may be there whose key nobody knows.
    pub(crate) fn is_cut_off(&self) -> bool {
        self.cut_off.load(Relaxed)
    }

    /// A savepoint was released into this level.
    pub(crate) fn merge(&self, inner: &Self) {
        self.open.fetch_add(inner.open.load(Relaxed), Relaxed);
        self.cut_off.fetch_or(inner.is_cut_off(), Relaxed);
    }

    /// Runs a statement, and notes if its future is dropped before it is through.
    pub(crate) async fn watch<F: Future>(&self, statement: F) -> F::Output {
        let mut watch = Watch { unkeyed: self, through: false };
        let output = statement.await;
        watch.through = true;
        output
    }
}

struct Watch<'a> {
    unkeyed: &'a Unkeyed,
    through: bool,
}

impl Drop for Watch<'_> {
    fn drop(&mut self) {
        if !self.through && self.unkeyed.open.load(Relaxed) > 0 {
            self.unkeyed.cut_off.store(true, Relaxed);
        }
    }
}
