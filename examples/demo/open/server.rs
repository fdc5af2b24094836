//! The routes of the page, and of the dashboard beside it.

use std::sync::Arc;
use std::time::Instant;

use axum::extract::{DefaultBodyLimit, Path, Query, State};
use axum::http::StatusCode;
use axum::middleware::from_fn;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use sea_orm::EntityTrait as _;
use serde::Deserialize;
use serde_json::{Value as JsonValue, json};

use super::acts::{self, Act};
use super::app::App;
use super::board::Save;
use super::save::{self, Edit};
use super::{dashboard, events, page, security};
use crate::city;
use crate::in_words;

/// The longest body of a request, in bytes.
const BODY: usize = 16 << 10;

pub(super) fn router(app: &Arc<App>) -> Router {
    let routes = Router::new()
        .route("/", get(page::page))
        .route("/icon.svg", get(page::icon))
        .route("/events", get(events::events))
        .route("/search", get(search))
        .route("/cities/{id}", get(city).post(store))
        .route("/acts", post(act))
        .layer(DefaultBodyLimit::max(BODY))
        .layer(from_fn(security::guard))
        .with_state(app.clone());
    routes.nest_service("/dashboard", dashboard::of(app).into_router())
}

/// Why a request is not answered, in words.
struct Failure(StatusCode, String);

impl From<anyhow::Error> for Failure {
    fn from(error: anyhow::Error) -> Self {
        Self(StatusCode::CONFLICT, in_words(&error))
    }
}

impl From<sea_orm::DbErr> for Failure {
    fn from(error: sea_orm::DbErr) -> Self {
        Self(StatusCode::BAD_GATEWAY, error.to_string())
    }
}

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        (self.0, Json(json!({ "error": self.1 }))).into_response()
    }
}

#[derive(Deserialize)]
struct Typed {
    #[serde(default)]
    q: String,
}

/// `search?q=`: what the index has.
async fn search(State(app): State<Arc<App>>, Query(typed): Query<Typed>) -> Result<Json<JsonValue>, Failure> {
    let begun = Instant::now();
    let found = app.finder.find(&typed.q).await?;
    let took = begun.elapsed().as_secs_f64() * 1000.0;
    Ok(Json(json!({ "total": found.total, "cities": found.cities, "took_ms": took })))
}

/// The row of a city, as it is in the database.
async fn city(State(app): State<Arc<App>>, Path(id): Path<i64>) -> Result<Json<city::Model>, Failure> {
    let row = city::Entity::find_by_id(id).one(&app.database).await?;
    row.map(Json).ok_or_else(|| Failure(StatusCode::NOT_FOUND, "there is no city of this id".to_owned()))
}

async fn store(
    State(app): State<Arc<App>>,
    Path(id): Path<i64>,
    Json(edit): Json<Edit>,
) -> Result<Json<Save>, Failure> {
    Ok(Json(save::save(&app, id, edit).await?))
}

/// Begins what a button does; the page shows how it ends.
async fn act(State(app): State<Arc<App>>, Json(act): Json<Act>) -> Result<StatusCode, Failure> {
    acts::begin(&app, act)?;
    Ok(StatusCode::ACCEPTED)
}
