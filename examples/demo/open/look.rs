//! Counts what the page shows, while it is open.

use std::sync::Arc;
use std::time::Duration;

use sea_orm::{ConnectionTrait as _, EntityTrait as _, PaginatorTrait as _, Statement};
use tokio::time::{sleep, timeout};

use super::app::App;
use super::board::Counts;
use crate::city;
use crate::site::Generation;
use crate::stage::OUTBOX;

/// Between two looks.
const EVERY: Duration = Duration::from_millis(500);
/// How long Redis may take to answer.
const PATIENCE: Duration = Duration::from_secs(1);

pub(super) async fn keep_looking(app: Arc<App>) {
    loop {
        if app.board.is_watched() {
            look(&app).await;
        }
        sleep(EVERY).await;
    }
}

/// What cannot be read is left as it was, except for what only Redis knows.
async fn look(app: &App) {
    let rows = city::Entity::find().count(&app.database).await;
    let documents = app.finder.len().await;
    let outbox = outbox(app).await;
    let behind = behind(app).await;
    let (lag, delayed) = behind.unzip();
    app.board.change_if(|state| {
        let old = state.counts;
        let (rows, documents) = (rows.unwrap_or(old.rows), documents.unwrap_or(old.documents));
        state.counts = Counts { rows, documents, lag, delayed, outbox: outbox.unwrap_or(old.outbox) };
        state.counts != old
    });
}

/// Main messages that the index has not seen, and delay messages.
pub(super) async fn behind(app: &App) -> Option<(u64, u64)> {
    let ask = async { tokio::try_join!(app.stream.lag(Generation::First.consumer()), app.stream.delay_len()) };
    timeout(PATIENCE, ask).await.ok()?.ok()
}

/// Changes that wait in the outbox.
pub(super) async fn outbox(app: &App) -> anyhow::Result<u64> {
    let count = format!("SELECT COUNT(*) AS waiting FROM {OUTBOX}");
    let count = Statement::from_string(app.database.get_database_backend(), count);
    let waiting = match app.database.query_one_raw(count).await? {
        Some(row) => row.try_get::<i64>("", "waiting")?,
        None => 0,
    };
    Ok(waiting.try_into()?)
}
