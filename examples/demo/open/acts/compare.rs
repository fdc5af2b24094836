//! The database and the index are compared, and brought together.

use std::time::{Duration, Instant};

use anyhow::ensure;
use redstream_seaorm::{Difference, RedstreamExt as _, Reindex, ReindexProgress, VerifyReport};
use sea_orm::sea_query::IntoCondition;

use super::super::app::App;
use super::super::board::Tone;
use super::super::look;
use crate::city;
use crate::eventually::eventually;
use crate::screen::{grouped, time};
use crate::search::Extent;
use crate::site::Generation;

/// The longest that the index may take to catch up: it takes seconds.
const CATCH_UP: Duration = Duration::from_secs(120);
/// For how long a chunk of a reindex may keep the consumer busy.
const CHUNK: Duration = Duration::from_millis(500);
/// As many differences are named.
const NAMED: usize = 5;

/// Compares each row with its document, and each document with its row; and queues those that differ, if it may repair
/// them.
pub(super) async fn verify(app: &App, repair: bool) -> anyhow::Result<()> {
    let begun = Instant::now();
    let report = compare(app, Extent { rows: None, repair }).await?;
    let compared = format!("{} cities compared with the index in {}", grouped(report.compared), time(begun.elapsed()));
    let found = report.found();
    let (tone, line) = match (found, repair) {
        (0, _) => (Tone::Good, format!("{compared}: no difference")),
        (_, false) => (Tone::Bad, format!("{compared}: {found} differ ({})", named(&report))),
        (_, true) if report.repaired == found => {
            (Tone::Good, format!("{compared}: {found} differed ({}), and are repaired", named(&report)))
        }
        (_, true) => (Tone::Bad, format!("{compared}: {found} differed, {} are repaired: {report}", report.repaired)),
    };
    app.board.say(tone, line);
    Ok(())
}

/// Compares these rows.
pub(super) async fn some(app: &App, rows: impl IntoCondition) -> anyhow::Result<VerifyReport> {
    compare(app, Extent { rows: Some(rows.into_condition()), repair: false }).await
}

async fn compare(app: &App, extent: Extent) -> anyhow::Result<VerifyReport> {
    app.board.busy("rows are compared with the index");
    let board = app.board.clone();
    let tell = move |report: &VerifyReport| board.busy(format!("rows are compared with the index: {report}"));
    app.site.search.verify(&app.redstream, &app.database, extent, tell, app.end.clone()).await
}

/// Announces every row again. The consumer may be kept busy for longer than an application would: a commit of the index
/// costs tens of milliseconds, whatever its size.
pub(in crate::open) fn every_row(app: &App) -> Reindex<'_, city::Entity> {
    let reindex = app.redstream.reindex::<city::Entity>(&app.database);
    reindex.consumer(Generation::First.consumer()).target(CHUNK).anew()
}

pub(super) async fn reindex(app: &App) -> anyhow::Result<()> {
    app.board.busy("every city is announced again");
    let (begun, board) = (Instant::now(), app.board.clone());
    let tell = move |progress: &ReindexProgress| board.busy(format!("every city is announced again: {progress}"));
    let report = every_row(app).on_progress(tell).run(app.end.clone()).await?;
    ensure!(report.is_done(), "the reindex is not done: {report:?}");
    let line =
        format!("{} cities were announced and indexed again in {}", grouped(report.queued), time(begun.elapsed()));
    app.board.say(Tone::Good, line);
    Ok(())
}

/// Waits until the index has seen every main message.
pub(super) async fn caught_up(app: &App) -> anyhow::Result<()> {
    until(app, "the index catches up", |lag, _| lag == 0).await
}

/// Waits until no delay message is left either, so that from here on nothing changes by itself.
pub(super) async fn quiet(app: &App) -> anyhow::Result<()> {
    until(app, "the delay messages come", |lag, delayed| lag == 0 && delayed == 0).await
}

async fn until(app: &App, what: &str, is_done: impl Fn(u64, u64) -> bool) -> anyhow::Result<()> {
    eventually(what, CATCH_UP, async || {
        // Without Redis there is no answer.
        let behind = look::behind(app).await;
        Ok(behind.filter(|(lag, delayed)| is_done(*lag, *delayed)).map(drop))
    })
    .await
}

fn named(report: &VerifyReport) -> String {
    let name = |one: &Difference| format!("{:?} {}", one.kind, one.key);
    let names: Vec<_> = report.differences.iter().take(NAMED).map(name).collect();
    let more = if report.differences.len() > NAMED { ", …" } else { "" };
    format!("{}{more}", names.join(", ").to_lowercase())
}
