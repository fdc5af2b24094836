//! One pass: pages are read, suspects are decided, differences are reported.

use std::time::Duration;

use redstream_core::{CancellationToken, Redstream, metrics};
use sea_orm::ConnectionTrait;
use tokio::time::Instant;

use crate::entity::streamed::Streamed;
use crate::index::loader::Loader;
use crate::index::scan::Scan;
use crate::verify::error::VerifyError;
use crate::verify::gauges;
use crate::verify::options::Options;
use crate::verify::pages::Pages;
use crate::verify::report::{Difference, VerifyReport, VerifyState};
use crate::verify::sides::Sides;
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
        let mut range = None;
        loop {
            let is_within_range = range.is_some();
            let are_done = pages.are_done() && !is_within_range;
            let may_read = !are_done && self.suspects() < MOST_SUSPECTS;
            let has_suspects = self.suspects() > 0;
            if !may_read && !has_suspects {
                break;
            }
            if are_done {
                self.report.state = VerifyState::Rechecking;
            }
            let next_page = async {
                if !may_read {
                    // Until the next look.
                    pages.beside(std::future::pending::<()>()).await;
                }
                pages.beside(tokio::time::sleep_until(due)).await;
                if is_within_range { Ok(None) } else { pages.next().await }
            };
            tokio::select! {
                biased;
                () = tokio::time::sleep_until(self.looked + LOOK), if has_suspects => {}
                page = next_page => {
                    let before = self.report.compared;
                    range = match (range.take(), page?) {
                        (Some(range), _) => pages.beside(self.continue_range(range)).await?,
                        (None, Some(page)) => pages.beside(self.compare(page)).await?,
                        (None, None) => None,
                    };
                    due = next_due(rate, due, self.report.compared - before);
                }
            }
            if self.suspects() > 0 && self.looked.elapsed() >= LOOK {
                pages.beside(self.look()).await?;
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

    /// Counts and reports a difference.
    pub(super) fn found(&mut self, suspect: &Suspect<E>, repaired: bool) {
        self.report.count(suspect.kind);
        self.report.repaired += u64::from(repaired);
        if self.report.differences.len() < self.sides.options.most_told {
            let (kind, key, error) = (suspect.kind, suspect.key.to_json(), suspect.error.clone());
            self.report.differences.push(Difference { kind, key, repaired, error: error.filter(|_| !repaired) });
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
        let (suspects, waits_for) = (self.suspects() as u64, self.waits_for());
        let report = &mut self.report;
        (report.suspects, report.waits_for) = (suspects, waits_for);
        report.rate = report.compared as f64 / self.began.elapsed().as_secs_f64().max(0.001);
        let left = report.estimate.saturating_sub(report.compared) as f64;
        report.eta_seconds = (report.rate > 0.0).then(|| (left / report.rate) as u64);
    }

    fn end(&mut self, options: &Options<E>) {
        self.measure();
        let report = &mut self.report;
        (report.eta_seconds, report.waits_for) = (None, None);
        report.advise(options.repair, options.max);
        let labels = [("table", report.entity.clone()), ("target", report.target.clone())];
        ::metrics::counter!(metrics::VERIFIED, &labels).increment(report.compared);
        ::metrics::counter!(metrics::VERIFY_REPAIRED, &labels).increment(report.repaired);
        if report.is_whole() {
            gauges::set(report);
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
