//! One pass: pages are compared, suspects are compared again, differences are reported and repaired.

use std::cmp::Ordering;
use std::collections::HashMap;
use std::time::Duration;

use foldhash::fast::RandomState;
use redstream_core::{CancellationToken, Redstream, metrics};
use sea_orm::ConnectionTrait;
use tokio::time::Instant;

use crate::entity::key::Key;
use crate::entity::streamed::Streamed;
use crate::index::loader::Loader;
use crate::index::scan::Scan;
use crate::verify::error::VerifyError;
use crate::verify::options::Options;
use crate::verify::order::compare;
use crate::verify::pages::{Page, Pages, Part};
use crate::verify::report::{Difference, DifferenceKind, VerifyReport, VerifyState};
use crate::verify::sides::{Keyed, Sides};
use crate::verify::standing::Streams;
use crate::verify::suspect::{Cohort, Suspect};

/// No more suspects are collected: the scan waits until they are decided.
pub(super) const MOST_SUSPECTS: usize = 10_000;

/// The pause between two looks at the consumers while suspects wait.
const LOOK: Duration = Duration::from_millis(50);

/// The lowest rate, in keys a second, at which a pass is spread over its time.
const SLOWEST: f64 = 10.0;

/// The shortest time between two reports.
const REPORT: Duration = Duration::from_millis(200);

pub(super) struct Pass<'a, E: Streamed, C, S, L> {
    pub(super) sides: Sides<'a, E, C, S, L>,
    pub(super) redstream: &'a Redstream,
    pub(super) streams: Streams,
    pub(super) report: VerifyReport,
    pub(super) is_merged: bool,
    /// Not yet in a cohort.
    pub(super) fresh: Vec<Suspect<E>>,
    pub(super) cohorts: Vec<Cohort<E>>,
    began: Instant,
    looked: Instant,
    reported: Option<Instant>,
}

impl<'a, E, C, S, L> Pass<'a, E, C, S, L>
where
    E: Streamed,
    C: ConnectionTrait + Send + Sync + 'static,
    L: Loader<E, C>,
    S: Scan<E, L::Record>,
{
    /// Runs until it is done or shut down.
    pub(super) async fn run(
        redstream: &'a Redstream,
        (db, loader, sink): (&'a C, &'a L, &'a S),
        options: &'a Options<E>,
        shutdown: &CancellationToken,
    ) -> Result<VerifyReport, VerifyError> {
        let table = crate::entity::streamed::table::<E>();
        let report = VerifyReport::new(options.id.clone(), table, options.target.clone());
        let begin = async {
            let streams =
                Streams::of::<E>(redstream, (&options.id, options.retry_for), &options.consumers, options.skip_delay)
                    .await;
            let streams = streams.map_err(|source| VerifyError::Redis { id: options.id.clone(), source })?;
            let sides = Sides::new(db, loader, sink, options).await?;
            Ok::<_, VerifyError>((streams, sides))
        };
        let Some(begun) = shutdown.run_until_cancelled(begin).await else {
            return Ok(cancelled(report, options));
        };
        let (streams, sides) = begun?;
        let now = Instant::now();
        let mut pass = Self {
            sides,
            redstream,
            streams,
            report,
            is_merged: true,
            fresh: Vec::new(),
            cohorts: Vec::new(),
            began: now,
            looked: now,
            reported: None,
        };
        // Dropped at any point, nothing is left behind: it only reads, and queues keys.
        match shutdown.run_until_cancelled(Box::pin(pass.work())).await {
            Some(worked) => worked?,
            None => pass.report.state = VerifyState::Cancelled,
        }
        pass.end(options);
        Ok(pass.report)
    }

    async fn work(&mut self) -> Result<(), VerifyError> {
        self.report.estimate = self.sides.count().await?;
        let rate = self.rate();
        // Copied, so that pages are read while suspects are compared.
        let sides = self.sides.clone();
        let mut pages = Pages::new(&sides).await?;
        self.is_merged = pages.is_merged;
        let mut due = Instant::now();
        loop {
            let may_read = !pages.are_done() && self.suspects() < MOST_SUSPECTS;
            let has_suspects = self.suspects() > 0;
            if !may_read && !has_suspects {
                break;
            }
            if pages.are_done() {
                self.report.state = VerifyState::Rechecking;
            }
            let next_page = async {
                tokio::time::sleep_until(due).await;
                pages.next().await
            };
            tokio::select! {
                biased;
                () = tokio::time::sleep_until(self.looked + LOOK), if has_suspects => {}
                page = next_page, if may_read => {
                    let before = self.report.compared;
                    if let Some(page) = page? {
                        self.compare(page).await?;
                    }
                    due = next_due(rate, due, self.report.compared - before);
                }
            }
            if self.suspects() > 0 && self.looked.elapsed() >= LOOK {
                self.look().await?;
                self.looked = Instant::now();
            }
            if self.report.state == VerifyState::NotFinished {
                return Ok(());
            }
            if self.report.found() > self.sides.options.max {
                self.report.state = VerifyState::TooMany;
                return Ok(());
            }
            self.tell();
        }
        self.report.state = VerifyState::Done;
        Ok(())
    }

    /// Keys a second: as it was set, or such that the pass takes as long as it may.
    #[expect(clippy::cast_precision_loss, reason = "a rate is about right")]
    fn rate(&self) -> Option<f64> {
        let Options { rate, spread, .. } = self.sides.options;
        let over = |time: Duration| (self.report.estimate as f64 / time.as_secs_f64().max(0.001)).max(SLOWEST);
        rate.or(spread.map(over))
    }

    /// How many keys are not decided.
    fn suspects(&self) -> usize {
        self.fresh.len() + self.cohorts.iter().map(|cohort| cohort.suspects.len()).sum::<usize>()
    }

    async fn compare(&mut self, page: Page<E, L::Record, S::Document>) -> Result<(), VerifyError> {
        let Page { part, records, documents, position } = page;
        self.report.position = position.as_ref().map(Key::to_json).or(self.report.position.take());
        match part {
            Part::Merged { after, until } => self.compare_range(after, &until, records, documents).await,
            Part::Rows => self.compare_rows(records, documents),
            Part::Documents { after } => self.compare_documents(after, records, documents),
        }
    }

    /// All records of a range of keys with all documents of it, of which the first page was read.
    async fn compare_range(
        &mut self,
        after: Option<Key<E>>,
        until: &Key<E>,
        records: Keyed<E, L::Record>,
        mut documents: Keyed<E, S::Document>,
    ) -> Result<(), VerifyError> {
        let mut before = after.clone();
        let mut records: HashMap<_, _, RandomState> = records.into_iter().collect();
        let mut keys: Vec<Key<E>> = records.keys().cloned().collect();
        loop {
            let is_last = documents.len() < self.sides.options.page_size;
            let mut extra: Vec<Suspect<E>> = Vec::new();
            for (key, document) in documents {
                match records.remove(&key) {
                    Some(record) => self.compare_one(&key, &record, &document, before.as_ref())?,
                    None if before.as_ref() != Some(&key) => {
                        extra.push(Suspect::new(key.clone(), DifferenceKind::Extra, before.take()));
                    }
                    None => match extra.last_mut().filter(|suspect| suspect.key == key) {
                        Some(suspect) => suspect.is_double = true,
                        None => self.doubled(&key),
                    },
                }
                before = Some(key);
            }
            self.suspect_extra(extra).await?;
            if is_last || before.as_ref() == Some(until) {
                break;
            }
            documents = self.sides.scan(before.as_ref(), Some(until)).await?;
        }
        self.report.compared += records.len() as u64;
        keys.sort_by(|one, other| compare(one.values(), other.values()).unwrap_or(Ordering::Equal));
        let mut before = after;
        for key in keys {
            if records.contains_key(&key) {
                self.fresh.push(Suspect::new(key.clone(), DifferenceKind::Missing, before));
            }
            before = Some(key);
        }
        Ok(())
    }

    fn compare_one(
        &mut self,
        key: &Key<E>,
        record: &L::Record,
        document: &S::Document,
        before: Option<&Key<E>>,
    ) -> Result<(), VerifyError> {
        self.report.compared += 1;
        if self.sides.is_current(key, record, document)? {
            self.report.matching += 1;
        } else {
            self.fresh.push(Suspect::new(key.clone(), DifferenceKind::Stale, before.cloned()));
        }
        Ok(())
    }

    fn compare_rows(
        &mut self,
        records: Keyed<E, L::Record>,
        documents: Keyed<E, S::Document>,
    ) -> Result<(), VerifyError> {
        let mut documents: HashMap<_, _, RandomState> = documents.into_iter().collect();
        for (key, record) in records {
            if let Some(document) = documents.remove(&key) {
                self.compare_one(&key, &record, &document, None)?;
            } else {
                self.report.compared += 1;
                self.fresh.push(Suspect::new(key, DifferenceKind::Missing, None));
            }
        }
        Ok(())
    }

    /// Documents that were not compared with rows: each needs a record.
    fn compare_documents(
        &mut self,
        mut before: Option<Key<E>>,
        records: Keyed<E, L::Record>,
        documents: Keyed<E, S::Document>,
    ) -> Result<(), VerifyError> {
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
                Some(record) if is_new => self.compare_one(&key, record, &document, before.as_ref())?,
                Some(_) => {}
            }
            before = Some(key);
        }
        Ok(())
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

    /// Counts and reports a difference.
    pub(super) fn found(&mut self, suspect: &Suspect<E>, repaired: bool) {
        self.report.count(suspect.kind);
        self.report.repaired += u64::from(repaired);
        if self.report.differences.len() < self.sides.options.most_told {
            let (kind, key) = (suspect.kind, suspect.key.to_json());
            self.report.differences.push(Difference { kind, key, repaired });
        }
    }

    fn tell(&mut self) {
        if self.reported.is_none_or(|last| last.elapsed() >= REPORT) {
            self.reported = Some(Instant::now());
            self.measure();
            if let Some(report) = &self.sides.options.on_progress {
                report(&self.report);
            }
        }
    }

    #[expect(
        clippy::cast_precision_loss,
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "about right"
    )]
    fn measure(&mut self) {
        let suspects = self.suspects() as u64;
        let report = &mut self.report;
        report.suspects = suspects;
        report.rate = report.compared as f64 / self.began.elapsed().as_secs_f64().max(0.001);
        let left = report.estimate.saturating_sub(report.compared) as f64;
        report.eta_seconds = (report.rate > 0.0).then(|| (left / report.rate) as u64);
    }

    fn end(&mut self, options: &Options<E>) {
        self.measure();
        let report = &mut self.report;
        report.eta_seconds = None;
        report.advise(options.repair, options.max);
        let labels = [("table", report.entity.clone()), ("target", report.target.clone())];
        ::metrics::counter!(metrics::VERIFIED, &labels).increment(report.compared);
        ::metrics::counter!(metrics::VERIFY_REPAIRED, &labels).increment(report.repaired);
        if matches!(report.state, VerifyState::Done | VerifyState::TooMany) {
            let kinds = [
                (DifferenceKind::Missing, report.missing),
                (DifferenceKind::Stale, report.stale),
                (DifferenceKind::Extra, report.extra),
            ];
            for (kind, count) in kinds {
                let [table, target] = labels.clone();
                #[expect(clippy::cast_precision_loss, reason = "a gauge is a float")]
                ::metrics::gauge!(metrics::VERIFY_DIFFERENCES, &[table, target, ("kind", kind.word().to_owned())])
                    .set(count as f64);
            }
        }
        tracing::info!(id = report.id, target = report.target, %report, "a verification has ended");
        if let Some(tell) = &options.on_progress {
            tell(&self.report);
        }
    }

    pub(super) fn redis(&self) -> impl FnOnce(redstream_core::Error) -> VerifyError + use<E, C, S, L> {
        let id = self.sides.options.id.clone();
        |source| VerifyError::Redis { id, source }
    }
}

/// When the next page may be read.
#[expect(clippy::cast_precision_loss, reason = "a rate is about right")]
fn next_due(rate: Option<f64>, due: Instant, compared: u64) -> Instant {
    let Some(rate) = rate else { return due };
    let pause = Duration::try_from_secs_f64(compared as f64 / rate).unwrap_or(Duration::from_secs(3600));
    // What was late is made up for by a second at most.
    due.max(Instant::now().checked_sub(Duration::from_secs(1)).unwrap_or(due)) + pause
}

fn cancelled<E: Streamed>(mut report: VerifyReport, options: &Options<E>) -> VerifyReport {
    report.state = VerifyState::Cancelled;
    report.advise(options.repair, options.max);
    report
}
