//! The probes of an orchestrator.

use axum::extract::State;
use axum::http::StatusCode;
use axum::http::header::CACHE_CONTROL;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use redstream_core::Health;

use crate::health::HealthOverview;

/// Probes for Kubernetes and others, as a router to merge into that of the application.
///
/// | route | 200 if | 503 means |
/// |---|---|---|
/// | `GET /live` | [`Health::is_live`] | a worker makes no progress: restart the process |
/// | `GET /ready` | [`Health::is_ready`] | a worker has no connection to Redis, or the workers are drained |
/// | `GET /health` | always | |
///
/// Each answer has both results and the state of each worker, as JSON of the form that `health` has in the `status` of
/// the [dashboard](crate::Dashboard). It names streams and consumers: keep it from the public.
///
/// ```no_run
/// # use redstream_core::{Redstream, Supervisor};
/// # async fn example(redstream: Redstream) -> Result<(), Box<dyn std::error::Error>> {
/// let workers = Supervisor::new().with(redstream.stream("products")?.trimmer());
/// let app = axum::Router::new().merge(redstream_web::probes(workers.health()));
/// let listener = tokio::net::TcpListener::bind("0.0.0.0:8000").await?;
/// tokio::select! {
///     served = async { axum::serve(listener, app).await } => served?,
///     worked = workers.run_until_signal() => worked?,
/// }
/// # Ok(()) }
/// ```
pub fn probes<S>(health: Health) -> Router<S> {
    Router::new()
        .route("/live", get(async |State(health): State<Health>| answer(&health, |found| found.is_live)))
        .route("/ready", get(async |State(health): State<Health>| answer(&health, |found| found.is_ready)))
        .route("/health", get(async |State(health): State<Health>| answer(&health, |_| true)))
        .with_state(health)
}

fn answer(health: &Health, is_well: impl Fn(&HealthOverview) -> bool) -> Response {
    let found = HealthOverview::of(health);
    let status = if is_well(&found) { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    (status, [(CACHE_CONTROL, "no-store")], Json(found)).into_response()
}
