//! The values that a writer writes, each recorded with its required outcome.

use crate::words::Written;
use crate::workload::End;
use crate::writer::Writer;

impl<E> Writer<E> {
    /// The record of the next write.
    pub(super) fn written(&mut self, kind: String) -> Written {
        self.number += 1;
        Written { number: self.number, kind, ..Written::default() }
    }

    fn next(&self, written: &Written) -> String {
        let before = written.kept.len() + written.perhaps.len() + written.dropped.len() + written.unknown.len();
        format!("{}.{}.{before}", self.name, self.number)
    }

    pub(super) fn value(&self, written: &mut Written, rolled_back: bool) -> String {
        if rolled_back { self.dropped(written) } else { self.kept(written) }
    }

    pub(super) fn kept(&self, written: &mut Written) -> String {
        let value = self.next(written);
        written.kept.push(value.clone());
        value
    }

    pub(super) fn perhaps(&self, written: &mut Written) -> String {
        let value = self.next(written);
        written.perhaps.push(value.clone());
        value
    }

    pub(super) fn dropped(&self, written: &mut Written) -> String {
        let value = self.next(written);
        written.dropped.push(value.clone());
        value
    }

    /// A value that may be committed or not, whatever the writer's outcome is.
    pub(super) fn unknown(&self, written: &mut Written) -> String {
        let value = self.next(written);
        written.unknown.push(value.clone());
        value
    }

    /// A value of a transaction with this end.
    pub(super) fn until(&self, end: End, written: &mut Written) -> String {
        self.value(written, end != End::Commit)
    }
}
