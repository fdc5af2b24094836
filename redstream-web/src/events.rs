//! The snapshots: a stream of events for the page, or one as JSON.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::extract;
use axum::http::header::{CONTENT_TYPE, HeaderName, RETRY_AFTER};
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use futures_util::stream;
use redstream_core::CancellationToken;
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::{Instant, sleep_until, timeout};

use crate::error::Failure;
use crate::latest::Latest;
use crate::look;
use crate::state::State;

/// A stream ends after this time, and the page opens another one: so a session that has ended is noticed.
const LONGEST: Duration = Duration::from_secs(600);

/// How long a single snapshot is waited for.
const BOUND: Duration = Duration::from_secs(15);

struct Viewer {
    latest: Latest,
    until: Instant,
    shutdown: CancellationToken,
    _permit: OwnedSemaphorePermit,
}

/// `events`: a snapshot a second. A slow reader misses snapshots, and no memory is used for them.
pub(crate) async fn events(extract::State(state): extract::State<Arc<State>>) -> Response {
    let Ok(permit) = state.viewers.clone().try_acquire_owned() else {
        return ([(RETRY_AFTER, "10")], Failure::TooManyViewers).into_response();
    };
    let mut latest = look::watch(&state);
    latest.mark_changed();
    let (until, shutdown) = (Instant::now() + LONGEST, state.shutdown.clone());
    let events = stream::unfold(Viewer { latest, until, shutdown, _permit: permit }, next);
    // Proxies such as nginx would collect events otherwise.
    let unbuffered = [(HeaderName::from_static("x-accel-buffering"), "no")];
    (unbuffered, Sse::new(events).keep_alive(KeepAlive::default())).into_response()
}

async fn next(mut viewer: Viewer) -> Option<(Result<Event, Infallible>, Viewer)> {
    loop {
        tokio::select! {
            changed = viewer.latest.changed() => changed.ok()?,
            () = viewer.shutdown.cancelled() => return None,
            () = sleep_until(viewer.until) => return None,
        }
        let snapshot = viewer.latest.borrow_and_update().clone();
        if let Some(snapshot) = snapshot {
            let event = Event::default().retry(Duration::from_secs(2)).data(snapshot);
            return Some((Ok(event), viewer));
        }
    }
}

/// `status`: the next snapshot.
pub(crate) async fn status(extract::State(state): extract::State<Arc<State>>) -> Result<Response, Failure> {
    let mut latest = look::watch(&state);
    latest.mark_unchanged();
    let snapshot = timeout(BOUND, async {
        loop {
            // The sender lives as long as `state`.
            latest.changed().await.map_err(|_| Failure::Panicked)?;
            if let Some(snapshot) = &*latest.borrow_and_update() {
                return Ok::<_, Failure>(snapshot.to_string());
            }
        }
    });
    let snapshot = snapshot.await.map_err(|_| Failure::TimedOut(BOUND.as_secs()))??;
    Ok(([(CONTENT_TYPE, "application/json")], snapshot).into_response())
}
