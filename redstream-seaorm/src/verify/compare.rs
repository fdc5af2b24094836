//! Compares page by page.

use std::cmp::Ordering;
use std::collections::HashMap;
use std::iter::Peekable;
use std::vec::IntoIter;

use foldhash::fast::RandomState;
use sea_orm::ConnectionTrait;
use tokio::task::yield_now;

use crate::entity::key::Key;
use crate::entity::streamed::Streamed;
use crate::index::loader::Loader;
use crate::index::scan::Scan;
use crate::verify::error::VerifyError;
use crate::verify::order::compare;
use crate::verify::page::{Page, Part};
use crate::verify::pass::Pass;
use crate::verify::report::DifferenceKind;
use crate::verify::sides::Keyed;
use crate::verify::suspect::Suspect;

/// After so many comparisons the reads that are under way go on: a driver reads few rows ahead (SQLite's 50), and would
/// otherwise wait for the end of the page.
const YIELD_AFTER: usize = 32;

/// What is left of a range of keys of which not all documents were read: they may be many more than the records.
pub(super) struct Range<E, R> {
    records: Peekable<IntoIter<(Key<E>, R)>>,
    /// The last key of either side that was compared.
    before: Option<Key<E>>,
    until: Key<E>,
}

impl<E, C, S, L> Pass<'_, E, C, S, L>
where
    E: Streamed,
    C: ConnectionTrait + Send + Sync + 'static,
    L: Loader<E, C>,
    S: Scan<E, L::Record>,
{
    /// Compares a page; what differs becomes a suspect. Returns what is left of its range, which has to be
    /// [continued](Self::continue_range).
    pub(super) async fn compare(
        &mut self,
        page: Page<E, L::Record, S::Document>,
    ) -> Result<Option<Range<E, L::Record>>, VerifyError> {
        let Page { part, records, documents, position } = page;
        self.report.position = position.as_ref().map(Key::to_json).or(self.report.position.take());
        match part {
            Part::Merged { after, until } => {
                let mut records = records;
                // Mostly they are in order already.
                records.sort_by(|(one, _), (other, _)| order(one, other));
                let range = Range { records: records.into_iter().peekable(), before: after, until };
                return self.compare_range(range, documents).await;
            }
            Part::Rows => self.compare_rows(records, documents),
            Part::Documents { after } => self.compare_documents(after, records, documents),
        }
        Ok(None)
    }

    /// Compares the next page of documents of a range.
    pub(super) async fn continue_range(
        &mut self,
        range: Range<E, L::Record>,
    ) -> Result<Option<Range<E, L::Record>>, VerifyError> {
        let documents = self.sides.scan(range.before.as_ref(), Some(&range.until)).await?;
        self.compare_range(range, documents).await
    }

    async fn compare_range(
        &mut self,
        mut range: Range<E, L::Record>,
        documents: Keyed<E, S::Document>,
    ) -> Result<Option<Range<E, L::Record>>, VerifyError> {
        let Range { records, before, until } = &mut range;
        let is_last = documents.len() < self.sides.options.page_size;
        let mut extra: Vec<Suspect<E>> = Vec::new();
        for (nth, (key, document)) in documents.into_iter().enumerate() {
            if nth % YIELD_AFTER == YIELD_AFTER - 1 {
                yield_now().await;
            }
            if before.as_ref().is_some_and(|before| order(before, &key).is_eq()) {
                match extra.last_mut().filter(|suspect| suspect.key == key) {
                    Some(suspect) => suspect.is_double = true,
                    None => self.doubled(&key),
                }
                continue;
            }
            while let Some((missing, _)) = records.next_if(|(record, _)| order(record, &key).is_lt()) {
                self.missing(missing, before);
            }
            match records.next_if(|(record, _)| order(record, &key).is_eq()) {
                Some((_, record)) => self.compare_one(&key, &record, &document, before.as_ref()),
                None => extra.push(Suspect::new(key.clone(), DifferenceKind::Extra, before.take())),
            }
            *before = Some(key);
        }
        let is_whole = is_last || before.as_ref() == Some(until);
        self.suspect_extra(extra).await?;
        if !is_whole {
            return Ok(Some(range));
        }
        for (missing, _) in records {
            self.missing(missing, before);
        }
        Ok(None)
    }

    /// A record without a document.
    fn missing(&mut self, key: Key<E>, before: &mut Option<Key<E>>) {
        self.report.compared += 1;
        self.fresh.push(Suspect::new(key.clone(), DifferenceKind::Missing, before.replace(key)));
    }

    fn compare_one(&mut self, key: &Key<E>, record: &L::Record, document: &S::Document, before: Option<&Key<E>>) {
        self.report.compared += 1;
        let error = match self.sides.is_current(key, record, document) {
            Ok(true) => {
                self.report.matching += 1;
                return;
            }
            differs => differs.err(),
        };
        let suspect = Suspect::new(key.clone(), DifferenceKind::Stale, before.cloned());
        self.fresh.push(Suspect { error, ..suspect });
    }

    fn compare_rows(&mut self, records: Keyed<E, L::Record>, documents: Keyed<E, S::Document>) {
        let mut documents: HashMap<_, _, RandomState> = documents.into_iter().collect();
        for (key, record) in records {
            if let Some(document) = documents.remove(&key) {
                self.compare_one(&key, &record, &document, None);
            } else {
                self.report.compared += 1;
                self.fresh.push(Suspect::new(key, DifferenceKind::Missing, None));
            }
        }
    }

    /// Documents that were not compared with rows: each needs a record.
    fn compare_documents(
        &mut self,
        mut before: Option<Key<E>>,
        records: Keyed<E, L::Record>,
        documents: Keyed<E, S::Document>,
    ) {
        // A table without rows has no key by which this was known before.
        self.is_merged &= documents.first().is_none_or(|(key, _)| self.sides.is_sorted_alike(key));
        let records: HashMap<_, _, RandomState> = records.into_iter().collect();
        let is_new = self.is_merged && !self.sides.options.is_part;
        for (key, document) in documents {
            match records.get(&key) {
                _ if before.as_ref() == Some(&key) => self.doubled(&key),
                None => {
                    self.report.compared += 1;
                    self.fresh.push(Suspect::new(key.clone(), DifferenceKind::Extra, before));
                }
                Some(record) if is_new => self.compare_one(&key, record, &document, before.as_ref()),
                Some(_) => {}
            }
            before = Some(key);
        }
    }

    /// Documents without a record among the rows that are verified: if these are not all rows, there may be one.
    async fn suspect_extra(&mut self, mut extra: Vec<Suspect<E>>) -> Result<(), VerifyError> {
        if self.sides.options.is_part && !extra.is_empty() {
            let keys: Vec<_> = extra.iter().map(|suspect| suspect.key.clone()).collect();
            let others: HashMap<_, _, RandomState> = self.sides.load(&keys).await?.into_iter().collect();
            extra.retain(|suspect| !others.contains_key(&suspect.key));
        }
        self.report.compared += extra.len() as u64;
        self.fresh.extend(extra);
        Ok(())
    }

    /// A second document of this key.
    fn doubled(&mut self, key: &Key<E>) {
        if let Some(suspect) = self.fresh.iter_mut().rev().find(|suspect| suspect.key == *key) {
            suspect.is_double = true;
            return;
        }
        // It was counted as matching.
        self.report.matching = self.report.matching.saturating_sub(1);
        let suspect = Suspect::new(key.clone(), DifferenceKind::Extra, None);
        self.fresh.push(Suspect { is_double: true, ..suspect });
    }
}

/// Of keys that are sorted alike.
fn order<E>(one: &Key<E>, other: &Key<E>) -> Ordering
where
    E: Streamed,
{
    compare(one.values(), other.values()).unwrap_or(Ordering::Equal)
}
