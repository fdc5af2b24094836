//! A worker is killed with SIGKILL, in the middle of a batch.

use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use redstream_seaorm::Bulk;
use sea_orm::ColumnTrait as _;
use tokio::sync::broadcast::Receiver;
use tokio::time::timeout;

use super::super::app::App;
use super::super::board::{State, Tone, WorkerState};
use super::compare;
use crate::children::{News, Report};
use crate::city;
use crate::screen::{grouped, time};
use crate::site::LOCK_TTL;

/// This many cities are updated meanwhile.
const CITIES: u64 = 2000;
/// How long a batch is waited for.
const BATCH: Duration = Duration::from_secs(5);
/// How long the standby may take.
const TAKEOVER: Duration = Duration::from_secs(30);

/// Updates cities, kills the worker when a batch of them is at work, and compares all of them with the index.
pub(super) async fn kill(app: &App, who: usize) -> anyhow::Result<()> {
    let worker = app.board.read(|state| state.workers.get(&who).cloned());
    let worker = worker.context("this worker has ended already")?;
    let (number, led) = (worker.number, worker.state == WorkerState::Leads);
    let up_to = app.board.read(|state| state.loaded).min(CITIES);
    ensure!(up_to > 0, "there are no cities yet");
    let up_to = i64::try_from(up_to)?;

    let mut news = app.keeper.news();
    app.board.busy(format!(
        "{} cities are updated, and worker {number} is killed meanwhile",
        grouped(up_to.cast_unsigned())
    ));
    let update = Bulk::<city::Entity>::new()
        .filter(city::Column::Id.lte(up_to))
        .update_many(&app.db, |update| update.col_expr(city::Column::Revision, city::one_more()));
    let kill = async {
        let batch = timeout(BATCH, handling(&mut news)).await.ok();
        let killed = app.keeper.kill(who).await?;
        let batch = batch.map_or_else(String::new, |size| format!(", while a batch of {} was at work", grouped(size)));
        app.board.say(Tone::Bad, format!("worker {number} (process {}) killed by SIGKILL{batch}", worker.process));
        Ok(killed)
    };
    let update = async { anyhow::Ok(update.await?) };
    let (updated, killed) = tokio::try_join!(update, kill)?;
    if led {
        takeover(app, &mut news, who, killed).await?;
    }
    compare::caught_up(app).await?;
    let report = compare::some(app, city::Column::Id.lte(up_to)).await?;
    ensure!(report.found() == 0, "{} of the {updated} changes are not in the index: {report}", report.found());
    let line = format!(
        "all {} cities that were updated meanwhile are found as they are in the database, {} after the kill: 0 lost",
        grouped(updated),
        time(killed.elapsed())
    );
    app.board.say(Tone::Good, line);
    Ok(())
}

/// Waits until another worker has the lock.
async fn takeover(app: &App, news: &mut Receiver<News>, who: usize, killed: Instant) -> anyhow::Result<()> {
    app.board.busy(format!("the standby waits for the lock, which lasts {}", time(LOCK_TTL)));
    let leader = async {
        loop {
            // A batch is handled as soon as the lock is there; the report of the lock comes some milliseconds later.
            let leads = |state: &State| {
                let mut others = state.workers.iter().filter(|(other, _)| **other != who);
                others.find(|(_, worker)| worker.state == WorkerState::Leads).map(|(other, _)| *other)
            };
            if let Some(other) = app.board.read(leads) {
                return (other, Instant::now());
            }
            match news.recv().await {
                Ok(News { who: other, report: Report::Handling(_) | Report::Leads(true), at }) if other != who => {
                    return (other, at);
                }
                _ => {}
            }
        }
    };
    let (other, at) = timeout(TAKEOVER, leader).await.context("no standby has taken over")?;
    let took = time(at.saturating_duration_since(killed));
    app.board.say(Tone::Good, format!("worker {} stood by, and took over after {took}", other + 1));
    Ok(())
}

/// Waits until a worker begins a batch, and returns how many messages it has.
async fn handling(news: &mut Receiver<News>) -> usize {
    loop {
        if let Ok(News { report: Report::Handling(size), .. }) = news.recv().await {
            return size;
        }
    }
}
