//! Brings in the cities, in the background: the page is there before.

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use redstream_seaorm::BulkExt as _;
use sea_orm::{ActiveModelTrait as _, EntityTrait as _, IntoActiveModel as _};
use tokio::time::sleep;

use super::app::App;
use super::board::{Tone, WorkerState};
use crate::eventually::eventually;
use crate::screen::{grouped, time};
use crate::{city, data};

/// Rows per transaction.
const ROWS: usize = 1000;
/// After how long a transaction that failed is tried again.
const PAUSE: Duration = Duration::from_secs(1);
/// How long the first worker may take to start.
const START: Duration = Duration::from_secs(60);

/// Inserts at most `limit` cities.
pub(super) async fn load(app: Arc<App>, limit: usize) {
    if let Err(error) = try_to(&app, limit).await {
        app.board.say(Tone::Bad, format!("the cities could not be loaded: {error:#}"));
    }
}

async fn try_to(app: &App, limit: usize) -> anyhow::Result<()> {
    let cities = tokio::task::spawn_blocking(move || data::cities(limit)).await??;
    app.board.change(|state| state.cities = cities.len() as u64);
    eventually("a worker process runs", START, async || {
        let runs =
            |state: &super::board::State| state.workers.values().any(|worker| worker.state == WorkerState::Leads);
        Ok(app.board.read(runs).then_some(()))
    })
    .await?;
    app.site.search.begin(&app.redstream, &app.database).await?;
    let begun = Instant::now();
    for part in cities.chunks(ROWS) {
        while let Err(error) = insert(app, part).await {
            app.board.say(Tone::Bad, format!("a transaction of the bulk load failed, and is repeated: {error:#}"));
            sleep(PAUSE).await;
            // Its answer may have been lost, and not the transaction.
            let first = part.first().map_or(0, |city| city.id);
            if matches!(city::Entity::find_by_id(first).one(&app.database).await, Ok(Some(_))) {
                break;
            }
        }
        app.board.change(|state| state.loaded += part.len() as u64);
    }
    let line = format!("{} cities inserted in {}", grouped(cities.len()), time(begun.elapsed()));
    app.board.say(Tone::Note, line);
    Ok(())
}

/// By one statement, between delay messages and main messages of all its rows.
async fn insert(app: &App, part: &[city::Model]) -> anyhow::Result<()> {
    let rows = part.iter().cloned().map(|city| city.into_active_model().reset_all());
    app.db
        .producer()
        .bulk(&app.db, part, async |txn| city::Entity::insert_many(rows).exec_without_returning(txn).await)
        .await
        .context("cannot insert cities")?;
    Ok(())
}
