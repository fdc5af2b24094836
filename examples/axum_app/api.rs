//! The routes and their handlers. Unchanged except for the first line and the kinds of errors; the search is new.

use redstream_seaorm::drop_in as sea_orm;

use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, put};
use axum::{Json, Router};
use redstream_seaorm::ErrorKind;
use sea_orm::{DbConn, DbErr};

use crate::search::Index;
use crate::{entity as post, service};

#[derive(Clone)]
pub(crate) struct AppState {
    pub(crate) conn: DbConn,
    pub(crate) index: Index,
}

pub(crate) fn router(state: AppState) -> Router {
    Router::new()
        .route("/posts", get(list_posts).post(create_post))
        .route("/posts/{id}", put(update_post).delete(delete_post))
        .route("/search/{word}", get(search_posts))
        .with_state(state)
}

async fn list_posts(State(state): State<AppState>) -> Result<Json<Vec<post::Model>>, AppError> {
    Ok(Json(service::posts(&state.conn).await?))
}

async fn create_post(
    State(state): State<AppState>,
    Json(form): Json<post::Model>,
) -> Result<(StatusCode, Json<post::Model>), AppError> {
    Ok((StatusCode::CREATED, Json(service::create_post(&state.conn, form).await?)))
}

async fn update_post(
    State(state): State<AppState>,
    Path(id): Path<i32>,
    Json(form): Json<post::Model>,
) -> Result<Json<post::Model>, AppError> {
    Ok(Json(service::update_post(&state.conn, id, form).await?))
}

async fn delete_post(State(state): State<AppState>, Path(id): Path<i32>) -> Result<StatusCode, AppError> {
    service::delete_post(&state.conn, id).await?;
    Ok(StatusCode::NO_CONTENT)
}

async fn search_posts(State(state): State<AppState>, Path(word): Path<String>) -> Json<Vec<String>> {
    Json(state.index.titles_with(&word))
}

struct AppError(DbErr);

impl From<DbErr> for AppError {
    fn from(error: DbErr) -> Self {
        Self(error)
    }
}

impl IntoResponse for AppError {
    fn into_response(self) -> Response {
        let code = match (&self.0, ErrorKind::of(&self.0)) {
            (DbErr::RecordNotFound(_), _) => StatusCode::NOT_FOUND,
            // Redis is unavailable, so the change was not made; or the transaction can be retried.
            (_, Some(ErrorKind::Unavailable | ErrorKind::Retry)) => StatusCode::SERVICE_UNAVAILABLE,
            _ => StatusCode::INTERNAL_SERVER_ERROR,
        };
        (code, self.0.to_string()).into_response()
    }
}
