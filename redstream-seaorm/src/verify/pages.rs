//! The pages that are compared: those ahead are read while one is compared.

use std::cmp::Ordering;
use std::collections::VecDeque;
use std::future::pending;
use std::pin::{Pin, pin};

use futures_util::StreamExt;
use futures_util::stream::FuturesOrdered;
use sea_orm::ConnectionTrait;

use crate::entity::key::Key;
use crate::entity::streamed::Streamed;
use crate::index::loader::Loader;
use crate::index::scan::Scan;
use crate::verify::error::VerifyError;
use crate::verify::order::compare;
use crate::verify::page::{Lead, Page, Part, Phase};
use crate::verify::sides::{Keyed, Sides};

/// So many pages are read ahead, or wait to be compared.
const AHEAD: usize = 2;

type Reading<'a, T> = Pin<Box<dyn Future<Output = Result<T, VerifyError>> + Send + 'a>>;

/// Pages that are being read, in order.
type Ready<'a, E, R, D> = FuturesOrdered<Reading<'a, Page<E, R, D>>>;

/// What leads, which is being read.
type Leading<'a, E, R, D> = Reading<'a, Lead<E, R, D>>;

type Led<E, R, D> = Result<Lead<E, R, D>, VerifyError>;

/// Pages that are read, in order.
type Arrived<E, R, D> = VecDeque<Result<Page<E, R, D>, VerifyError>>;

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
    /// What led, if it is read.
    led: Option<Led<E, L::Record, S::Document>>,
    ready: Ready<'a, E, L::Record, S::Document>,
    /// Those of `ready` that are read.
    arrived: Arrived<E, L::Record, S::Document>,
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
        let (ready, arrived) = (FuturesOrdered::new(), VecDeque::new());
        Ok(Self { sides, last, is_merged, phase, after: None, lead: None, led: None, ready, arrived })
    }

    /// Whether all pages were returned.
    pub(super) fn are_done(&self) -> bool {
        self.phase == Phase::Done && self.ready.is_empty() && self.arrived.is_empty()
    }

    /// Does this while the reads that are under way go on. One that did not could have the only connection of a pool,
    /// for which the work would wait in vain.
    pub(super) async fn beside<T>(&mut self, work: impl Future<Output = T>) -> T {
        let mut work = pin!(work);
        loop {
            tokio::select! {
                biased;
                done = &mut work => return done,
                () = self.go_on() => {}
            }
        }
    }

    /// Continues the reads that are under way until one is done. Can be cancelled: it then continues.
    async fn go_on(&mut self) {
        let leading = async {
            match &mut self.lead {
                Some(lead) => lead.await,
                None => pending().await,
            }
        };
        let arriving = async {
            match self.ready.next().await {
                Some(page) => page,
                None => pending().await,
            }
        };
        tokio::select! {
            biased;
            lead = leading => {
                self.lead = None;
                self.led = Some(lead);
            }
            page = arriving => self.arrived.push_back(page),
        }
    }

    /// The next page; `None` if there are no more. Can be cancelled: it then continues.
    pub(super) async fn next(&mut self) -> Result<Option<Page<E, L::Record, S::Document>>, VerifyError> {
        loop {
            if let Some(lead) = self.led.take() {
                self.follow(lead?)?;
            }
            if self.lead.is_none() && self.phase != Phase::Done && self.ready.len() + self.arrived.len() < AHEAD {
                self.lead = Some(self.read_lead());
            }
            if let Some(page) = self.arrived.pop_front() {
                return page.map(Some);
            }
            if self.lead.is_none() && self.ready.is_empty() {
                return Ok(None);
            }
            self.go_on().await;
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
