//! The board as a stream of events: a slow reader misses states, and no memory is used for them.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::extract;
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use futures_util::stream;
use redstream_seaorm::CancellationToken;
use tokio::sync::watch::Receiver;
use tokio::time::sleep;

use super::app::App;
use super::board::State;

/// Between two events at least.
const PAUSE: Duration = Duration::from_millis(100);

struct Viewer {
    board: Receiver<State>,
    end: CancellationToken,
}

pub(super) async fn events(extract::State(app): extract::State<Arc<App>>) -> Response {
    let mut board = app.board.watch();
    board.mark_changed();
    let events = stream::unfold(Viewer { board, end: app.end.clone() }, next);
    Sse::new(events).keep_alive(KeepAlive::default()).into_response()
}

async fn next(mut viewer: Viewer) -> Option<(Result<Event, Infallible>, Viewer)> {
    let Viewer { board, end } = &mut viewer;
    end.run_until_cancelled(board.changed()).await?.ok()?;
    end.run_until_cancelled(sleep(PAUSE)).await?;
    let json = serde_json::to_string(&*board.borrow_and_update()).ok()?;
    Some((Ok(Event::default().retry(Duration::from_secs(1)).data(json)), viewer))
}
