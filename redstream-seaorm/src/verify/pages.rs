//! The pages that are compared: those ahead are read while one is compared.

use std::cmp::Ordering;
use std::pin::Pin;

use futures_util::StreamExt;
use futures_util::stream::FuturesOrdered;
use sea_orm::ConnectionTrait;

use crate::entity::key::Key;
use crate::entity::streamed::Streamed;
use crate::index::loader::Loader;
use crate::index::scan::Scan;
use crate::verify::error::VerifyError;
use crate::verify::order::compare;
use crate::verify::sides::{Keyed, Sides};

/// So many pages are read ahead, or wait to be compared.
const AHEAD: usize = 2;

type Reading<'a, T> = Pin<Box<dyn Future<Output = Result<T, VerifyError>> + Send + 'a>>;

/// Pages that are being read, in order.
type Ready<'a, E, R, D> = FuturesOrdered<Reading<'a, Page<E, R, D>>>;

/// What both sides have of a range of keys.
pub(super) struct Page<E, R, D> {
    pub(super) part: Part<E>,
    pub(super) records: Keyed<E, R>,
    pub(super) documents: Keyed<E, D>,
    /// The last key that was read.
    pub(super) position: Option<Key<E>>,
}

/// Which part of the work a page is.
pub(super) enum Part<E> {
    /// The rows of a range of keys, and the first page of documents of that range.
    Merged { after: Option<Key<E>>, until: Key<E> },
    /// A page of rows, and the documents of their keys.
    Rows,
    /// A page of documents, and the records of their keys.
    Documents { after: Option<Key<E>> },
}

/// What is to be read next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    Rows,
    Documents,
    Done,
}

/// A page of one side, by which the other side is read.
enum Lead<E, R, D> {
    Keys(Vec<Key<E>>),
    /// The rows were read as a whole.
    Records(Keyed<E, R>),
    Documents(Keyed<E, D>),
}

/// What leads, which is being read.
type Leading<'a, E, R, D> = Reading<'a, Lead<E, R, D>>;

/// All pages, in order: of the rows up to the last key that there was at the beginning, then of the documents that have
/// not been compared with rows.
pub(super) struct Pages<'a, E: Streamed, C, S: Scan<E, L::Record>, L: Loader<E, C>> {
    sides: &'a Sides<'a, E, C, S, L>,
    /// The last key of the rows.
    last: Option<Key<E>>,
    /// Whether both sides are read by ranges of keys.
    pub(super) is_merged: bool,
    phase: Phase,
    after: Option<Key<E>>,
    lead: Option<Leading<'a, E, L::Record, S::Document>>,
    ready: Ready<'a, E, L::Record, S::Document>,
}

impl<'a, E, C, S, L> Pages<'a, E, C, S, L>
where
    E: Streamed,
    C: ConnectionTrait + Send + Sync + 'static,
    L: Loader<E, C>,
    S: Scan<E, L::Record>,
{
    pub(super) async fn new(sides: &'a Sides<'a, E, C, S, L>) -> Result<Self, VerifyError> {
        let last = sides.last_key().await?;
        let is_merged = last.as_ref().is_none_or(|key| sides.is_sorted_alike(key));
        let phase = if last.is_some() { Phase::Rows } else { Phase::Documents };
        Ok(Self { sides, last, is_merged, phase, after: None, lead: None, ready: FuturesOrdered::new() })
    }

    /// Whether all pages were returned.
    pub(super) fn are_done(&self) -> bool {
        self.phase == Phase::Done && self.ready.is_empty()
    }

    /// The next page; `None` if there are no more. Can be cancelled: it then continues.
    pub(super) async fn next(&mut self) -> Result<Option<Page<E, L::Record, S::Document>>, VerifyError> {
        loop {
            if self.lead.is_none() && self.phase != Phase::Done && self.ready.len() < AHEAD {
                self.lead = Some(self.read_lead());
            }
            let is_leading = self.lead.is_some();
            let leading = async {
                match &mut self.lead {
                    Some(lead) => lead.await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                biased;
                lead = leading, if is_leading => {
                    self.lead = None;
                    self.follow(lead?)?;
                }
                page = self.ready.next(), if !self.ready.is_empty() => return page.transpose(),
                else => return Ok(None),
            }
        }
    }

    fn read_lead(&self) -> Leading<'a, E, L::Record, S::Document> {
        let (sides, after, is_merged) = (self.sides, self.after.clone(), self.is_merged);
        match (self.phase, self.last.clone()) {
            (Phase::Rows, Some(last)) => Box::pin(async move {
                let records = if is_merged { sides.records(after.as_ref(), &last).await? } else { None };
                match records {
                    Some(records) => Ok(Lead::Records(records)),
                    None => Ok(Lead::Keys(sides.keys(after.as_ref(), &last).await?)),
                }
            }),
            _ => Box::pin(async move { Ok(Lead::Documents(sides.scan(after.as_ref(), None).await?)) }),
        }
    }

    /// Has the other side read.
    fn follow(&mut self, lead: Lead<E, L::Record, S::Document>) -> Result<(), VerifyError> {
        match lead {
            Lead::Keys(keys) => self.follow_rows(keys),
            Lead::Records(records) => self.follow_records(records),
            Lead::Documents(documents) => {
                self.follow_documents(documents);
                Ok(())
            }
        }
    }

    fn follow_rows(&mut self, mut keys: Vec<Key<E>>) -> Result<(), VerifyError> {
        let is_last = keys.len() < self.sides.options.page_size || keys.last() == self.last.as_ref();
        // A selection that joins other tables may have a key several times.
        keys.dedup();
        let after = self.after.take();
        if self.is_merged {
            self.check_order(after.as_ref(), keys.iter())?;
        }
        let sides = self.sides;
        let until = if is_last { self.last.clone() } else { keys.last().cloned() };
        if let Some(until) = until.clone()
            && self.is_merged
        {
            self.ready.push_back(Box::pin(async move {
                let scan = sides.scan(after.as_ref(), Some(&until));
                let (records, documents) = tokio::try_join!(sides.load(&keys), scan)?;
                let position = Some(until.clone());
                Ok(Page { part: Part::Merged { after, until }, records, documents, position })
            }));
        } else if !self.is_merged {
            self.ready.push_back(Box::pin(async move {
                let (records, documents) = tokio::try_join!(sides.load(&keys), sides.find(&keys))?;
                let position = keys.last().cloned();
                let Some(documents) = documents else { return Err(sides.no_look_up(position.as_ref())) };
                Ok(Page { part: Part::Rows, records, documents, position })
            }));
        }
        self.after = until;
        if is_last {
            self.phase = Phase::Documents;
            if !self.is_merged {
                self.after = None;
            }
        }
        Ok(())
    }

    /// Reads the documents of the range of these.
    fn follow_records(&mut self, records: Keyed<E, L::Record>) -> Result<(), VerifyError> {
        let last = records.last().map(|(key, _)| key);
        let is_last = records.len() < self.sides.options.page_size || last == self.last.as_ref();
        let until = if is_last { self.last.clone() } else { last.cloned() };
        let after = std::mem::replace(&mut self.after, until.clone());
        self.check_order(after.as_ref(), records.iter().map(|(key, _)| key))?;
        if is_last {
            self.phase = Phase::Documents;
        }
        let (sides, Some(until)) = (self.sides, until) else { return Ok(()) };
        self.ready.push_back(Box::pin(async move {
            let documents = sides.scan(after.as_ref(), Some(&until)).await?;
            let position = Some(until.clone());
            Ok(Page { part: Part::Merged { after, until }, records, documents, position })
        }));
        Ok(())
    }

    fn follow_documents(&mut self, documents: Keyed<E, S::Document>) {
        let is_last = documents.len() < self.sides.options.page_size;
        let after = std::mem::replace(&mut self.after, documents.last().map(|(key, _)| key.clone()));
        if is_last {
            self.phase = Phase::Done;
        }
        let (sides, position) = (self.sides, self.after.clone());
        self.ready.push_back(Box::pin(async move {
            let mut keys: Vec<_> = documents.iter().map(|(key, _)| key.clone()).collect();
            keys.dedup();
            let records = sides.load(&keys).await?;
            Ok(Page { part: Part::Documents { after }, records, documents, position })
        }));
    }

    /// Ranges of keys are read from the sink, so the database must sort them as the sink does.
    fn check_order<'k>(
        &self,
        after: Option<&'k Key<E>>,
        keys: impl Iterator<Item = &'k Key<E>>,
    ) -> Result<(), VerifyError>
    where
        E: 'k,
    {
        let mut before = after;
        for key in keys {
            if let Some(before) = before
                && compare(before.values(), key.values()) != Some(Ordering::Less)
            {
                let (id, side) = (self.sides.options.id.clone(), "the primary database");
                return Err(VerifyError::OutOfOrder { id, side, key: key.to_string(), after: before.to_string() });
            }
            before = Some(key);
        }
        Ok(())
    }
}
